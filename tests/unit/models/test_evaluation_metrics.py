"""Metrics on tables small enough to count by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.scoring import TRUTH, Truth, score
from cellstorm_models.evaluation.comparison import Comparison, Field, compare, pool
from cellstorm_models.evaluation.limit import Optics
from cellstorm_models.evaluation.metrics import by_density, by_photons, efficiency, isolated, measure

EVERYWHERE = Field()
OPTICS = Optics(psf_sigma_nm=140, background_photons=10, pixel_size_nm=100, read_noise=2.5)


def truth(*rows: tuple[float, ...]) -> Truth:
    """Of (frame, x, y, photons, on)."""
    return np.array([*rows], TRUTH)


def table(*rows: tuple[float, ...], photons: float = 500.0, precision_nm: float = 20.0) -> Localizations:
    """Of (frame, x, y)."""
    made = np.zeros(len(rows), LOCALIZATION)
    for name, column in zip(("frame", "x_nm", "y_nm"), np.array([*rows]).reshape(-1, 3).T, strict=True):
        made[name] = column
    made["photons"], made["precision_nm"] = photons, precision_nm
    return made


THREE = truth((0, 1000, 1000, 500, 1), (0, 3000, 1000, 500, 1), (1, 1000, 1000, 250, 0.5))


def test_found_missed_and_surplus_are_counted() -> None:
    found = table((0, 1030, 1040), (0, 5000, 5000), (1, 1000, 1100))
    reached = measure(compare(found, THREE, EVERYWHERE))
    assert (reached.matched, reached.spurious, reached.missed) == (2, 1, 1)
    assert reached.detection_precision == pytest.approx(2 / 3)
    assert reached.recall == pytest.approx(2 / 3)
    assert reached.jaccard == pytest.approx(1 / 2)
    assert reached.rmse_lateral_nm == pytest.approx(math.sqrt((50**2 + 100**2) / 2))
    assert reached.mean_distance_nm == pytest.approx(75)
    assert reached.bias_x_nm == pytest.approx(15)
    assert reached.bias_y_nm == pytest.approx(70)
    assert reached.photon_ratio_median == pytest.approx(1.5)  # of 500/500 and 500/250


def test_a_second_localization_of_an_emitter_is_surplus_but_no_phantom() -> None:
    reached = measure(compare(table((0, 1010, 1000), (0, 1100, 1000), (0, 1000, 4000)), THREE, EVERYWHERE))
    assert (reached.matched, reached.spurious, reached.phantoms) == (1, 2, 1)
    assert reached.phantom_share == pytest.approx(1 / 3)
    assert reached.near == 2
    assert reached.near_mean_distance_nm == pytest.approx(55)


def test_an_emitter_of_another_frame_is_not_near() -> None:
    reached = measure(compare(table((2, 1000, 1000), (1, 3000, 1000)), THREE, EVERYWHERE))
    assert (reached.matched, reached.phantoms) == (0, 2)
    assert reached.rmse_lateral_nm is None
    assert reached.efficiency is None


def test_where_nothing_shines_everything_is_a_phantom() -> None:
    reached = measure(compare(table((0, 10, 10), (1, 20, 20)), truth(), EVERYWHERE))
    assert (reached.emitters, reached.phantoms, reached.phantom_share, reached.jaccard) == (0, 2, 1.0, 0.0)


def test_nothing_found_is_no_error() -> None:
    reached = measure(compare(table(), THREE, EVERYWHERE))
    assert (reached.matched, reached.missed, reached.recall) == (0, 3, 0.0)
    assert (reached.phantom_share, reached.within_one_sigma, reached.photon_ratio_median) == (None, None, None)


def test_a_brief_event_and_one_at_the_edge_are_neither_missed_nor_wrong() -> None:
    field = Field.of_image(100, 100, 100.0, border_nm=300)
    there = truth((0, 1000, 1000, 500, 0.2), (0, 200, 5000, 500, 1), (0, 5000, 5000, 500, 1))
    assert measure(compare(table(), there, field)).emitters == 1
    # the second localization is in the field, its emitter just outside
    reached = measure(compare(table((0, 1000, 1010), (0, 310, 5000), (0, 5000, 5010)), there, field))
    assert (reached.matched, reached.spurious, reached.missed, reached.phantoms) == (1, 0, 0, 0)


def test_nothing_is_scored_below_the_line() -> None:
    field = Field.of_image(256, 256, 100.0, border_nm=300, max_y_nm=23_700)
    assert field.y_nm == (300, 23_700)
    assert measure(compare(table((0, 5000, 24_000)), truth((0, 9000, 24_500, 500, 1)), field)).localizations == 0


def test_efficiency_is_that_of_the_challenge() -> None:
    assert efficiency(1.0, 0.0) == 100
    assert efficiency(0.7, 40.0) == pytest.approx(50)  # a triangle of 30 and 40
    assert efficiency(0.0, 100.0) == pytest.approx(100 - 100 * math.sqrt(2))


def test_errors_within_one_sigma_are_counted_less_their_mean() -> None:
    there = truth(*((frame, 1000, 1000, 500, 1) for frame in range(4)))
    errors = [100, 110, 130, 140]  # less their mean of 120: 20, 10, 10, 20
    found = table(*((frame, 1000 + error, 1000) for frame, error in enumerate(errors)), precision_nm=15)
    assert measure(compare(found, there, EVERYWHERE)).within_one_sigma == pytest.approx(0.5)


def test_density_is_the_distance_to_the_nearest_other_emitter_of_the_frame() -> None:
    there = truth(
        (0, 1000, 1000, 500, 1), (0, 1240, 1000, 500, 1), (0, 1700, 1000, 500, 1), (1, 0, 0, 500, 1), (2, 0, 0, 500, 1)
    )
    groups = by_density(compare(table((0, 1001, 1000), (0, 1701, 1000), (1, 1, 0)), there, EVERYWHERE))
    emitters = {name: (group.emitters, group.matched) for name, group in groups.items()}
    assert emitters == {
        "0 to 250 nm": (2, 1),
        "250 to 500 nm": (1, 1),
        "500 to 1000 nm": (0, 0),
        "over 1000 nm": (2, 1),
    }


def test_in_a_group_surplus_counts_with_the_emitter_next_to_it_and_phantoms_do_not() -> None:
    there = truth((0, 1000, 1000, 80, 1), (0, 9000, 1000, 700, 1))
    found = table((0, 1000, 1000), (0, 1100, 1000), (0, 9000, 1000), (0, 5000, 5000))
    groups = by_photons(compare(found, there, EVERYWHERE))
    assert [groups[name].jaccard for name in ("50 to 100 photons", "500 to 1000 photons")] == [0.5, 1.0]
    assert sum(group.phantoms for group in groups.values()) == 0
    assert sum(group.emitters for group in groups.values()) == 2


def test_isolated_emitters_are_alone_and_on_throughout() -> None:
    there = truth((0, 0, 0, 500, 1), (0, 900, 0, 500, 1), (0, 9000, 0, 500, 1), (1, 0, 0, 200, 0.4))
    reached = isolated(compare(table((0, 9030, 40)), there, EVERYWHERE, optics=OPTICS))
    assert reached.emitters == 1
    assert reached.rmse_lateral_nm == pytest.approx(50)
    assert reached.limit_rms_nm == pytest.approx(16.2, abs=0.2)


def test_the_limit_is_not_known_without_the_optics() -> None:
    assert measure(compare(table((0, 1000, 1000)), THREE, EVERYWHERE)).limit_rms_nm is None


def test_pooling_counts_recordings_together() -> None:
    full = compare(table((0, 1000, 1000), (0, 3000, 1000), (1, 1000, 1000)), THREE, EVERYWHERE)
    nothing = compare(table(), THREE, EVERYWHERE)
    assert measure(pool([full, nothing])).recall == pytest.approx(0.5)


def random_case(seed: int) -> tuple[Localizations, Truth]:
    random = np.random.default_rng(seed)
    there = np.zeros(300, TRUTH)
    there["frame"] = np.sort(random.integers(0, 20, 300))
    there["x_nm"], there["y_nm"] = random.uniform(0, 12_700, (2, 300))
    there["photons"], there["on"] = random.uniform(100, 1000, 300), random.uniform(0, 1, 300)
    seen = there[random.random(300) < 0.8]
    found = np.zeros(len(seen) + 30, LOCALIZATION)
    found["frame"] = random.integers(0, 20, len(found))
    found["x_nm"], found["y_nm"] = random.uniform(0, 12_700, (2, len(found)))
    found["frame"][: len(seen)] = seen["frame"]
    for name in ("x_nm", "y_nm"):
        found[name][: len(seen)] = seen[name] + random.normal(0, 60, len(seen))
    found["photons"], found["precision_nm"] = 500, 50
    return found, there


@pytest.mark.parametrize("seed", range(3))
def test_without_a_border_all_agrees_with_the_cores_score(seed: int) -> None:
    found, there = random_case(seed)
    expected, reached = score(found, there), measure(compare(found, there, EVERYWHERE))
    assert (reached.matched, reached.spurious, reached.missed) == (expected.matched, expected.spurious, expected.missed)
    for name in ("jaccard", "rmse_lateral_nm", "within_one_sigma", "photon_ratio_median"):
        assert getattr(reached, name) == pytest.approx(getattr(expected, name))


def nearest_by_hand(found: Localizations, there: Truth) -> NDArray[Any]:
    nearest = []
    for row in found:
        here = there[there["frame"] == row["frame"]]
        distance = np.hypot(here["x_nm"] - float(row["x_nm"]), here["y_nm"] - float(row["y_nm"]))
        nearest.append(distance.min(initial=np.inf))
    return np.array(nearest)


def test_nearest_distances_are_those_that_a_loop_finds() -> None:
    found, there = random_case(7)
    found["frame"][:5] = 99  # a frame without emitters
    compared: Comparison = compare(found, there, EVERYWHERE)
    np.testing.assert_allclose(compared.reports["nearest_nm"], nearest_by_hand(found, there), atol=1e-3)
