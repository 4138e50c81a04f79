"""Scoring against known truth."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from cellstorm.errors import InvalidInput
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.scoring import TRUTH, Truth, inside, read_truth, score, write_truth


def _table(rows: list[tuple[int, float, float]], precision_nm: float = 10.0, photons: float = 500.0) -> Localizations:
    table = np.zeros(len(rows), LOCALIZATION)
    for column, values in zip(("frame", "x_nm", "y_nm"), zip(*rows, strict=True), strict=True):
        table[column] = values
    table["precision_nm"] = precision_nm
    table["photons"] = photons
    return table


def _truth(rows: list[tuple[int, float, float, float, float]]) -> Truth:
    return np.array(rows, TRUTH)


def test_a_match_a_phantom_and_a_miss_are_counted() -> None:
    table = _table([(0, 1010, 1000), (0, 3000, 3000)])
    truth = _truth([(0, 1000, 1000, 1000, 1.0), (0, 5000, 5000, 1000, 1.0)])
    result = score(table, truth)
    assert (result.matched, result.spurious, result.missed) == (1, 1, 1)
    assert result.jaccard == pytest.approx(1 / 3)
    assert result.detection_precision == result.recall == 0.5
    assert result.rmse_lateral_nm == pytest.approx(10.0)
    assert result.photon_ratio_median == pytest.approx(0.5)


def test_emitters_on_for_a_moment_are_neither_missed_nor_wrong() -> None:
    truth = _truth([(0, 1000, 1000, 50, 0.1), (0, 4000, 4000, 50, 0.2)])
    result = score(_table([(0, 1000, 1000)]), truth)
    assert (result.matched, result.spurious, result.missed, result.dont_care) == (0, 0, 0, 1)


def test_matching_is_optimal_rather_than_greedy() -> None:
    # the nearest pair first would leave the other two 310 nm apart
    table = _table([(0, 1000, 0), (0, 1150, 0)])
    truth = _truth([(0, 1110, 0, 1, 1.0), (0, 840, 0, 1, 1.0)])
    assert score(table, truth).matched == 2


def test_many_far_pairs_are_as_good_as_one_and_none_is_given_up_for_another() -> None:
    places = 1e6 * np.arange(60)
    table = _table([(0, x + 19_000, 0) for x in places])
    truth = _truth([(0, x, 0, 1, 1.0) for x in places])
    assert score(table, truth, tolerance_nm=20_000).matched == 60


def test_another_frame_or_beyond_the_tolerance_is_no_match() -> None:
    truth = _truth([(3, 1000, 1000, 1000, 1.0)])
    assert score(_table([(2, 1000, 1000)]), truth).matched == 0
    assert score(_table([(3, 1201, 1000)]), truth).matched == 0
    assert score(_table([(3, 1199, 1000)]), truth).matched == 1


def test_stated_precision_is_compared_with_errors_less_their_mean() -> None:
    errors = np.array([5.0, 15.0, 5.0, 35.0]) + 40.0
    table = _table([(frame, 1000 + error, 0) for frame, error in enumerate(errors)], precision_nm=12.0)
    truth = _truth([(frame, 1000, 0, 1, 1.0) for frame in range(4)])
    assert score(table, truth).within_one_sigma == 0.75


def test_nothing_found_in_nothing_gives_no_figures() -> None:
    result = score(np.zeros(0, LOCALIZATION), np.zeros(0, TRUTH))
    assert result.jaccard == 0.0
    assert result.rmse_lateral_nm is None
    assert result.within_one_sigma is None


def test_rows_near_the_border_are_left_out() -> None:
    table = _table([(0, 299, 500), (0, 301, 500), (0, 500, 701)])
    assert inside(table, 1000, 1000, 300)["x_nm"].tolist() == [301]


def test_truth_survives_its_file(tmp_path: Path) -> None:
    truth = _truth([(0, 1000.25, 7.5, 312.7, 0.313), (4, 1, 2, 1000, 1.0)])
    write_truth(tmp_path / "truth.csv", truth)
    np.testing.assert_array_equal(read_truth(tmp_path / "truth.csv"), truth)


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("id,frame\n1,1\n")
    with pytest.raises(InvalidInput, match="frame,x_nm,y_nm,photons,on"):
        read_truth(tmp_path / "other.csv")


def test_it_agrees_with_the_reference_scorer(shared: Path) -> None:
    truth = read_truth(shared / "bench" / "p500.csv")
    rng = np.random.default_rng(1)
    found = truth[rng.random(len(truth)) < 0.8]
    table = _table(
        [(row["frame"], row["x_nm"] + rng.normal(0, 60), row["y_nm"] + rng.normal(0, 60)) for row in found], 50.0
    )
    reference = runpy.run_path(str(shared / "bench" / "score.py"))["score"](
        np.stack([table["frame"], table["x_nm"], table["y_nm"]], axis=1).astype(float),
        np.array(truth.tolist()),
        extra={"uncertainty_xy [nm]": table["precision_nm"], "intensity [photon]": table["photons"]},
    )
    result = score(table, truth)
    assert (result.matched, result.spurious, result.missed) == (reference["tp"], reference["fp"], reference["fn"])
    assert result.rmse_lateral_nm == pytest.approx(reference["rmse"], rel=1e-5)
    assert result.within_one_sigma == pytest.approx(reference["within_1_sigma_x"], abs=1e-3)
    assert result.photon_ratio_median == pytest.approx(reference["photon_ratio_median"], rel=1e-5)
