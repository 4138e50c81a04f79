"""Small charts as SVG for report.html: no script, no library, sharp in print, and readable by a screen reader's label.

What they show comes from the table; how they look (colours, type) is report.css's business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WIDTH: Final = 350
_HEIGHT: Final = 190
_LEFT: Final = 52
_RIGHT: Final = 8
_TOP: Final = 16
_BOTTOM: Final = 36
_BINS: Final = 45
_MAX_STEPS: Final = 150
_UPPER_PERCENTILE: Final = 99.0
"""Photons have a long tail that would press everything else against the axis; how many lie beyond is told."""

Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, and how many values lie beyond its axis."""

    svg: str
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class _Axis:
    """A linear axis from `low` to `high` with round ticks."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, low: float, high: float, ticks: int) -> _Axis:
        if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):  # one value alone
            half = 0.1 * abs(low) or 0.5
            low, high = low - half, high + half
        step = _round_step((high - low) / ticks)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)

    @property
    def ticks(self) -> list[float]:
        return [self.low + index * self.step for index in range(round((self.high - self.low) / self.step) + 1)]

    def place(self, value: float, start: float, length: float) -> float:
        return start + (value - self.low) / (self.high - self.low) * length


def histogram(values: Values, quantity: str, unit: str) -> Chart | None:
    """How often each value occurs, and the median; None where no value is a number."""
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return None
    low, high = float(known.min()), float(np.percentile(known, _UPPER_PERCENTILE))
    x = _Axis.around(min(low, 0.0) if low < 0.5 * high else low, high, 6)
    shown = known[(known >= x.low) & (known <= x.high)]
    counts, edges = np.histogram(shown, _BINS, (x.low, x.high))
    y = _Axis.around(0, max(float(counts.max()), 1.0), 4)
    median = float(np.median(known))
    label = (
        f"Histogram of {quantity}: median {number(median)} {unit}, from {number(low)} to {number(known.max())} {unit}"
    )
    bars = _steps(x, y, edges, counts.astype(np.float64))
    x_title = f"{quantity} / {unit}" if unit else quantity
    svg = _svg(label, x, y, x_title, "localizations", bars + _median(x, median))
    return Chart(svg, len(known) - len(shown))


def per_frame(frames: NDArray[np.unsignedinteger], frame_count: int) -> Chart | None:
    """Localizations per frame over the recording, as means of equally many frames; None where there is no frame."""
    if frame_count < 1:
        return None
    group = math.ceil(frame_count / _MAX_STEPS)
    groups = math.ceil(frame_count / group)
    edges = np.minimum(np.arange(groups + 1) * group, frame_count)
    counts, _ = np.histogram(frames, np.append(edges[:-1], frame_count))
    means = counts / np.diff(edges)
    x = _Axis.around(0, frame_count, 6)
    y = _Axis.around(0, float(means.max()) or 1.0, 4)
    each = "each frame" if group == 1 else f"the mean of {group} frames at a time"
    label = (
        f"Localizations per frame over {number(frame_count)} frames, {each}: "
        f"{number(means[0])} at the start, {number(means[-1])} at the end, {number(means.max())} at most"
    )
    return Chart(_svg(label, x, y, "frame", "localizations per frame", _steps(x, y, edges.astype(np.float64), means)))


def number(value: float) -> str:
    """With three significant digits, whole above 1000, and narrow spaces between thousands."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _round_step(wanted: float) -> float:
    """The smallest of 1, 2, 5, 10, … that is not smaller."""
    decade = 10 ** math.floor(math.log10(wanted))
    return float(next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= wanted * (1 - 1e-9)))


def _steps(x: _Axis, y: _Axis, edges: NDArray[np.float64], heights: NDArray[np.float64]) -> str:
    ground = _HEIGHT - _BOTTOM
    path = [f"M{x.place(edges[0], _LEFT, _plot_width()):.1f} {ground}"]
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        top = _vertical(y, height)
        path.append(f"L{_horizontal(x, left):.1f} {top:.1f}L{_horizontal(x, right):.1f} {top:.1f}")
    path.append(f"L{_horizontal(x, edges[-1]):.1f} {ground}Z")
    return f'<path class="data" d="{"".join(path)}"/>'


def _median(x: _Axis, median: float) -> str:
    place = _horizontal(x, min(median, x.high))
    anchor, gap = ("start", 4) if place < _LEFT + 0.7 * _plot_width() else ("end", -4)
    return (
        f'<line class="median" x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 4}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="median" x="{place + gap:.1f}" y="{_TOP + 2}" text-anchor="{anchor}">median {number(median)}</text>'
    )


def _svg(label: str, x: _Axis, y: _Axis, x_title: str, y_title: str, content: str) -> str:
    ground, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for tick in y.ticks:
        place = _vertical(y, tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{place + 3:.1f}" text-anchor="end">{_tick(tick, y)}</text>')
    for tick in x.ticks:
        place = _horizontal(x, tick)
        parts.append(f'<line class="axis" x1="{place:.1f}" x2="{place:.1f}" y1="{ground}" y2="{ground + 4}"/>')
        anchor = "end" if place > right - 8 else "middle"
        at = right + _RIGHT - 1 if anchor == "end" else place
        parts.append(f'<text x="{at:.1f}" y="{ground + 15}" text-anchor="{anchor}">{_tick(tick, x)}</text>')
    middle_x, middle_y = (_LEFT + right) / 2, (_TOP + ground) / 2
    parts.append(content)
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{ground}" y2="{ground}"/>')
    parts.append(
        f'<text class="title" x="{middle_x:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x_title)}</text>'
    )
    parts.append(
        f'<text class="title" x="10" y="{middle_y:.1f}" text-anchor="middle" transform="rotate(-90 10 {middle_y:.1f})">'
        f"{escape(y_title)}</text>"
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _tick(value: float, axis: _Axis) -> str:
    digits = max(0, -math.floor(math.log10(axis.step) + 1e-9))
    return f"{value + 0.0:,.{digits}f}".replace(",", "\u202f")


def _plot_width() -> float:
    return _WIDTH - _LEFT - _RIGHT


def _horizontal(x: _Axis, value: float) -> float:
    return x.place(value, _LEFT, _plot_width())


def _vertical(y: _Axis, value: float) -> float:
    return y.place(value, _HEIGHT - _BOTTOM, -(_HEIGHT - _BOTTOM - _TOP))
