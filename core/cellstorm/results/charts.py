"""The report's charts, each with its values as a short table for those who cannot see it or want to copy them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.analysis.curves import Gaps
from cellstorm.analysis.local_resolution import LocalResolution
from cellstorm.rendering import palette
from cellstorm.results.numbers import known, number
from cellstorm.results.plot import FULL_WIDTH, HALF_WIDTH, Axis, Plot, Values

_BINS: Final = 45
_UPPER_PERCENTILE: Final = 99.0
_UPPER_MEDIANS: Final = 6.0
"""Photons have a long tail that would press everything else against the axis; how many lie beyond is told."""
_TABLE_ROWS: Final = 12
_LINES: Final = ("first", "second")
_COLOURED: Final = (1.0, 99.0)
"""Percentiles that get the ends of the colours: one bright place must not darken all others."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, its values, and how many lie beyond its axis.

    Attributes
    ----------
    head, rows
        A table of some of the values, as text.
    """

    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, its values, and one sigma of them where that is known."""

    name: str
    values: Gaps
    sigma: float = 0.0


def histogram(values: Values, quantity: str, unit: str) -> Chart | None:
    """How often each value occurs, and the median; None where no value is a number."""
    known_values = values[np.isfinite(values)].astype(np.float64)
    if not len(known_values):
        return None
    median = float(np.median(known_values))
    low, high = float(known_values.min()), float(np.percentile(known_values, _UPPER_PERCENTILE))
    if median > 0:
        high = min(high, _UPPER_MEDIANS * median)
    x = Axis.around(min(low, 0.0) if low < 0.5 * high else low, high, 6)
    shown = known_values[(known_values >= x.low) & (known_values <= x.high)]
    counts, edges = np.histogram(shown, _BINS, (x.low, x.high))
    label = (
        f"Histogram of {quantity}: median {number(median)} {unit}, "
        f"from {number(low)} to {number(float(known_values.max()))} {unit}"
    )
    plot = Plot(x, _from_zero(counts), f"{quantity} / {unit}" if unit else quantity, "localizations")
    plot.steps(edges.tolist(), counts.tolist())
    plot.mark_x(median, f"median {number(median)}")
    percentiles = (5, 25, 50, 75, 95)
    found = np.percentile(known_values, percentiles)
    rows = tuple((f"{share} %", number(float(value))) for share, value in zip(percentiles, found, strict=True))
    return Chart(plot.svg(label), ("percentile", quantity), rows, len(known_values) - len(shown))


def bars(counts: Sequence[int], quantity: str, what: str) -> Chart:
    """Whole numbers from 1 on, and how many there are of each; the last stands for all that are larger."""
    last = max((index for index, value in enumerate(counts) if value), default=0) + 1
    x = Axis(0, last + 1, 1.0) if last <= 10 else Axis.around(0, last + 1, 6)
    plot = Plot(x, _from_zero(np.array(counts)), quantity, what)
    plot.steps([index + 0.5 for index in range(last + 1)], list(counts[:last]))
    total = max(1, sum(counts))
    label = f"{what} by {quantity}: {number(100 * counts[0] / total)} % have 1, the most {last}"
    rows = tuple((str(index + 1), str(value)) for index, value in enumerate(counts[:last]))
    return Chart(plot.svg(label), (quantity, what), rows[:_TABLE_ROWS])


def lines(
    x: Sequence[float],
    drawn: Sequence[Line],
    titles: tuple[str, str],
    *,
    level: tuple[float, str] | None = None,
    mark: tuple[float, str] | None = None,
    span: Axis | None = None,
    from_zero: bool = True,
    wide: bool = False,
) -> Chart | None:
    """One or two lines over `x`, with a band of one sigma, a level to compare with, a place that is marked; None for no value.

    `span` is what the vertical axis covers, where that is not what the values do.
    """
    values = [value for line in drawn for value in line.values if value is not None]
    if not values:
        return None
    spread = max(line.sigma for line in drawn)
    low, high = min(values) - spread, max(values) + spread
    if level is not None:
        low, high = min(low, level[0]), max(high, level[0])
    y = span or Axis.around(min(0.0, low) if from_zero else low, high, 4)
    plot = Plot(Axis.until(min(x), max(x), 6), y, *titles, width=FULL_WIDTH if wide else HALF_WIDTH)
    for line, kind in zip(drawn, _LINES, strict=False):
        if line.sigma and None not in line.values:
            middle = [value for value in line.values if value is not None]
            plot.band(x, [v - line.sigma for v in middle], [v + line.sigma for v in middle], kind)
        plot.line(x, line.values, kind)
    if level is not None:
        plot.mark_y(*level)
    if mark is not None:
        plot.mark_x(*mark)
    if len(drawn) > 1:
        plot.legend([(line.name, kind) for line, kind in zip(drawn, _LINES, strict=False)])
    told = "; ".join(f"{line.name}: {_course(line.values)}" for line in drawn)
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), _TABLE_ROWS)).round().astype(int))
    rows = tuple((number(x[place]), *(known(line.values[place]) for line in drawn)) for place in places)
    label = f"{titles[1]} over {titles[0]}. {told}"
    return Chart(plot.svg(label), (titles[0], *(line.name for line in drawn)), rows)


