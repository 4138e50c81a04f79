from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.analysis.resolution import ring_correlation
from cellstorm.localizations import LOCALIZATION, Localizations, concatenate, empty
from tests.fakes import blinking_localizations, filaments_and_rings_nm


def seen_often(per_half: float, precision_nm: float, emitters: int = 3000, side_nm: float = 6000) -> Localizations:
    """Emitters at random places, each localized a Poisson number of times, on average twice `per_half`."""
    random = np.random.default_rng(1)
    places = random.uniform(0, side_nm, (emitters, 2))
    of = random.integers(0, emitters, random.poisson(2 * per_half * emitters))
    table = np.zeros(len(of), LOCALIZATION)
    table["x_nm"], table["y_nm"] = (places[of] + random.normal(0, precision_nm, (len(of), 2))).T
    table["frame"] = random.integers(0, 5000, len(of))
    table["precision_nm"] = precision_nm
    return table


@pytest.mark.parametrize(
    ("per_half", "precision_nm"), [(10, 20), (3, 20), (1, 20), (5, 10), (5, 40), (30, 20)]
)  # fmt: skip
def test_the_resolution_of_emitters_seen_often_is_the_one_that_follows_from_precision(
    per_half: float, precision_nm: float
) -> None:
    known_nm = 2 * np.pi * precision_nm / np.sqrt(np.log(6 * per_half))  # derived in resolution.py
    found = ring_correlation(seen_often(per_half, precision_nm))
    assert found.resolution_nm == pytest.approx(known_nm, rel=0.1)


def transform(places_nm: NDArray[np.float64], frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The Fourier sum over points themselves, without pixels, window or FFT; frequencies (n, 2) per nm."""
    return np.array([np.exp(-2j * np.pi * (places_nm @ frequency)).sum() for frequency in frequencies])


def test_on_filaments_and_rings_it_agrees_with_fourier_sums_over_the_points_themselves() -> None:
    table = blinking_localizations(filaments_and_rings_nm(4000), 5000, 8, precision_nm=15)
    random = np.random.default_rng(2)
    second = random.permutation(np.arange(5000) // 100 % 2 == 1)[table["frame"] // 100 * 100]
    places = np.stack([table["x_nm"], table["y_nm"]], axis=1).astype(np.float64)
    frequency = np.arange(1 / 90, 1 / 25, 1 / 1500)
    angles = random.uniform(0, np.pi, 24)
    correlation = []
    for q in frequency:
        ring = q * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        one, two = transform(places[~second], ring), transform(places[second], ring)
        correlation.append((one * two.conj()).real.sum() / np.sqrt((abs(one) ** 2).sum() * (abs(two) ** 2).sum()))
    smooth = np.convolve(correlation, np.ones(7) / 7, mode="same")
    crossing_nm = 1 / frequency[np.flatnonzero(smooth[3:-3] < 1 / 7)[0] + 3]
    assert ring_correlation(table).resolution_nm == pytest.approx(crossing_nm, rel=0.1)


def test_the_same_seed_gives_the_same_curve_and_another_a_near_one() -> None:
    table = seen_often(5, 20)
    first, again, other = (ring_correlation(table, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.correlation, again.correlation)
    assert first.correlation.tolist() != other.correlation.tolist()
    assert other.resolution_nm == pytest.approx(first.resolution_nm, rel=0.1)
    assert first.block_frames in (99, 100)


def test_pixel_size_and_a_field_that_is_not_square_change_little() -> None:
    table = seen_often(5, 20)
    whole, coarse = ring_correlation(table), ring_correlation(table, pixel_nm=16)
    strip = ring_correlation(table[table["y_nm"] < 2000])
    assert coarse.pixel_nm == 16
    assert coarse.resolution_nm == pytest.approx(whole.resolution_nm, rel=0.08)
    assert strip.resolution_nm == pytest.approx(whole.resolution_nm, rel=0.1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("height_nm", [40_000, 1250])
def test_chance_has_no_resolution_in_a_narrow_field_either(seed: int, height_nm: float) -> None:
    random = np.random.default_rng(seed)
    table = np.zeros(3000, LOCALIZATION)
    table["x_nm"] = random.uniform(0, 40_000, len(table))
    table["y_nm"] = random.uniform(0, height_nm, len(table))
    table["frame"] = random.integers(0, 2000, len(table))
    table["precision_nm"] = 20
    assert ring_correlation(table).resolution_nm is None
    table[["x_nm", "y_nm"]] = table[["y_nm", "x_nm"]]
    assert ring_correlation(table).resolution_nm is None


@pytest.mark.parametrize("seed", range(5))
def test_chance_has_no_resolution(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = np.zeros(10_000, LOCALIZATION)
    table["x_nm"], table["y_nm"] = random.uniform(0, 12_800, (2, len(table)))
    table["frame"] = random.integers(0, 2000, len(table))
    table["precision_nm"] = 20
    found = ring_correlation(table)
    assert found.resolution_nm is None
    assert "too little structure" in str(found.reason)
    assert len(found.frequency_per_nm) == len(found.correlation) == len(found.smoothed) > 100


def test_detail_finer_than_the_pixels_has_no_resolution_that_could_be_told() -> None:
    found = ring_correlation(seen_often(30, 5), pixel_nm=25)
    assert found.resolution_nm is None
    assert "finest detail" in str(found.reason)


def test_of_a_field_too_wide_for_fine_pixels_the_densest_part_is_told() -> None:
    fine, wide = seen_often(30, 5), seen_often(30, 5)
    for axis in ("x_nm", "y_nm"):
        fine[axis] += 60_000 - fine[axis].min()
    corners = wide[:100].copy()
    corners["x_nm"], corners["y_nm"] = np.linspace(0, 200_000, 100), np.linspace(0, 200_000, 100)
    found, alone = ring_correlation(concatenate([fine, corners])), ring_correlation(wide)
    assert alone.resolution_nm is not None
    assert found.resolution_nm == pytest.approx(alone.resolution_nm, rel=0.1)


@pytest.mark.parametrize("table", [empty(), seen_often(5, 20)[:999]], ids=["none", "few"])
def test_few_localizations_are_too_few(table: Localizations) -> None:
    found = ring_correlation(table)
    assert found.resolution_nm is None
    assert "1000 localizations" in str(found.reason)
    assert not len(found.correlation)


def test_all_in_one_place_or_one_frame_is_no_error() -> None:
    table = seen_often(5, 20)
    table["frame"] = 3
    assert ring_correlation(table).resolution_nm is None
    table["x_nm"] = table["y_nm"] = 5
    assert ring_correlation(table).resolution_nm is None


def test_a_real_table_has_the_resolution_that_picasso_tells(shared: Path) -> None:
    """Picasso 0.11.3's own figure, with the halves dealt out by localization (two seeds): 493 and 478 nm.

    The table holds each molecule once, so this is how far apart EGFR clusters are told, not the precision of 0.5 nm.
    """
    pixel_size_nm = 130.0  # as it was taken for Picasso's figures; the table comes without its own
    with h5py.File(shared / "real" / "table_picasso_egfr.hdf5") as file:
        rows = file["locs"][:]
    table = np.zeros(len(rows), LOCALIZATION)
    table["frame"], table["precision_nm"] = rows["frame"], rows["lpx"] * pixel_size_nm
    table["x_nm"], table["y_nm"] = rows["x"] * pixel_size_nm, rows["y"] * pixel_size_nm
    found = [ring_correlation(table, pixel_nm=30, seed=seed).resolution_nm for seed in range(5)]
    assert np.median([nm for nm in found if nm is not None]) == pytest.approx(485, rel=0.1)
    assert None not in found
