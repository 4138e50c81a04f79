from __future__ import annotations

import json

import pytest

from cellstorm.analysis.summary import Analysis, Circumstances
from cellstorm.localizations import empty
from cellstorm.roi import RegionOfInterest
from tests.fakes import blinking_localizations, filaments_and_rings_nm


def test_a_recording_of_structure_gets_all_figures_and_needs_no_reasons() -> None:
    table = blinking_localizations(filaments_and_rings_nm(3000), 1000, 20, precision_nm=20)
    given = Circumstances(1000, RegionOfInterest(x=0, y=0, width=128, height=128), 100.0)
    analysis = Analysis.of(table, given)
    assert analysis.reasons == {}
    assert analysis.nena_precision_nm == pytest.approx(20, rel=0.1)
    assert analysis.resolution_nm == pytest.approx(75, abs=25)
    assert analysis.drift_total_nm == pytest.approx(0, abs=15)
    assert analysis.drift_uncertainty_nm == pytest.approx(0, abs=5)
    assert analysis.emitters_linked == pytest.approx(len(table) / 3, rel=0.1)
    assert analysis.on_frames_median == 2  # of a geometric distribution with a mean of 3
    assert analysis.linking_distance_nm == pytest.approx(85, rel=0.1)
    assert analysis.local_resolution is not None
    assert analysis.grid is not None
    assert analysis.drift is not None
    assert analysis.blinking is not None
    assert [finding.about for finding in analysis.verdict] == ["crowd"]  # 20 a frame on a dozen lines
    assert Analysis.of(table, given) == analysis
    assert Analysis.model_validate_json(analysis.model_dump_json()) == analysis


def test_what_cannot_be_told_is_null_with_a_reason_and_not_nan() -> None:
    written = json.loads(Analysis.of(empty()).model_dump_json())
    reasons = written.pop("reasons")
    assert [finding["about"] for finding in written.pop("verdict")] == ["nothing"]
    assert written.pop("over_time")["localizations_per_frame"] == [0]
    assert set(written.values()) == {None}
    assert set(reasons) == {
        "resolution_nm",
        "nena_precision_nm",
        "drift_total_nm",
        "emitters_linked",
        "local_resolution",
        "grid",
    }
    assert all(reasons.values())


def test_above_a_limit_what_would_take_long_is_left_out_and_said_so() -> None:
    table = blinking_localizations(filaments_and_rings_nm(3000), 1000, 20, precision_nm=20)
    analysis = Analysis.of(table, max_rows=1000)
    assert analysis.resolution_nm is not None
    assert analysis.nena_precision_nm is analysis.drift_total_nm is analysis.emitters_linked is None
    assert "left out" in analysis.reasons["drift_total_nm"]


def test_a_table_without_precisions_is_analysed_too() -> None:
    table = blinking_localizations(filaments_and_rings_nm(3000), 300, 15, precision_nm=20)
    table["precision_nm"] = float("nan")
    analysis = Analysis.of(table)
    assert analysis.resolution_nm == pytest.approx(85, abs=25)
    assert analysis.linking_distance_nm == pytest.approx(85, rel=0.1)
