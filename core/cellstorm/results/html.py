"""report.html: what came out and how, in one file that opens anywhere; for a thesis's appendix and a student's protocol.

Pictures first, then what limits them, then what was measured, then all that is needed to do it again. It holds no script
and loads nothing, and every text in it that came from a person or a file is escaped. The same report, table and widefield
give the same bytes.
"""

from __future__ import annotations

import base64
import io
from html import escape
from importlib.resources import files
from typing import Final

import numpy as np
from PIL import Image

from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Reconstruction
from cellstorm.rendering import annotated_png
from cellstorm.results import provenance_section, sections
from cellstorm.results.numbers import UNKNOWN, count, known, number, share, with_error
from cellstorm.results.report import Report
from cellstorm.results.sections import Row

_MAX_EMBEDDED_BYTES: Final = 700_000
"""Of one picture; base64 makes a third more of it, and two of them stay below 2 MB."""
_PRINTED_PX: Final = (1400, 1000, 700)
"""Across half of an A4 page: over 400, 300 or 200 to the inch, whichever is the first to fit."""
_SHOWN_PX: Final = 700
"""Longest side of the reconstruction in half of the page's width, with a display's two dots to a pixel of the page. A browser
that makes a larger image smaller takes means, in which single molecules all but vanish; larger pixels of its own do not."""
_PIXELATED_PX: Final = 400
"""Narrower pictures are drawn with the edges of their pixels, not blurred."""
_WIDE: Final = 1.7
"""Pictures of such an aspect stand below each other instead of side by side."""
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Should anything ever slip through the escaping, a browser will neither run nor load it."""

_FOOTER: Final = (
    "Every figure and picture here is computed from the localizations in localizations.csv, and what is said of compression "
    "from the recording; report.json holds the same for programs. Positions count from the centre of the region's first "
    "pixel in localizations.hdf5, from its corner in localizations.csv and localizations.smlm."
)
_IMPORTED_FOOTER: Final = (
    "Every figure and picture here is computed from another program's table; report.json holds the same for programs."
)


def page(report: Report, localizations: Localizations, frame_count: int, widefield: bytes | None) -> str:
    """The page, of a report and of the table that it is about.

    `widefield` is the result folder's PNG; there is none where a table came without its recording.
    """
    title, analysis = escape(report.name), report.analysis
    css = (files("cellstorm.results") / "report.css").read_text(encoding="utf-8")
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title} · cellSTORM report</title>\n<style>\n{css}</style>\n</head>\n<body>",
            f"<header>\n<h1>{title}</h1>\n<p>Super-resolution image by single-molecule localization, "
            f"{provenance_section.moment(report.created_at)} · cellSTORM {escape(report.software_version)}</p>\n"
            "</header>\n<main>",
            _pictures(report, localizations, widefield),
            _key_figures(report),
            sections.verdict(analysis.verdict),
            sections.resolution(analysis),
            sections.drift(analysis),
            sections.distributions(localizations),
            sections.over_time(analysis, frame_count),
            sections.blinking(analysis),
            sections.compression(report, localizations),
            f"<section><h2>In numbers</h2>\n{sections.table_of(_numbers(report, localizations))}</section>",
            provenance_section.settings(report),
            provenance_section.citation(report),
            f"</main>\n<footer>{_IMPORTED_FOOTER if report.is_imported else _FOOTER}</footer>\n</body>\n</html>\n",
        )
    )


def _pictures(report: Report, localizations: Localizations, widefield: bytes | None) -> str:
    roi, pixel_nm = report.roi, report.pixel_size_nm
    is_wide = roi.width > _WIDE * roi.height or widefield is None
    field = f"{number(roi.width * pixel_nm / 1000)} \u00d7 {number(roi.height * pixel_nm / 1000)} µm"
    drawn = report.reconstruction
    how = "each drawn as wide as its own precision" if drawn.method == "gaussian" else "counted in each pixel"
    picture, picture_pixel_nm = _drawn(report, localizations, 2 * _SHOWN_PX if is_wide else _SHOWN_PX)
    finer = (
        f" (in reconstruction.png {number(drawn.output_pixel_nm)} nm)"
        if picture_pixel_nm > drawn.output_pixel_nm
        else ""
    )
    reconstruction = (
        f"<b>Reconstruction</b> of {count(report.localizations - drawn.localizations_outside)} localizations, {how}; "
        f"pixels of {number(picture_pixel_nm)} nm{finer}, field of {field}, scale bar in the picture."
    )
    shown = _figure(picture, "Super-resolution reconstruction with a scale bar", reconstruction)
    if widefield is not None:
        caption = (
            f"<b>Widefield</b>: the sum of {count(report.frames_processed)} frames, pixels of {number(pixel_nm)} nm. "
            "The same field as the microscope shows it without localization."
        )
        shown += _figure(widefield, "Widefield image of the same field", caption)
    return f'<section class="{"pictures wide" if is_wide else "pictures"}" aria-label="Pictures">\n{shown}</section>'


def _drawn(report: Report, localizations: Localizations, longest_px: int) -> tuple[bytes, float]:
    """The reconstruction, in pixels as large as its place on the page asks for; a PNG, and the pixel in nm."""
    roi, drawn, pixel_nm = report.roi, report.reconstruction, report.pixel_size_nm
    output_pixel_nm = max(drawn.output_pixel_nm, max(roi.width, roi.height) * pixel_nm / longest_px)
    image = Reconstruction(roi.width, roi.height, pixel_nm, output_pixel_nm, drawn.method).add(localizations).image
    return annotated_png(image, output_pixel_nm), output_pixel_nm


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
    rough = "" if report.camera.calibrated or report.is_imported else ", rough"
    figures = (
        ("Localizations", count(report.localizations), f"in {count(report.frames_processed)} frames"),
        ("Localization precision", known(report.precision_nm_median, "nm"), "median, one sigma"),
        ("Photons", known(report.photons_median), "median per localization" + rough),
        ("Resolution", known(report.analysis.resolution_nm, "nm"), "Fourier ring correlation, 1/7"),
    )
    cells = (
        f"<div><dt>{name}</dt><dd{_class_if_unknown(value)}>{value}<small>{remark}</small></dd></div>"
        for name, value, remark in figures
    )
    return f'<section><h2>Key figures</h2>\n<dl class="key">{"".join(cells)}</dl></section>'


def _class_if_unknown(value: str) -> str:
    return ' class="unknown"' if value == UNKNOWN else ""


def _numbers(report: Report, table: Localizations) -> list[Row]:
    sent = report.frames_received + report.frames_lost
    return [
        ("Frames received", count(report.frames_received), "damaged ones included"),
        ("Frames lost", count(report.frames_lost), f"sent, but never came: {share(report.frames_lost, sent)}"),
        ("Frames damaged", count(report.frames_damaged), "came, but cannot be decoded or refer to lost ones"),
        ("Frames processed", count(report.frames_processed), _speed(report)),
        ("Localizations", count(report.localizations), _where(report)),
        *_expected_wrong(report),
        ("Precision", known(report.precision_nm_median, "nm"), _quartiles(table, "precision_nm", "nm")),
        ("Photons", known(report.photons_median), _quartiles(table, "photons", "")),
        ("Background", known(report.background_photons_median, "photons"), "median, per camera pixel"),
        (
            "Width of a spot",
            _median(table, "psf_sigma_nm", "nm"),
            _quartiles(table, "psf_sigma_nm", "nm", "median, one sigma"),
        ),
        *_measured(report),
    ]


def _expected_wrong(report: Report) -> list[Row]:
    if report.expected_wrong is None:
        return []
    remark = (
        "of the localizations, from their probabilities; rather too many where video is good, too few where it is poor"
    )
    return [("Expected to be wrong", f"{number(100 * report.expected_wrong)} %", remark)]


def _measured(report: Report) -> list[Row]:
    """What was measured, and where that could not be done the reason."""
    analysis = report.analysis
    on_frames, within_nm = known(analysis.on_frames_median), known(analysis.linking_distance_nm, "nm")
    figures = (
        (
            "Resolution",
            "resolution_nm",
            known(analysis.resolution_nm, "nm"),
            "Fourier ring correlation, first crossing of 1/7",
        ),
        (
            "Precision by neighbours",
            "nena_precision_nm",
            with_error(analysis.nena_precision_nm, analysis.nena_uncertainty_nm, "nm"),
            "NeNA, from molecules in adjacent frames; too small where these share errors (codec, context)",
        ),
        (
            "Drift",
            "drift_total_nm",
            with_error(analysis.drift_total_nm, analysis.drift_uncertainty_nm, "nm"),
            "how far the sample moved in all; not corrected here",
        ),
        (
            "Emitters",
            "emitters_linked",
            UNKNOWN if analysis.emitters_linked is None else count(analysis.emitters_linked),
            f"after linking within {within_nm}; on for {on_frames} frames (median)",
        ),
        (
            "Crowded",
            "crowded",
            UNKNOWN if analysis.crowded is None else f"{number(100 * analysis.crowded)} %",
            "of localizations have another of the same frame within three sigma of the spot",
        ),
    )
    return [
        (name, value, remark if value != UNKNOWN else escape(analysis.reasons.get(key, "was not measured")))
        for name, key, value, remark in figures
    ]


def _where(report: Report) -> str:
    outside = report.reconstruction.localizations_outside
    beyond = f"; {count(outside)} beyond the region of interest, not in the picture" if outside else ""
    return f"{known(report.localizations_per_frame)} per processed frame{beyond}"


def _speed(report: Report) -> str:
    filmed = f"filmed in {number(report.recording_s)} s" if report.recording_s else ""
    speed = f"processed at {number(report.frames_per_s)} per second" if report.frames_per_s else ""
    return "; ".join(part for part in (filmed, speed) if part)


def _quartiles(table: Localizations, column: str, unit: str, what: str = "median") -> str:
    values = table[column][np.isfinite(table[column])]
    if not len(values):
        return what
    low, high = (number(float(value)) for value in np.percentile(values, (25, 75)))
    return f"{what}; quartiles {low} and {high} {unit}".rstrip()


def _median(table: Localizations, column: str, unit: str) -> str:
    values = table[column][np.isfinite(table[column])]
    return known(float(np.median(values)) if len(values) else None, unit)