def resolution_map(local: LocalResolution) -> Chart | None:
    """Tiles coloured by their resolution, fine ones bright; None where no tile has one."""
    told = [value for row in local.resolution_nm for value in row if value is not None]
    if not told:
        return None
    columns, rows = len(local.resolution_nm[0]), len(local.resolution_nm)
    side = min(HALF_WIDTH / columns, 260 / rows)
    low, high = min(told), max(told)
    colours = palette("viridis")
    parts = []
    for row, values in enumerate(local.resolution_nm):
        for column, value in enumerate(values):
            parts.append(_tile(column * side, row * side, side, value, _place(value, low, high), colours))
    legend_y = rows * side + 12
    parts.append(_colour_bar(legend_y, low, high, colours))
    label = (
        f"Map of the local resolution in {rows} rows of {columns} tiles: from {number(low)} to {number(high)} nm, "
        f"not known in {rows * columns - len(told)} tiles"
    )
    svg = f'<svg viewBox="0 0 {HALF_WIDTH} {legend_y + 26:.0f}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    head = ("row", *(f"column {column + 1}" for column in range(columns)))
    table = tuple((str(row + 1), *(known(value) for value in values)) for row, values in enumerate(local.resolution_nm))
    return Chart(svg, head, table)


def folded(density: NDArray[np.float64], block_px: int) -> Chart:
    """(n, n) density by place in a block, 1 being its mean: even where nothing keeps to blocks."""
    count = len(density)
    side = 220 / count
    low, high = (float(value) for value in np.percentile(density, _COLOURED))
    colours = palette("viridis")
    parts = [
        f'<rect x="{60 + column * side:.1f}" y="{4 + row * side:.1f}" width="{side + 0.3:.1f}" height="{side + 0.3:.1f}" '
        f'fill="{_hex(colours[255 - _place(float(value), low, high)])}"/>'
        for row, values in enumerate(density)
        for column, value in enumerate(values)
    ]
    for border in range(0, block_px + 1, 4):
        at = 220 * border / block_px
        parts.append(f'<line class="block" x1="{60 + at:.1f}" x2="{60 + at:.1f}" y1="4" y2="224"/>')
        parts.append(f'<line class="block" x1="60" x2="280" y1="{4 + at:.1f}" y2="{4 + at:.1f}"/>')
        parts.append(f'<text x="{60 + at:.1f}" y="238" text-anchor="middle">{border}</text>')
        parts.append(f'<text x="54" y="{7 + at:.1f}" text-anchor="end">{border}</text>')
    parts.append('<text class="title" x="170" y="254" text-anchor="middle">pixels from the block\u2019s corner</text>')
    parts.append(
        f'<text class="title" x="296" y="12">{number(high)}</text><text class="title" x="296" y="224">{number(low)}</text>'
    )
    parts.append(_upright_bar(colours))
    label = (
        f"Density of localizations by place in a block of {block_px} by {block_px} pixels, relative to its mean: "
        f"from {number(low)} to {number(high)}"
    )
    svg = f'<svg viewBox="0 0 {HALF_WIDTH} 260" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    along_x, along_y = density.mean(axis=0), density.mean(axis=1)
    step = max(1, count // 16)
    rows = tuple(
        (number(index * block_px / count), number(float(along_x[index])), number(float(along_y[index])))
        for index in range(0, count, step)
    )
    return Chart(svg, ("pixels", "density across", "density down"), rows)


def _from_zero(counts: NDArray[np.integer]) -> Axis:
    return Axis.around(0, max(float(counts.max(initial=0)), 1.0), 4)


def _course(values: Gaps) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "not known"
    return f"{number(there[0])} at the start, {number(there[-1])} at the end, from {number(min(there))} to {number(max(there))}"


def _place(value: float | None, low: float, high: float) -> int:
    """Of a colour: 0 for the largest value, 255 for the smallest; the middle where there is but one."""
    if value is None or high <= low:
        return 128
    return round(255 * min(1.0, max(0.0, (high - value) / (high - low))))


def _tile(x: float, y: float, side: float, value: float | None, place: int, colours: NDArray[np.uint8]) -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" width="{side - 1:.1f}" height="{side - 1:.1f}"'
    if value is None:
        return f'<rect class="unknown" {at}/>'
    tile = f'<rect {at} fill="{_hex(colours[place])}"/>'
    ink = "#000" if place > 140 else "#fff"
    middle = f'x="{x + side / 2:.1f}" y="{y + side / 2 + 3.5:.1f}"'
    return f'{tile}<text {middle} text-anchor="middle" class="in" fill="{ink}">{value:.0f}</text>'


def _colour_bar(y: float, low: float, high: float, colours: NDArray[np.uint8]) -> str:
    width = 120
    steps = [
        f'<rect x="{60 + index * width / 24:.1f}" y="{y:.1f}" width="{width / 24 + 0.3:.1f}" height="9" '
        f'fill="{_hex(colours[round(index * 255 / 23)])}"/>'
        for index in range(24)
    ]
    return (
        f'<text x="54" y="{y + 8:.1f}" text-anchor="end">{high:.0f} nm</text>{"".join(steps)}'
        f'<text x="{66 + width}" y="{y + 8:.1f}">{low:.0f} nm</text>'
        f'<rect class="unknown" x="{120 + width}" y="{y:.1f}" width="9" height="9"/>'
        f'<text x="{134 + width}" y="{y + 8:.1f}">not known</text>'
    )


def _upright_bar(colours: NDArray[np.uint8]) -> str:
    return "".join(
        f'<rect x="284" y="{4 + index * 220 / 24:.1f}" width="8" height="{220 / 24 + 0.3:.1f}" '
        f'fill="{_hex(colours[255 - round(index * 255 / 23)])}"/>'
        for index in range(24)
    )


def _hex(colour: NDArray[np.uint8]) -> str:
    return "#" + "".join(f"{value:02x}" for value in colour.tolist())


def evenly(count: int, each: int, frame_count: int, *, first_frame: int = 0) -> list[float]:
    """Middles of `count` groups of `each` frames, from the first frame on, the last of fewer."""
    starts = (first_frame + index * each for index in range(count))
    return [(start + min(start + each, frame_count)) / 2 for start in starts]
