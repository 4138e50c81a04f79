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

from cellstorm.analysis.summary import Analysis
from cellstorm.localizations import Localizations, empty
from cellstorm.reconstruction import Reconstruction
from cellstorm.rendering import annotated_png, widefield_png
from cellstorm.results import charts, html
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
    pictures = html.Pictures(annotated_png(snapshot.image, 20), widefield_png(widefield))
    report = Report.of(given or provenance(), localizations, snapshot, "gaussian")
    if analysis is not None:
        report = report.model_copy(update={"analysis": analysis})
    return html.page(report, localizations, frame_count, pictures)


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
    assert f"median; quartiles {charts.number(low)} and {charts.number(high)} nm" in text
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
    assert len(charts_shown) == 4
    assert all(chart["role"] == "img" and "Infinity" not in (chart["aria-label"] or "") for chart in charts_shown)
    assert "Histogram of photons: median" in (charts_shown[0]["aria-label"] or "")
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
    assert text.count("There are no localizations.") == 3
    assert not re.search(r"\bnan\b", text.lower())


def test_without_any_frame_there_is_a_page_all_the_same() -> None:
    nothing = provenance().model_copy(
        update={"frames_received": 0, "frames_lost": 0, "frames_damaged": 0, "frames_processed": 0, "recording_s": None}
    )
    assert "Frames received 0" in words(Reader(page(empty(), nothing, frame_count=0)).text)


def test_columns_that_are_not_known_leave_their_charts_out() -> None:
    table = star_localizations(100)
    table["photons"] = np.nan
    assert len(Reader(page(table)).all("svg")) == 3


def test_a_picture_that_is_too_large_is_carried_smaller() -> None:
    noise = np.random.default_rng(0).random((2000, 2000)).astype(np.float32)
    snapshot = Reconstruction(64, 64, 100, 20).snapshot()
    report = Report.of(provenance(), empty(), snapshot, "gaussian")
    large = annotated_png(noise, 20)
    assert len(large) > 2_000_000
    content = html.page(report, empty(), 50, html.Pictures(large, widefield_png(noise)))
    assert len(content) < 2_000_000
    source = Reader(content).all("img")[0]["src"] or ""
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
        assert picture.size in {(1400, 1400), (1000, 1000), (700, 700)}


def test_how_to_cite_is_what_the_citation_file_says() -> None:
    paper = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))["preferred-citation"]
    authors = ", ".join(f"{author['family-names']} {author['given-names'][0]}" for author in paper["authors"])
    place = f"{paper['journal']} {paper['volume']}({paper['issue']}): {paper['start']}"
    assert f"{authors} ({paper['year']}). {paper['title']}. {place}." == html.CITATION
    assert paper["doi"] == html.CITATION_DOI


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
    assert charts.number(value) == text.replace(" ", "\u202f")


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


def test_localizations_per_frame_are_means_even_where_the_last_group_is_short() -> None:
    frames = np.arange(301, dtype=np.uint32)  # 150 groups of at most three frames hold 301; each frame has one
    chart = charts.per_frame(frames, 301)
    assert chart is not None
    assert "1 at the start, 1 at the end, 1 at most" in chart.svg
