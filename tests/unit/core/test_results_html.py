from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cellstorm.analysis.local_resolution import LocalResolution
from cellstorm.analysis.summary import Analysis
from cellstorm.camera_report import CameraFrames, CameraReport, LockReport
from cellstorm.localizations import Localizations, empty
from cellstorm.reconstruction import Reconstruction
from cellstorm.rendering import widefield_png
from cellstorm.results import charts, html, provenance_section
from cellstorm.results.numbers import number
from cellstorm.results.report import Provenance, Report
from tests.fakes import provenance, star_localizations

CHECKOUT = Path(__file__).parents[3]
VOID = {"meta", "img", "br", "line", "path"}


class Reader(HTMLParser):
    """What a browser would make of the page; an element that is closed wrongly fails."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(
    localizations: Localizations,
    given: Provenance | None = None,
    frame_count: int = 50,
    analysis: Analysis | None = None,
) -> str:
    snapshot = Reconstruction(64, 64, 100, 20).add(localizations).snapshot()
    widefield = np.random.default_rng(0).poisson(5000, (64, 64)).astype(np.uint32)
    report = Report.of(given or provenance(), localizations, snapshot, "gaussian", frame_count=frame_count)
    if analysis is not None:
        report = report.model_copy(update={"analysis": analysis})
    return html.page(report, localizations, frame_count, widefield_png(widefield))


def shown(content: str, place: int) -> Image.Image:
    """A picture of the page."""
    source = Reader(content).all("img")[place]["src"] or ""
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def words(text: str) -> str:
    """With every run of white space, narrow ones too, as one blank."""
    return re.sub(r"\s+", " ", text)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    content = page(star_localizations(470))
    reader = Reader(content)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "link", "iframe", "object", "form"}
    assert all((picture["src"] or "").startswith("data:image/png;base64,") for picture in reader.all("img"))
    assert re.findall(r'https?://[^"<]*', content) == ["https://doi.org/10.1371/journal.pone.0209827"]
    assert "default-src 'none'" in str(reader.all("meta"))
    assert len(content) < 200_000


def test_the_figures_are_those_of_the_report_and_the_table() -> None:
    table = star_localizations(4700)
    text = words(Reader(page(table)).text)
    assert "Localizations 4 700 100 per processed frame" in text
    assert "Frames received 48 " in text
    assert "Frames lost 2 sent, but never came: 2 of 50 (4 %)" in text
    assert "Frames damaged 1 " in text
    assert f"Photons {np.median(table['photons']):.0f} " in text
    low, high = np.percentile(table["precision_nm"], (25, 75))
    assert f"median; quartiles {number(low)} and {number(high)} nm" in text
    assert "0" * 64 in text
    assert "The camera is not calibrated" in text
    assert "h264" in text


def test_what_was_measured_stands_with_its_error_and_what_was_not_with_its_reason() -> None:
    measured = Analysis(
        resolution_nm=47.31,
        nena_precision_nm=11.62,
        nena_uncertainty_nm=0.4127,
        emitters_linked=1234,
        on_frames_median=2,
        linking_distance_nm=49.3,
        reasons={"drift_total_nm": "fewer than <3000> localizations"},
    )
    text = words(Reader(page(star_localizations(470), analysis=measured)).text)
    assert text.count("47.3 nm") == 2  # among the key figures, too
    assert "Precision by neighbours 11.6 \u00b1 0.41 nm" in text
    assert "Emitters 1 234 after linking within 49.3 nm; on for 2 frames" in text
    assert "Drift not known fewer than <3000> localizations" in text


def test_a_calibrated_camera_and_a_whole_recording_need_no_warning() -> None:
    camera = provenance().camera.model_copy(update={"calibrated": True})
    whole = provenance().model_copy(update={"camera": camera, "frames_lost": 0, "frames_damaged": 0})
    assert 'class="note"' not in page(star_localizations(100), whole)


def test_names_and_facts_from_outside_are_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
    given = provenance().model_copy(
        update={
            "name": evil,
            "source": {evil: evil, "nested": {"<b>": [evil]}, "encoder": evil},
            "acquisition_id": evil,
        }
    )
    generator = given.generator.model_copy(update={"name": evil, "version": evil})
    reader = Reader(page(star_localizations(10), given.model_copy(update={"generator": generator})))
    assert not reader.all("script")
    assert len(reader.all("img")) == 2
    assert reader.text.count("<script>alert(1)</script>") >= 6


def test_pictures_and_charts_have_words_for_those_who_cannot_see_them() -> None:
    reader = Reader(page(star_localizations(470)))
    assert all(picture["alt"] for picture in reader.all("img"))
    charts_shown = reader.all("svg")
    assert len(charts_shown) == 9  # four distributions, four over time, on-times
    assert all(chart["role"] == "img" and "Infinity" not in (chart["aria-label"] or "") for chart in charts_shown)
    assert "Histogram of photons: median" in (charts_shown[0]["aria-label"] or "")
    tables = [attributes for attributes in reader.all("details") if attributes["class"] == "values"]
    assert len(tables) == len(charts_shown)
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert reader.all("html")[0]["lang"] == "en"


def test_the_same_report_gives_the_same_bytes() -> None:
    assert page(star_localizations(200)) == page(star_localizations(200))


def test_without_localizations_what_is_not_known_is_said_so() -> None:
    text = words(Reader(page(empty())).text)
    assert "No molecule was found" in text
    assert "Precision not known" in text
    assert text.count("There are no localizations.") == 7  # four distributions, and what has a median over time
    assert not re.search(r"\bnan\b", text.lower())


def test_without_any_frame_there_is_a_page_all_the_same() -> None:
    nothing = provenance().model_copy(
        update={"frames_received": 0, "frames_lost": 0, "frames_damaged": 0, "frames_processed": 0, "recording_s": None}
    )
    assert "Frames received 0" in words(Reader(page(empty(), nothing, frame_count=0)).text)


def test_columns_that_are_not_known_leave_their_charts_out() -> None:
    table = star_localizations(100)
    table["photons"] = np.nan
    assert len(Reader(page(table)).all("svg")) == len(Reader(page(star_localizations(100))).all("svg")) - 2


def test_a_picture_that_is_too_large_is_carried_smaller() -> None:
    noise = np.random.default_rng(0).random((2000, 2000)).astype(np.float32)
    snapshot = Reconstruction(64, 64, 100, 20).snapshot()
    report = Report.of(provenance(), empty(), snapshot, "gaussian", frame_count=50)
    large = widefield_png(noise)
    assert len(large) > 2_000_000
    content = html.page(report, empty(), 50, large)
    assert len(content) < 2_000_000
    assert shown(content, 1).size in {(1400, 1400), (1000, 1000), (700, 700)}


@pytest.mark.parametrize("side_px", [64, 512])
def test_single_molecules_are_seen_in_the_reconstruction_however_large_the_field_is(side_px: int) -> None:
    table = star_localizations(300)
    for axis in ("x_nm", "y_nm"):
        table[axis] *= side_px / 64
    snapshot = Reconstruction(side_px, side_px, 100, 20).add(table).snapshot()
    report = Report.of(provenance(side_px), table, snapshot, "gaussian", frame_count=50)
    picture = shown(html.page(report, table, 50, widefield_png(np.eye(side_px))), 0).convert("RGB")
    on_page = np.asarray(picture.resize((330, 330), Image.Resampling.BOX)).max(axis=2)[
        :300, :200
    ]  # without the scale bar
    assert np.percentile(on_page[on_page > 0], 90) > 120


def test_how_to_cite_is_what_the_citation_file_says() -> None:
    paper = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))["preferred-citation"]
    authors = ", ".join(f"{author['family-names']} {author['given-names'][0]}" for author in paper["authors"])
    place = f"{paper['journal']} {paper['volume']}({paper['issue']}): {paper['start']}"
    assert f"{authors} ({paper['year']}). {paper['title']}. {place}." == provenance_section.CITATION
    assert paper["doi"] == provenance_section.CITATION_DOI


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (9.5512, "9.55"),
        (14.0, "14"),
        (100.0, "100"),
        (999.6, "1 000"),
        (1234567, "1 234 567"),
    ],
)
def test_numbers_have_three_digits_and_narrow_spaces(value: float, text: str) -> None:
    assert number(value) == text.replace(" ", "\u202f")


@pytest.mark.parametrize("value", [-3.0, 0.0, 7.0])
def test_a_histogram_of_one_value_alone_is_drawn(value: float) -> None:
    chart = charts.histogram(np.full(5, value), "offset", "nm")
    assert chart is not None
    assert chart.beyond == 0
    assert "nan" not in chart.svg


def test_a_histogram_tells_how_many_lie_beyond_its_axis() -> None:
    values = np.append(np.full(1000, 10.0), [1e6, np.inf, np.nan])
    chart = charts.histogram(values, "photons", "")
    assert chart is not None
    assert chart.beyond == 1


def test_a_line_is_broken_where_there_is_no_value_and_told_in_words() -> None:
    chart = charts.lines([0, 1, 2, 3, 4], [charts.Line("photons", (3.0, 5.0, None, 4.0, 4.0))], ("frame", "photons"))
    assert chart is not None
    path = re.findall(r'class="line first" d="([^"]*)"', chart.svg)[0]
    assert path.count("M") == 2
    assert path.count("L") == 2
    assert "3 at the start, 4 at the end, from 3 to 5" in chart.svg
    assert chart.rows[2] == ("2", "not known")
    assert charts.lines([0, 1], [charts.Line("photons", (None, None))], ("frame", "photons")) is None


def test_a_map_tells_its_tiles_and_which_are_not_known() -> None:
    local = LocalResolution(
        left_nm=0, top_nm=0, tile_nm=2000, resolution_nm=((50.0, None), (80.0, 60.0)), median_nm=60.0
    )
    chart = charts.resolution_map(local)
    assert chart is not None
    assert "2 rows of 2 tiles: from 50 to 80 nm, not known in 1 tiles" in chart.svg
    assert chart.rows == (("1", "50", "not known"), ("2", "80", "60"))
    nothing = local.model_copy(update={"resolution_nm": ((None, None),)})
    assert charts.resolution_map(nothing) is None


def test_findings_stand_first_and_in_their_order() -> None:
    text = words(Reader(page(star_localizations(470))).text)
    said = ("Key figures", "There are only 470 localizations", "The camera is not calibrated", "Distributions")
    places = [text.index(part) for part in said]
    assert places == sorted(places)


def test_what_the_phone_told_of_its_camera_stands_among_the_settings() -> None:
    told = CameraReport(
        device="<b>Phone</b>",
        camera="back camera",
        width=1920,
        height=1080,
        crop_x=0,
        crop_y=4,
        crop_side=512,
        luma="exact",
        frame_rate=29.97,
        preset=None,
        locks={
            "iso": LockReport(state="locked", value=800, wanted=800),
            "exposure_time": LockReport(state="drifting", value=333, wanted=300),
        },
        frames=CameraFrames(seen=100, skipped=2, repeated=1, left_out=0, sent=97, missed=0),
        link_losses=0,
    )
    text = words(Reader(page(star_localizations(10), provenance().model_copy(update={"camera_report": told}))).text)
    assert "Phone <b>Phone</b>" in text
    assert "1920 \u00d7 1080 px, 30 frames per second as measured" in text
    assert "iso 800: locked; exposure time 333 (wanted 300): drifting" in text
    assert "100 seen, 97 sent, 2 skipped" in text
