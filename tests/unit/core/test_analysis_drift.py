from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.drift import Drift, corrected, measure_drift
from cellstorm.analysis.drift_live import drift_so_far
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations
from tests.fakes import blinking_localizations, filaments_and_rings_nm

FRAMES = 5000


def blinking_on_stage(x_nm: np.ndarray, y_nm: np.ndarray, per_frame: float, seed: int) -> Localizations:
    """Filaments and rings, 20 nm precision, on a stage that is at `x_nm` and `y_nm` in each frame."""
    places = filaments_and_rings_nm(int(len(x_nm) * per_frame / 10), seed=seed)
    table = blinking_localizations(places, len(x_nm), per_frame, precision_nm=20, seed=seed)
    table["x_nm"] += x_nm[table["frame"]]
    table["y_nm"] += y_nm[table["frame"]]
    return table


def drifting(per_frame: float = 15, seed: int = 1) -> tuple[Localizations, np.ndarray, np.ndarray]:
    """A stage that goes 100 nm to the right and 60 nm up, by no straight way."""
    way = np.linspace(0, 1, FRAMES)
    x_nm, y_nm = 100 * way + 15 * np.sin(7 * way), -60 * np.sqrt(way)
    return blinking_on_stage(x_nm, y_nm, per_frame, seed), x_nm, y_nm


def known(drift: Drift | Unknown) -> Drift:
    assert isinstance(drift, Drift), drift
    return drift


def error_nm(measured: np.ndarray, true: np.ndarray) -> float:
    """RMS along one axis; where zero lies is free, since a shift of the whole image is no blur."""
    return float(np.std(measured - true))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_left_of_a_drift_of_100_nm_is_under_5_nm_and_under_three_times_its_stated_error(seed: int) -> None:
    table, x_nm, y_nm = drifting(seed=seed)
    drift = known(measure_drift(table, FRAMES))
    assert np.hypot(error_nm(drift.x_nm, x_nm), error_nm(drift.y_nm, y_nm)) < 5
    assert error_nm(drift.x_nm, x_nm) < 3 * drift.uncertainty_x_nm < 15
    assert error_nm(drift.y_nm, y_nm) < 3 * drift.uncertainty_y_nm < 15
    assert drift.total_nm == pytest.approx(np.hypot(np.ptp(x_nm), np.ptp(y_nm)), abs=15)


def test_frames_in_which_nothing_was_localized_add_nothing_to_the_drift() -> None:
    table, _, _ = drifting()
    late = table.copy()
    late["frame"] += 50_000
    drift, usual = known(measure_drift(late, 60_000)), known(measure_drift(table, FRAMES))
    assert drift.x_nm[50_000 : 50_000 + FRAMES] == pytest.approx(usual.x_nm)
    assert (drift.x_nm[:50_000] == 0).all()
    assert (drift.x_nm[50_000 + FRAMES :] == drift.x_nm[50_000 + FRAMES - 1]).all()
    assert drift.total_nm == pytest.approx(usual.total_nm)
    assert corrected(late, drift)["x_nm"] == pytest.approx(corrected(table, usual)["x_nm"])


def test_a_stage_that_stands_still_is_told_to_stand_still() -> None:
    places = filaments_and_rings_nm(4000)
    drift = known(measure_drift(blinking_localizations(places, 1000, 15, precision_nm=20), 1000))
    assert np.std(drift.x_nm) < 1.5
    assert np.std(drift.y_nm) < 1.5


@pytest.mark.parametrize("total_nm", [0, 3, 10])
@pytest.mark.parametrize(("frame_count", "per_frame"), [(1000, 15), (2000, 4)])
def test_the_total_of_a_still_or_slow_sample_is_no_further_off_than_its_error_says(
    total_nm: float, frame_count: int, per_frame: float
) -> None:
    way = np.linspace(0, total_nm, frame_count)
    off, stated = [], []
    for seed in range(1, 9):
        drift = known(measure_drift(blinking_on_stage(0.8 * way, 0.6 * way, per_frame, seed), frame_count))
        off.append(drift.total_nm - total_nm)
        stated.append(drift.uncertainty_nm)
    assert max(stated) < 5
    assert np.max(np.abs(off) / stated) < 3
    assert np.sqrt(np.mean(np.square(off))) < 1.5 * np.sqrt(np.mean(np.square(stated)))


def test_correction_is_a_copy_in_which_emitters_stay_where_they_are() -> None:
    table, x_nm, y_nm = drifting()
    before = table.copy()
    straight = corrected(table, known(measure_drift(table, FRAMES)))
    np.testing.assert_array_equal(table, before)
    for name, true in (("x_nm", x_nm), ("y_nm", y_nm)):
        left = straight[name] - (before[name] - true[before["frame"]])
        assert np.std(left) < 3.5
    np.testing.assert_array_equal(straight["photons"], before["photons"])


def test_the_order_of_the_table_changes_nothing() -> None:
    table, _, _ = drifting(per_frame=2)
    shuffled = table[np.random.default_rng(3).permutation(len(table))]
    first, second = known(measure_drift(table, FRAMES)), known(measure_drift(shuffled, FRAMES))
    np.testing.assert_allclose(first.x_nm, second.x_nm, atol=0.01)
    assert first.uncertainty_nm == pytest.approx(second.uncertainty_nm, abs=0.01)


def test_few_localizations_are_too_few_and_it_is_said_how_many_are_needed() -> None:
    table, _, _ = drifting(per_frame=0.5)
    found = measure_drift(table, FRAMES)
    assert isinstance(found, Unknown)
    assert "3000 localizations or more" in found.reason


def test_without_structure_there_is_no_drift_and_no_wild_curve() -> None:
    table, _, _ = drifting(per_frame=4)
    random = np.random.default_rng(5)
    table["x_nm"], table["y_nm"] = random.uniform(0, 12_800, (2, len(table)))
    found = measure_drift(table, FRAMES)
    assert isinstance(found, Unknown)
    assert "too little structure" in found.reason


def test_localizations_of_one_frame_have_no_drift() -> None:
    table, _, _ = drifting(per_frame=4)
    table["frame"] = 7
    assert isinstance(measure_drift(table, FRAMES), Unknown)


def test_positions_that_are_not_numbers_do_no_harm() -> None:
    table, x_nm, _ = drifting(per_frame=4)
    table["x_nm"][::50] = np.nan
    assert error_nm(known(measure_drift(table, FRAMES)).x_nm, x_nm) < 5


@pytest.mark.parametrize("per_frame", [15, 100])
def test_drift_so_far_of_however_many_rows_is_under_5_nm_off(per_frame: float) -> None:
    table, x_nm, y_nm = drifting(per_frame)
    so_far = table[table["frame"] < 3000]
    drift = known(drift_so_far(np.random.default_rng(1).permutation(so_far), 3000))
    assert np.hypot(error_nm(drift.x_nm, x_nm[:3000]), error_nm(drift.y_nm, y_nm[:3000])) < 5
    assert drift.x_nm[-1] == pytest.approx(x_nm[2999], abs=8)
    assert drift.y_nm[-1] == pytest.approx(y_nm[2999] - y_nm[0], abs=15)  # the first frame itself moved fast


def test_before_there_is_enough_the_drift_so_far_says_so() -> None:
    table, _, _ = drifting()
    assert isinstance(drift_so_far(table[:2000], 200), Unknown)
