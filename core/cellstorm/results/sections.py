"""The report's sections on what was measured: resolution, drift, time, blinking, compression. Each chart stands with its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.analysis.compression import KeyFrameEffect, QuantiserTrace
from cellstorm.analysis.recording import RecordingQuality
from cellstorm.analysis.resolution import THRESHOLD
from cellstorm.analysis.summary import Analysis
from cellstorm.analysis.verdict import Finding
from cellstorm.comparison import Comparison
from cellstorm.localizations import Localizations
from cellstorm.results import charts
from cellstorm.results.charts import Chart, Line
from cellstorm.results.numbers import UNKNOWN, count, known, number, percent, with_error
from cellstorm.results.plot import Axis
from cellstorm.results.report import Report

_BLOCK_PX: Final = 16
_FOLDED_BINS: Final = (32, 16)
_PER_FOLDED_BIN: Final = 25
"""Localizations in each, on average: fewer would show noise for a pattern."""
_WEIGHTS: Final = {"limit": "Limits the image", "warning": "Makes figures less sure", "note": "Worth knowing"}

Row = tuple[str, str, str]
"""A figure's name, its value, and a remark; HTML."""


def table_of(rows: Iterable[Row]) -> str:
    """Figures with a remark each."""
    cells = "".join(
        f'<tr><th scope="row">{name}</th><td class="value">{value}</td><td class="remark">{remark}</td></tr>'
        for name, value, remark in rows
    )
    return f"<table>{cells}</table>"


def chart_of(title: str, chart: Chart | None, *, caption: str = "", absent: str = "There are no localizations.") -> str:
    """A chart with its heading, what there is to say, and its values; where it is None, why."""
    if chart is None:
        return f"<figure><h3>{title}</h3><figcaption>{escape(absent)}</figcaption></figure>"
    beyond = f"{count(chart.beyond)} lie beyond the axis." if chart.beyond else ""
    said = " ".join(part for part in (caption, beyond) if part)
    below = f"<figcaption>{said}</figcaption>" if said else ""
    return f"<figure><h3>{title}</h3>{chart.svg}{below}{_values(chart)}</figure>"


