from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from cellstorm.analysis.local_resolution import LocalResolution
from cellstorm.localizations import LOCALIZATION, Localizations, concatenate, empty


def random_emitters(left_nm: float, precision_nm: float, per_half: float, seed: int) -> Localizations:
    """Emitters at random in 10 x 10 µm, each localized a Poisson number of times, at random frames."""
    random = np.random.default_rng(seed)
    places = random.uniform((left_nm, 0), (left_nm + 10_000, 10_000), (4000, 2))
    emitter = np.repeat(np.arange(4000), random.poisson(2 * per_half, 4000))
    table = np.zeros(len(emitter), LOCALIZATION)
    table["frame"] = random.integers(0, 1000, len(emitter))
    table["x_nm"], table["y_nm"] = (places[emitter] + random.normal(0, precision_nm, (len(emitter), 2))).T
    table["precision_nm"] = precision_nm
    return table


@pytest.mark.parametrize("per_half", [3, 10])
def test_each_side_of_an_image_has_its_own_known_resolution_within_ten_per_cent(per_half: float) -> None:
    local = LocalResolution.of(
        concatenate([random_emitters(0, 15, per_half, 1), random_emitters(10_000, 35, per_half, 2)])
    )
    assert local is not None
    tiles = np.array([[math.nan if value is None else value for value in row] for row in local.resolution_nm])
    half = tiles.shape[1] // 2
    for side, precision_nm in ((tiles[:, :half], 15), (tiles[:, half:], 35)):
        expected_nm = 2 * np.pi * precision_nm / np.sqrt(np.log(6 * per_half))
        assert np.nanmedian(side) == pytest.approx(expected_nm, rel=0.1)
        assert np.isfinite(side).mean() > 0.7


def test_tiles_of_a_field_however_wide_are_compared_in_little_memory() -> None:
    wide = random_emitters(0, 15, 10, seed=1)
    for axis in ("x_nm", "y_nm"):
        wide[axis] *= 500  # 5 mm: a sensor's own pixels, taken for those of the sample
    tracemalloc.start()
    try:
        LocalResolution.of(wide)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 100 * 2**20


def test_tiles_without_structure_are_null_and_not_guessed() -> None:
    alone = np.zeros(5000, LOCALIZATION)
    alone["frame"] = np.arange(5000) % 1000
    alone["x_nm"], alone["y_nm"] = np.random.default_rng(1).uniform(0, 10_000, (2, 5000))
    alone["x_nm"] += 10_000
    local = LocalResolution.of(concatenate([random_emitters(0, 15, 10, 1), alone]))
    assert local is not None
    right = [value for row in local.resolution_nm for value in row[len(row) // 2 + 1 :]]
    assert all(value is None for value in right)
    assert local.median_nm is not None


def test_too_little_or_too_small_a_field_has_no_map() -> None:
    assert LocalResolution.of(empty()) is None
    point = random_emitters(0, 15, 10, 1)
    point["x_nm"] /= 20
    point["y_nm"] /= 20
    assert LocalResolution.of(point) is None


def test_all_in_one_place_has_no_map() -> None:
    table = np.zeros(5000, LOCALIZATION)
    table["frame"] = np.arange(5000)
    assert LocalResolution.of(table) is None
