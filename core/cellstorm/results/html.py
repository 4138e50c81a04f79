"""report.html: what came out and how, in one file that opens anywhere; for a thesis's appendix and a student's protocol.

Pictures first, then figures, then all that is needed to do it again. It holds no script and loads nothing, and every
text in it that came from a person or a file is escaped. The same report, table and pictures give the same bytes.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Final

import numpy as np
from PIL import Image
from pydantic import JsonValue

from cellstorm.analysis.summary import Analysis
from cellstorm.localizations import Localizations
from cellstorm.results import charts
from cellstorm.results.charts import number
from cellstorm.results.report import Report

_MAX_EMBEDDED_BYTES: Final = 700_000
"""Of one picture; base64 makes a third more of it, and two of them stay below 2 MB."""
_PRINTED_PX: Final = (1400, 1000, 700)
"""Across half of an A4 page: over 400, 300 or 200 to the inch, whichever is the first to fit."""
_PIXELATED_PX: Final = 400
"""Narrower pictures are drawn with the edges of their pixels, not blurred."""
_WIDE: Final = 1.7
"""Pictures of such an aspect stand below each other instead of side by side."""

_LONG: Final = 100
"""Characters; a longer text is for machines and stands in small type."""

_UNKNOWN: Final = "not known"
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Should anything ever slip through the escaping, a browser will neither run nor load it."""

_UNITS: Final = {"_kbps": "kbit/s", "_nm": "nm", "_px": "px", "_bytes": "bytes", "_s": "s"}
_NAMES: Final = {"fps": "frame rate", "kind": "came as"}

CITATION: Final = (
    "Diederich B, Then P, Jügler A, Förster R, Heintzmann R (2019). cellSTORM—Cost-effective super-resolution on a "
    "cellphone using dSTORM. PLOS ONE 14(1): e0209827."
)
CITATION_DOI: Final = "10.1371/journal.pone.0209827"


@dataclass(frozen=True, slots=True)
class Pictures:
    """The PNGs of the result folder, as bytes."""

    reconstruction: bytes
    widefield: bytes


def page(report: Report, localizations: Localizations, frame_count: int, pictures: Pictures) -> str:
    """The page, of a report and of the table and pictures that it is about."""
    title = escape(report.name)
    css = (files("cellstorm.results") / "report.css").read_text(encoding="utf-8")
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title} · cellSTORM report</title>\n<style>\n{css}</style>\n</head>\n<body>",
            f"<header>\n<h1>{title}</h1>\n<p>Super-resolution image by single-molecule localization, "
            f"{_time(report.created_at)} · cellSTORM {escape(report.software_version)}</p>\n</header>\n<main>",
            _pictures(report, pictures),
            _key_figures(report),
            _verdict(report),
            _numbers(report, localizations),
            _charts(localizations, frame_count),
            _settings(report),
            _citation(report),
            "</main>\n<footer>Every figure and picture here is computed from the localizations in localizations.csv; "
            "report.json holds the same for programs. Positions count from the centre of the region's first pixel in "
            "localizations.hdf5, from its corner in localizations.csv and localizations.smlm.</footer>\n</body>\n</html>\n",
        )
    )


def _pictures(report: Report, pictures: Pictures) -> str:
    roi, pixel_nm = report.roi, report.pixel_size_nm
    field = f"{number(roi.width * pixel_nm / 1000)} \u00d7 {number(roi.height * pixel_nm / 1000)} µm"
    drawn = report.reconstruction
    how = "each drawn as wide as its own precision" if drawn.method == "gaussian" else "counted in each pixel"
    reconstruction = (
        f"<b>Reconstruction</b> of {_count(report.localizations - drawn.localizations_outside)} localizations, {how}; "
        f"pixels of {number(drawn.output_pixel_nm)} nm, field of {field}, scale bar in the picture."
    )
    widefield = (
        f"<b>Widefield</b>: the sum of {_count(report.frames_processed)} frames, pixels of {number(pixel_nm)} nm. "
        "The same field as the microscope shows it without localization."
    )
    layout = "pictures wide" if roi.width > _WIDE * roi.height else "pictures"
    return (
        f'<section class="{layout}" aria-label="Pictures">\n'
        + _figure(pictures.reconstruction, "Super-resolution reconstruction with a scale bar", reconstruction)
        + _figure(pictures.widefield, "Widefield image of the same field", widefield)
        + "</section>"
    )