def _values(chart: Chart) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in chart.head)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in chart.rows)
    return (
        '<details class="values"><summary>Values</summary><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def verdict(findings: Sequence[Finding]) -> str:
    """What limits the image and what to change, the heaviest first."""
    items = "".join(
        f'<li class="{finding.weight}"><b>{_WEIGHTS[finding.weight]}.</b> {escape(finding.says)} '
        f'<span class="advice">{escape(finding.advice)}</span></li>'
        for finding in findings
    )
    content = f'<ul class="verdict">{items}</ul>' if items else "<p>Nothing in these figures stands out.</p>"
    return f"<section><h2>What limits this image, and what to change</h2>{content}</section>"


def distributions(table: Localizations) -> str:
    """How photons, precision, background and width are spread."""
    shown = [
        chart_of("Photons per localization", charts.histogram(table["photons"], "photons", "")),
        chart_of("Localization precision", charts.histogram(table["precision_nm"], "precision", "nm")),
        chart_of("Background", charts.histogram(table["background_photons"], "background", "photons per pixel")),
        chart_of("Width of a spot", charts.histogram(table["psf_sigma_nm"], "one sigma", "nm")),
    ]
    return _section("Distributions", "", shown)


def resolution(analysis: Analysis) -> str:
    """The correlation curve and the map of tiles."""
    curve, local = analysis.correlation, analysis.local_resolution
    frc, found = None, analysis.resolution_nm
    if curve is not None:
        frc = charts.lines(
            [1000 * frequency for frequency in curve.frequency_per_nm],
            [Line("correlation", curve.correlation)],
            ("spatial frequency / µm\u207b\u00b9", "correlation"),
            level=(THRESHOLD, "1/7"),
            span=Axis(0.0, 1.0, 0.2),
            mark=None if found is None else (1000 / found, f"{number(found)} nm"),
        )
    tiles = charts.resolution_map(local) if local is not None else None
    middle = f"Median of the tiles: {known(local.median_nm, 'nm')}. " if local is not None else ""
    return _section(
        "Resolution",
        "",
        [
            chart_of(
                "Fourier ring correlation",
                frc,
                caption="Of two halves of the recording; the resolution is where the curve first falls below 1/7."
                + ("" if found is not None else " " + escape(analysis.reasons.get("resolution_nm", ""))),
                absent=analysis.reasons.get("resolution_nm", ""),
            ),
            chart_of(
                "Local resolution",
                tiles,
                caption=f"{middle}Tiles of {number((local.tile_nm if local else 0) / 1000)} µm; as the image lies.",
                absent=analysis.reasons.get("local_resolution", "No tile has structure enough to tell its resolution."),
            ),
        ],
    )


def drift(analysis: Analysis) -> str:
    """Where the sample went."""
    curve = analysis.drift
    chart = None
    if curve is not None:
        chart = charts.lines(
            curve.frame,
            [Line("x", curve.x_nm, curve.uncertainty_x_nm), Line("y", curve.y_nm, curve.uncertainty_y_nm)],
            ("frame", "drift / nm"),
            from_zero=False,
            wide=True,
        )
    caption = (
        "Relative to the first frame, x to the right and y down; bands are one sigma. It is not taken out of the image."
    )
    shown = chart_of("Where the sample was", chart, caption=caption, absent=analysis.reasons.get("drift_total_nm", ""))
    return f'<section class="wide"><h2>Drift</h2>{shown}</section>'


def over_time(analysis: Analysis, frame_count: int) -> str:
    """Density, photons, precision and background by frame."""
    time = analysis.over_time
    if time is None:
        return ""
    x = charts.evenly(len(time.localizations_per_frame), time.frames_each, frame_count, first_frame=time.first_frame)
    each = "of each frame" if time.frames_each == 1 else f"of {time.frames_each} frames at a time"
    shown = [
        ("Localizations", time.localizations_per_frame, "localizations per frame", f"Mean {each}."),
        ("Photons", time.photons_median, "photons", f"Median {each}."),
        ("Precision", time.precision_nm_median, "precision / nm", f"Median {each}."),
        ("Background", time.background_photons_median, "photons per pixel", f"Median {each}."),
    ]
    plots = [
        chart_of(name, charts.lines(x, [Line(name.lower(), tuple(values))], ("frame", title)), caption=caption)
        for name, values, title, caption in shown
    ]
    return _section("Over time", "", plots)


def blinking(analysis: Analysis) -> str:
    """On-times and returns."""
    found = analysis.blinking
    if found is None:
        return ""
    on = charts.bars(found.by_on_frames, "frames on", "blinks")
    dark = found.dark
    rows: list[Row] = [
        (
            "Blinks",
            count(found.blinks),
            f"linked within {known(analysis.linking_distance_nm, 'nm')} over one dark frame",
        ),
        ("On for", f"{number(found.on_frames_mean)} frames", "mean, from the first frame to the last"),
        ("Localizations", number(found.localizations_mean), "mean, per blink"),
        ("Photons", known(found.photons_median), "median, of a whole blink"),
        (
            "Dark for",
            UNKNOWN if dark is None else with_error(dark.frames, dark.uncertainty_frames, "frames"),
            escape(found.dark_reason or "mean, before the same molecule returns"),
        ),
    ]
    if dark is not None:
        rows.append(("Returning", percent(dark.returning), "of blinks, followed by another of the same molecule"))
    return _section("Blinking", "", [chart_of("On-times", on), f"<figure>{table_of(rows)}</figure>"])


def compression(report: Report, table: Localizations) -> str:
    """The codec's traces: quantiser, key frames, the grid of its blocks; and what else the recording shows."""
    analysis, seen = report.analysis, report.analysis.recording
    shown = [_grid_chart(report, table)]
    if seen is not None and seen.key_frames is not None:
        shown.append(_key_frame_chart(seen.key_frames))
    rows = [*_grid_rows(analysis), *(_recording_rows(seen) if seen is not None else [])]
    absent = "" if seen is not None else "<p>The recording was not at hand, and so is not among these figures.</p>"
    trace = (
        _quantiser_chart(seen.quantiser, report.frames_received + report.frames_lost) if seen and seen.quantiser else ""
    )
    return _section("Compression and recording", absent + trace, shown) + table_of(rows)


def _quantiser_chart(trace: QuantiserTrace, frame_count: int) -> str:
    x = charts.evenly(len(trace.by_frame), trace.frames_each, max(frame_count, trace.frames_each * len(trace.by_frame)))
    chart = charts.lines(x, [Line("quantiser", trace.by_frame)], ("frame", "quantiser"), from_zero=False, wide=True)
    caption = (
        f"0 is nearly lossless, 51 the coarsest, six more halve the detail. Mean {number(trace.mean)}, in key frames "
        f"{known(trace.of_key_frames)}; {number(trace.bits_per_pixel)} bits per pixel."
    )
    return chart_of("Quantiser", chart, caption=caption)


def _grid_chart(report: Report, table: Localizations) -> str:
    density = folded_density(table, report) if report.analysis.grid is not None else None
    return chart_of(
        "Where in a macroblock",
        None if density is None else charts.folded(density, _BLOCK_PX),
        caption="Density of localizations by their place in the codec's 16\u00d716 blocks; lines are the borders of 4\u00d74 "
        "blocks. Even where nothing keeps to them.",
        absent=report.analysis.reasons.get("grid", ""),
    )


def folded_density(table: Localizations, report: Report) -> NDArray[np.float64] | None:
    """(n, n) localizations by row and column of their place in a macroblock, over their mean; None for none."""
    roi = report.roi
    x = table["x_nm"].astype(np.float64) / report.pixel_size_nm + 0.5
    y = table["y_nm"].astype(np.float64) / report.pixel_size_nm + 0.5
    inside = (x >= 0) & (x < roi.width) & (y >= 0) & (y < roi.height)
    if not inside.any():
        return None
    bins = next((bins for bins in _FOLDED_BINS if inside.sum() >= _PER_FOLDED_BIN * bins**2), _FOLDED_BINS[-1])
    column, row = (
        ((values[inside] + start) % _BLOCK_PX * (bins / _BLOCK_PX)).astype(np.intp) % bins
        for values, start in ((x, roi.x), (y, roi.y))
    )
    density = np.bincount(row * bins + column, minlength=bins**2).reshape(bins, bins).astype(np.float64)
    return np.asarray(density / density.mean(), np.float64)


def _key_frame_chart(effect: KeyFrameEffect) -> str:
    chart = charts.lines(
        list(range(len(effect.localizations))),
        [Line("localizations", effect.localizations), Line("photons", effect.photons)],
        ("frames since the key frame", "relative to later frames"),
        level=(1.0, ""),
    )
    return chart_of(
        "After key frames",
        chart,
        caption=f"One sigma of the first value is {number(effect.uncertainty)}.",
    )


def _grid_rows(analysis: Analysis) -> Iterable[Row]:
    if analysis.grid is None:
        return
    for trace in analysis.grid.traces:
        what = "camera pixels" if trace.period_px == 1 else f"{trace.period_px}\u00d7{trace.period_px} pixels"
        clear = "a clear trace" if trace.is_there else "no more than structure and chance would show"
        yield (
            f"Grid of {what}",
            percent(trace.strength),
            f"modulation of the density; {clear} (p = {trace.probability:.2g})",
        )


def _recording_rows(seen: RecordingQuality) -> Iterable[Row]:
    sampled = f"of {count(seen.frames_sampled)} frames, spread over the recording"
    yield "Clipped pixels", percent(seen.clipped), f"at the camera's highest count; {sampled}"
    yield "Black pixels", percent(seen.black), f"at 0 counts; {sampled}"
    yield (
        "Repeated frames",
        percent(seen.repeated),
        f"the same as the one before; of {count(seen.frames_compared)} compared",
    )
    if seen.agreement is not None:
        yield from _agreement_rows(seen.agreement)


def _agreement_rows(found: Comparison) -> Iterable[Row]:
    yield (
        "Second opinion",
        percent(found.jaccard),
        f"of what network or classical fit see is seen by both: {count(found.matched)} of the network's "
        f"{count(found.second.localizations)} and the fit's {count(found.first.localizations)} in the same frames",
    )
    offset = f"{known(found.offset_x_nm)} and {known(found.offset_y_nm, 'nm')}"
    yield (
        "Network less fit",
        offset,
        f"median of x and y; root mean square distance {known(found.distance_nm_rms, 'nm')}",
    )
    yield "Photons, network over fit", known(found.photon_ratio_median), "median"


def _section(title: str, before: str, figures: Sequence[str]) -> str:
    return f'<section><h2>{title}</h2>{before}<div class="charts">{"".join(figures)}</div></section>'
