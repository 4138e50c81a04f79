from __future__ import annotations

import json

import numpy as np
import pytest

from cellstorm.localizations import Localizations, empty
from cellstorm.reconstruction import Reconstruction
from cellstorm.results.report import Report
from tests.fakes import plain_judge, provenance, star_localizations


def report_on(localizations: Localizations) -> Report:
    snapshot = Reconstruction(64, 64, 100, 20).add(localizations).snapshot()
    return Report.of(provenance(), localizations, snapshot, "gaussian", frame_count=50)


def test_the_figures_are_those_of_the_table() -> None:
    localizations = star_localizations(470)
    localizations["x_nm"][:3] = -500
    report = report_on(localizations)
    assert report.localizations == 470
    assert report.localizations_per_frame == pytest.approx(10)  # 47 frames were processed
    assert report.photons_median == pytest.approx(float(np.median(localizations["photons"])))
    assert report.precision_nm_median == pytest.approx(float(np.median(localizations["precision_nm"])))
    assert report.background_photons_median == pytest.approx(float(np.median(localizations["background_photons"])))
    assert report.frames_per_s == pytest.approx(10)
    assert report.reconstruction.localizations_outside == 3


def test_judged_probabilities_tell_how_many_are_expected_to_be_wrong() -> None:
    localizations = star_localizations(400)
    localizations["probability"] = np.where(np.arange(400) < 100, 0.4, 1.0)
    assert report_on(localizations).expected_wrong is None  # nobody has made them true
    judged = provenance()
    generator = judged.generator.model_copy(update={"judge": plain_judge()})
    judged = judged.model_copy(update={"generator": generator})
    snapshot = Reconstruction(64, 64, 100, 20).add(localizations).snapshot()
    report = Report.of(judged, localizations, snapshot, "gaussian", frame_count=50)
    assert report.expected_wrong == pytest.approx(0.15)


def test_without_localizations_medians_are_null_and_not_nan() -> None:
    written = json.loads(report_on(empty()).model_dump_json())
    assert written["localizations"] == written["localizations_per_frame"] == 0
    assert written["photons_median"] is written["precision_nm_median"] is None


def test_one_row_without_photons_does_not_hide_what_the_others_have() -> None:
    table = star_localizations(100)
    median = float(np.median(table["photons"][1:]))
    table["photons"][0] = np.nan
    assert report_on(table).photons_median == pytest.approx(median)


def test_without_frames_or_times_rates_are_null() -> None:
    nothing = provenance().model_copy(update={"frames_processed": 0, "processing_s": None})
    snapshot = Reconstruction(64, 64, 100, 20).snapshot()
    report = Report.of(nothing, empty(), snapshot, "histogram", frame_count=0)
    assert report.localizations_per_frame is report.frames_per_s is None


def test_the_json_tells_frames_model_and_settings_and_reads_back() -> None:
    report = report_on(star_localizations(100))
    text = report.model_dump_json()
    assert Report.model_validate_json(text) == report
    written = json.loads(text)
    assert [written[f"frames_{kind}"] for kind in ("received", "lost", "damaged", "processed")] == [48, 2, 1, 47]
    assert written["generator"]["sha256"] == "0" * 64
    assert written["generator"]["threshold"] == 0.7
    assert written["camera"]["calibrated"] is False
    assert written["roi"] == {"x": 8, "y": 16, "width": 64, "height": 64}
    assert written["created_at"] == "2026-11-22T12:00:00Z"
