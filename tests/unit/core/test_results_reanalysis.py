from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellstorm.errors import InvalidInput
from cellstorm.localizations import empty
from cellstorm.results import thunderstorm
from cellstorm.results.folder import RECONSTRUCTION_PNG, REPORT, REPORT_HTML, TABLE_CSV, Results, write_results
from cellstorm.results.reanalysis import analyse_folder, analyse_table
from cellstorm.results.report import Report
from tests.fakes import blinking_localizations, filaments_and_rings_nm, provenance, star_localizations


def test_a_folder_analysed_again_says_the_same_and_keeps_everything_else(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    table = blinking_localizations(filaments_and_rings_nm(3000, 6400), 300, 20, precision_nm=20)
    write_results(folder, Results(table, np.ones((64, 64), np.uint32), 300, provenance()))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    old = Report.model_validate_json(before[REPORT])
    assert old.analysis.resolution_nm is not None
    report = analyse_folder(folder)
    assert report.analysis.resolution_nm == pytest.approx(old.analysis.resolution_nm, rel=0.01)
    assert report.model_copy(update={"analysis": old.analysis}) == old
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} <= {REPORT, REPORT_HTML}
    assert set(after) == set(before)


def test_another_programs_table_gets_a_report_that_claims_nothing_of_its_camera(tmp_path: Path) -> None:
    table = star_localizations(5000, frame_count=400)
    table["x_nm"] += 20_000  # a corner of a large field
    thunderstorm.write(tmp_path / "other.csv", table, 160.0)
    report = analyse_table(tmp_path / "other.csv", tmp_path / "out", pixel_size_nm=160.0)
    assert report.localizations == 5000
    assert report.roi.x == int(table["x_nm"].min() / 160 + 0.5)
    assert report.roi.width < 64
    assert report.reconstruction.localizations_outside == 0
    assert "camera" not in {finding.about for finding in report.analysis.verdict}
    page = (tmp_path / "out" / REPORT_HTML).read_text(encoding="utf-8")
    assert "Generator (model)" not in page
    assert "another program" in page
    assert page.count("<img") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [RECONSTRUCTION_PNG, REPORT_HTML, REPORT]
    assert Report.model_validate_json((tmp_path / "out" / REPORT).read_bytes()) == report


def test_a_table_whose_origin_is_the_middle_of_the_field_is_shown_whole(tmp_path: Path) -> None:
    table = star_localizations(5000, frame_count=400)
    for axis in ("x_nm", "y_nm"):
        table[axis] -= table[axis].mean()
    thunderstorm.write(tmp_path / "middle.csv", table, 160.0)
    report = analyse_table(tmp_path / "middle.csv", tmp_path / "out", pixel_size_nm=160.0)
    assert report.reconstruction.localizations_outside == 0
    assert (report.roi.x, report.roi.y) == (0, 0)


def test_what_cannot_be_analysed_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no complete result folder"):
        analyse_folder(tmp_path)
    thunderstorm.write(tmp_path / "empty.csv", empty(), 100.0)
    with pytest.raises(InvalidInput, match="no localizations"):
        analyse_table(tmp_path / "empty.csv", tmp_path / "out", pixel_size_nm=100.0)
    table = star_localizations(10)
    table["x_nm"][0] = 1e9
    thunderstorm.write(tmp_path / "wide.csv", table, 100.0)
    with pytest.raises(InvalidInput, match="check the table's units"):
        analyse_table(tmp_path / "wide.csv", tmp_path / "out", pixel_size_nm=100.0)
    assert TABLE_CSV not in {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "out").exists()
