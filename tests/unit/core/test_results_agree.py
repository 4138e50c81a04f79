"""Every figure of the report agrees with the table beside it: all are computed anew from localizations.csv."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from cellstorm.analysis.drift import Drift, measure_drift
from cellstorm.analysis.linking import link
from cellstorm.analysis.precision import Nena, nena_precision
from cellstorm.analysis.resolution import ring_correlation
from cellstorm.localizations import Localizations
from cellstorm.results import picasso, thunderstorm
from cellstorm.results.folder import REPORT, REPORT_HTML, TABLE_CSV, TABLE_HDF5, Results, write_results
from cellstorm.results.numbers import count, number
from cellstorm.results.report import Report
from tests.fakes import blinking_localizations, filaments_and_rings_nm, provenance

FRAMES = 1000
SIDE_PX = 128


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agree") / "results"
    given = provenance(side_px=SIDE_PX).model_copy(
        update={"frames_received": FRAMES, "frames_lost": 0, "frames_damaged": 0, "frames_processed": FRAMES}
    )
    table = blinking_localizations(filaments_and_rings_nm(3000), FRAMES, 20, precision_nm=20)
    table["precision_nm"] = np.random.default_rng(1).uniform(15, 25, len(table))
    write_results(path, Results(table, np.ones((SIDE_PX, SIDE_PX), np.uint32), FRAMES, given))
    return path


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return Report.model_validate_json((folder / REPORT).read_bytes())


@pytest.fixture(scope="module")
def columns(folder: Path) -> dict[str, np.ndarray]:
    """The table as another program would read it."""
    with (folder / TABLE_CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def table(folder: Path) -> Localizations:
    return thunderstorm.read(folder / TABLE_CSV, 100.0).localizations


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    page = (folder / REPORT_HTML).read_text(encoding="utf-8").partition("<main>")[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def test_counts_and_medians_are_those_of_the_csv(report: Report, columns: dict[str, np.ndarray]) -> None:
    assert report.localizations == len(columns["frame"])
    assert report.localizations_per_frame == pytest.approx(len(columns["frame"]) / FRAMES)
    assert report.photons_median == pytest.approx(np.median(columns["intensity [photon]"]), rel=1e-3)
    assert report.background_photons_median == pytest.approx(np.median(columns["offset [photon]"]), rel=1e-3)
    assert report.precision_nm_median == pytest.approx(np.median(columns["uncertainty_xy [nm]"]), rel=1e-3)


def test_what_was_measured_comes_out_again_from_the_csv(report: Report, table: Localizations) -> None:
    analysis = report.analysis
    assert analysis.resolution_nm == pytest.approx(ring_correlation(table).resolution_nm, rel=0.01)
    nena, drift = nena_precision(table), measure_drift(table, FRAMES)
    assert isinstance(nena, Nena)
    assert isinstance(drift, Drift)
    assert analysis.nena_precision_nm == pytest.approx(nena.precision_nm, rel=0.01)
    assert analysis.drift_total_nm == pytest.approx(drift.total_nm, abs=0.5)
    assert analysis.linking_distance_nm is not None
    linked = link(table, analysis.linking_distance_nm)
    assert analysis.emitters_linked == pytest.approx(len(linked.table), rel=1e-3)
    assert analysis.on_frames_median == np.median(linked.on_frames)
    assert analysis.blinking is not None
    assert analysis.blinking.on_frames_mean == pytest.approx(linked.on_frames.mean(), rel=1e-3)
    assert sum(analysis.blinking.by_on_frames) == analysis.blinking.blinks == analysis.emitters_linked


def test_curves_over_time_are_those_of_the_csv(report: Report, columns: dict[str, np.ndarray]) -> None:
    time = report.analysis.over_time
    assert time is not None
    group = (columns["frame"].astype(int) - 1) // time.frames_each
    frames = np.minimum(time.frames_each, FRAMES - time.frames_each * np.arange(len(time.localizations_per_frame)))
    np.testing.assert_allclose(
        np.array(time.localizations_per_frame, np.float64), np.bincount(group) / frames, rtol=1e-4
    )
    for index in (0, 50, len(frames) - 1):
        photons = columns["intensity [photon]"][group == index]
        assert time.photons_median[index] == pytest.approx(np.median(photons), rel=1e-3)


def test_the_page_says_what_the_report_says(report: Report, text: str) -> None:
    analysis = report.analysis
    assert analysis.resolution_nm is not None
    assert analysis.nena_precision_nm is not None
    assert analysis.drift_total_nm is not None
    assert analysis.emitters_linked is not None
    assert report.photons_median is not None
    assert report.precision_nm_median is not None
    plain = text.replace("\u202f", " ")
    for shown in (
        f"Localizations {count(report.localizations)}",
        f"Localization precision {number(report.precision_nm_median)} nm",
        f"Photons {number(report.photons_median)}",
        f"Resolution {number(analysis.resolution_nm)} nm",
        f"Precision by neighbours {number(analysis.nena_precision_nm)} ",
        f"Drift {number(analysis.drift_total_nm)} ",
        f"Emitters {count(analysis.emitters_linked)}",
        *(finding.says for finding in analysis.verdict),
    ):
        assert shown.replace("\u202f", " ") in plain


def test_charts_are_drawn_from_the_report(folder: Path, report: Report) -> None:
    page = (folder / REPORT_HTML).read_text(encoding="utf-8")
    curve = report.analysis.drift
    assert curve is not None
    figure = page[page.index("Where the sample was") :]
    rows = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td></tr>", figure.partition("</table>")[0])
    assert len(rows) > 5
    for frame, x_nm, y_nm in rows:
        place = curve.frame.index(float(frame.replace("\u202f", "")))
        assert (x_nm, y_nm) == (number(curve.x_nm[place]), number(curve.y_nm[place]))


def test_all_tables_hold_the_same_rows(folder: Path, table: Localizations) -> None:
    other, _ = picasso.read(folder / TABLE_HDF5)
    assert len(other) == len(table)
    np.testing.assert_allclose(other["x_nm"], table["x_nm"], atol=0.01)
    assert json.loads((folder / REPORT).read_text())["localizations"] == len(table)