def _figure(png: bytes, alternative: str, caption: str) -> str:
    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
        kind = ' class="few"' if width < _PIXELATED_PX else ""
    source = _data_uri(png)
    return (
        f'<figure><img{kind} src="{source}" width="{width}" height="{height}" alt="{escape(alternative)}">'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _data_uri(png: bytes) -> str:
    """The picture itself; where that is too large to carry along, a smaller one that prints as well."""
    if len(png) <= _MAX_EMBEDDED_BYTES:
        return "data:image/png;base64," + base64.b64encode(png).decode()
    with Image.open(io.BytesIO(png)) as picture:
        colours = picture.convert("RGB")
    for side in _PRINTED_PX:
        buffer = io.BytesIO()
        colours.thumbnail((side, side), Image.Resampling.BOX)  # a mean: molecules do not ring
        colours.save(buffer, "JPEG", quality=88)
        if buffer.tell() <= _MAX_EMBEDDED_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _key_figures(report: Report) -> str:
    figures = (
        ("Localizations", _count(report.localizations), f"in {_count(report.frames_processed)} frames"),
        ("Localization precision", _known(report.precision_nm_median, "nm"), "median, one sigma"),
        ("Photons", _known(report.photons_median), "median per localization" + _rough(report)),
        ("Resolution", _known(report.analysis.resolution_nm, "nm"), "Fourier ring correlation, 1/7"),
    )
    cells = (
        f"<div><dt>{name}</dt><dd{_class_if_unknown(value)}>{value}<small>{remark}</small></dd></div>"
        for name, value, remark in figures
    )
    return f'<h2>Key figures</h2>\n<dl class="key">{"".join(cells)}</dl>'


def _class_if_unknown(value: str) -> str:
    return ' class="unknown"' if value == _UNKNOWN else ""


def _rough(report: Report) -> str:
    return "" if report.camera.calibrated else ", rough"


def _frames_sent(report: Report) -> int:
    return report.frames_received + report.frames_lost


def _verdict(report: Report) -> str:
    """What a reader must know before he trusts the figures."""
    notes = []
    if not report.camera.calibrated:
        notes.append(
            "The camera is not calibrated: its gain and offset are those of a preset, so photons, background and the "
            "precision that follows from them are rough."
        )
    if report.frames_lost or report.frames_damaged:
        notes.append(
            f"{_share(report.frames_lost, _frames_sent(report))} of the frames were lost on the way and "
            f"{_share(report.frames_damaged, _frames_sent(report))} came damaged; nothing was localized in them."
        )
    if not report.localizations:
        notes.append("No molecule was found: check focus, exposure and the model's threshold.")
    return "\n".join(f'<p class="note">{note}</p>' for note in notes)


def _numbers(report: Report, table: Localizations) -> str:
    sent = _frames_sent(report)
    rows = [
        ("Frames received", _count(report.frames_received), "damaged ones included"),
        ("Frames lost", _count(report.frames_lost), f"sent, but never came: {_share(report.frames_lost, sent)}"),
        ("Frames damaged", _count(report.frames_damaged), "came, but cannot be decoded or refer to lost ones"),
        ("Frames processed", _count(report.frames_processed), _speed(report)),
        ("Localizations", _count(report.localizations), _where(report)),
        ("Precision", _known(report.precision_nm_median, "nm"), _quartiles(table, "precision_nm", "nm")),
        ("Photons", _known(report.photons_median), _quartiles(table, "photons", "")),
        ("Background", _known(report.background_photons_median, "photons"), "median, per camera pixel"),
        (
            "Width of a spot",
            _median(table, "psf_sigma_nm", "nm"),
            _quartiles(table, "psf_sigma_nm", "nm", "median, one sigma"),
        ),
        *_analysis(report.analysis),
    ]
    cells = (
        f'<tr><th scope="row">{name}</th><td class="value">{value}</td><td class="remark">{remark}</td></tr>'
        for name, value, remark in rows
    )
    return f"<h2>In numbers</h2>\n<table>{''.join(cells)}</table>"


def _analysis(analysis: Analysis) -> Iterable[tuple[str, str, str]]:
    """What was measured, and where that could not be done the reason."""
    on_frames, within_nm = _known(analysis.on_frames_median), _known(analysis.linking_distance_nm, "nm")
    figures = (
        (
            "Resolution",
            "resolution_nm",
            _known(analysis.resolution_nm, "nm"),
            "Fourier ring correlation, first crossing of 1/7",
        ),
        (
            "Precision by neighbours",
            "nena_precision_nm",
            _with_error(analysis.nena_precision_nm, analysis.nena_uncertainty_nm),
            "NeNA, from molecules in adjacent frames; too small where these share errors (codec, context)",
        ),
        (
            "Drift",
            "drift_total_nm",
            _with_error(analysis.drift_total_nm, analysis.drift_uncertainty_nm),
            "how far the sample moved in all; not corrected here",
        ),
        (
            "Emitters",
            "emitters_linked",
            _UNKNOWN if analysis.emitters_linked is None else _count(analysis.emitters_linked),
            f"after linking within {within_nm}; on for {on_frames} frames (median)",
        ),
    )
    for name, key, value, remark in figures:
        known = value != _UNKNOWN
        yield name, value, remark if known else escape(analysis.reasons.get(key, "was not measured"))


def _with_error(value_nm: float | None, sigma_nm: float | None) -> str:
    if value_nm is None or sigma_nm is None:
        return _known(value_nm, "nm")
    return f"{number(value_nm)} \u00b1 {number(float(f'{sigma_nm:.2g}'))} nm"


def _where(report: Report) -> str:
    outside = report.reconstruction.localizations_outside
    beyond = f"; {_count(outside)} beyond the region of interest, not in the picture" if outside else ""
    return f"{_known(report.localizations_per_frame)} per processed frame{beyond}"


def _speed(report: Report) -> str:
    filmed = f"filmed in {number(report.recording_s)} s" if report.recording_s else ""
    speed = f"processed at {number(report.frames_per_s)} per second" if report.frames_per_s else ""
    return "; ".join(part for part in (filmed, speed) if part)


def _quartiles(table: Localizations, column: str, unit: str, what: str = "median") -> str:
    known = table[column][np.isfinite(table[column])]
    if not len(known):
        return what
    low, high = (number(float(value)) for value in np.percentile(known, (25, 75)))
    return f"{what}; quartiles {low} and {high} {unit}".rstrip()


def _median(table: Localizations, column: str, unit: str) -> str:
    known = table[column][np.isfinite(table[column])]
    return _known(float(np.median(known)) if len(known) else None, unit)


def _charts(table: Localizations, frame_count: int) -> str:
    shown = (
        ("Photons per localization", charts.histogram(table["photons"], "photons", "")),
        ("Localization precision", charts.histogram(table["precision_nm"], "precision", "nm")),
        ("Background", charts.histogram(table["background_photons"], "background", "photons per pixel")),
        ("Localizations over time", charts.per_frame(table["frame"], frame_count)),
    )
    figures = "".join(_chart(title, chart) for title, chart in shown)
    return f'<h2>Distributions</h2>\n<div class="charts">{figures}</div>'


def _chart(title: str, chart: charts.Chart | None) -> str:
    if chart is None:
        return f"<figure><h3>{title}</h3><figcaption>There are no localizations.</figcaption></figure>"
    beyond = f"<figcaption>{_count(chart.beyond)} lie beyond the axis.</figcaption>" if chart.beyond else ""
    return f"<figure><h3>{title}</h3>{chart.svg}{beyond}</figure>"


def _settings(report: Report) -> str:
    roi, camera, generator = report.roi, report.camera, report.generator
    network = f"SHA-256 <code>{escape(generator.sha256)}</code>" if generator.sha256 else "no network: a classical fit"
    calibrated = "calibrated" if camera.calibrated else "not calibrated: a preset"
    rows = [
        ("Acquisition", f"<code>{escape(report.acquisition_id)}</code>"),
        ("Begun, finished", f"{_time(report.created_at)}, {_time(report.finished_at)}"),
        *_source(report.source),
        ("Region of interest", f"{roi.width} \u00d7 {roi.height} px, its left upper pixel at ({roi.x}, {roi.y})"),
        ("Camera pixel in the sample", f"{number(report.pixel_size_nm)} nm"),
        (
            "Camera",
            f"{number(camera.gain)} electrons per count, offset of {number(camera.offset)} counts, "
            f"read noise of {number(camera.read_noise)} electrons; {calibrated}",
        ),
        ("Generator (model)", f"{escape(generator.name)} {escape(generator.version)}<br>{network}"),
        (
            "Its settings",
            f"reads {generator.context_frames} frames at a time, answers with {escape(generator.output)}, "
            f"threshold {number(generator.threshold)}",
        ),
        ("Software", f"cellSTORM {escape(report.software_version)}"),
    ]
    cells = (f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return f"<h2>Settings and provenance</h2>\n<table>{''.join(cells)}</table>"


def _source(source: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """What is known of the recording, whatever that is: units stand in the names."""
    facts = dict(source)
    width, height = facts.pop("width", None), facts.pop("height", None)
    rows = [_fact(key, value) for key, value in facts.items() if value is not None]
    if width is not None and height is not None:
        rows.append(("Recording: frame size", f"{escape(str(width))} \u00d7 {escape(str(height))} px"))
    return rows


def _fact(key: str, value: JsonValue) -> tuple[str, str]:
    unit = next((suffix for suffix in _UNITS if key.endswith(suffix)), "")
    name = _NAMES.get(key, key.removesuffix(unit).replace("_", " "))
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, int | float):
        text = f"{number(value)} {_UNITS.get(unit, 'frames per second' if key == 'fps' else '')}".strip()
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = escape(text) if len(text) <= _LONG else f"<code>{escape(text)}</code>"
    return f"Recording: {escape(name)}", shown


def _citation(report: Report) -> str:
    return (
        "<h2>How to cite</h2>\n<p>If you use this image or its localizations, please cite the paper that cellSTORM is "
        f'built on,</p>\n<p>{CITATION} <a href="https://doi.org/{CITATION_DOI}">doi:{CITATION_DOI}</a></p>\n'
        f"<p>and the software: The cellSTORM developers. cellSTORM, version {escape(report.software_version)}, "
        "BSD-3-Clause.</p>"
    )


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _count(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _known(value: float | None, unit: str = "") -> str:
    return _UNKNOWN if value is None or not np.isfinite(value) else f"{number(value)} {unit}".rstrip()


def _share(part: int, whole: int) -> str:
    return f"{_count(part)} of {_count(whole)} ({number(100 * part / whole)} %)" if whole else _count(part)
