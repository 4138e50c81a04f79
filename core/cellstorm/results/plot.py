"""A small plot as SVG: axes with round ticks, and what is drawn between them. No script, no library, sharp in print.

What a plot shows comes from the report; how it looks (colours, type) is report.css's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

HALF_WIDTH: Final = 350
"""Of a page."""
FULL_WIDTH: Final = 720
_HEIGHT: Final = 190
_LEFT: Final = 52
_RIGHT: Final = 8
_TOP: Final = 16
_BOTTOM: Final = 36

Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis from `low` to `high` with round ticks."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, low: float, high: float, ticks: int) -> Axis:
        """The rounds that hold `low` to `high`."""
        if high - low <= 1e-6 * max(abs(low), abs(high), 1e-6):  # one value alone
            half = 0.1 * abs(low) or 0.5
            low, high = low - half, high + half
        step = _round_step((high - low) / ticks)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)

    @classmethod
    def until(cls, low: float, high: float, ticks: int) -> Axis:
        """As `around`, but not beyond `high`."""
        rounds = cls.around(low, high, ticks)
        return cls(rounds.low, min(high, rounds.high) if high > low else rounds.high, rounds.step)

    @property
    def ticks(self) -> list[float]:
        return [self.low + index * self.step for index in range(int((self.high - self.low) / self.step + 1e-6) + 1)]

    def tick(self, value: float) -> str:
        """How a tick is written."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{value + 0.0:,.{digits}f}".replace(",", "\u202f")


def _round_step(wanted: float) -> float:
    """The smallest of 1, 2, 5, 10, … that is not smaller."""
    decade = 10 ** math.floor(math.log10(wanted))
    return float(next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= wanted * (1 - 1e-9)))


class Plot:
    """Axes, and a growing list of what is drawn between them."""

    def __init__(self, x: Axis, y: Axis, x_title: str, y_title: str, width: int = HALF_WIDTH) -> None:
        self._x, self._y = x, y
        self._titles = x_title, y_title
        self._width = width
        self._parts: list[str] = []

    @property
    def _ground(self) -> float:
        return _HEIGHT - _BOTTOM

    def across(self, value: float) -> float:
        """Where on the page an x lies."""
        return _LEFT + (value - self._x.low) / (self._x.high - self._x.low) * (self._width - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        """Where on the page a y lies; what is beyond the axes lies on their border."""
        value = min(max(value, self._y.low), self._y.high)
        return self._ground - (value - self._y.low) / (self._y.high - self._y.low) * (self._ground - _TOP)

    def line(self, x: Sequence[float], y: Sequence[float | None], kind: str) -> None:
        """A line in the style of that class, broken where there is no value."""
        path, is_drawing = [], False
        for place, value in zip(x, y, strict=True):
            if value is None:
                is_drawing = False
                continue
            path.append(f"{'L' if is_drawing else 'M'}{self.across(place):.1f} {self.up(value):.1f}")
            is_drawing = True
        # A value between two gaps would be a line without length: its round end makes it a dot.
        self._parts.append(f'<path class="line {kind}" d="{"".join(path)}"/>')

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str) -> None:
        """An area between two lines."""
        there = "L".join(f"{self.across(a):.1f} {self.up(b):.1f}" for a, b in zip(x, high, strict=True))
        back = "L".join(
            f"{self.across(a):.1f} {self.up(b):.1f}" for a, b in zip(reversed(x), reversed(low), strict=True)
        )
        self._parts.append(f'<path class="band {kind}" d="M{there}L{back}Z"/>')

    def steps(self, edges: Sequence[float], heights: Sequence[float]) -> None:
        """Bars without gaps, of n heights between n + 1 edges."""
        path = [f"M{self.across(edges[0]):.1f} {self._ground}"]
        for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
            top = self.up(height)
            path.append(f"L{self.across(left):.1f} {top:.1f}L{self.across(right):.1f} {top:.1f}")
        path.append(f"L{self.across(edges[-1]):.1f} {self._ground}Z")
        self._parts.append(f'<path class="data" d="{"".join(path)}"/>')

    def mark_x(self, value: float, text: str) -> None:
        """A vertical line with words at its top."""
        place = self.across(min(value, self._x.high))
        anchor, gap = ("start", 4) if place < _LEFT + 0.7 * (self._width - _LEFT - _RIGHT) else ("end", -4)
        self._parts.append(
            f'<line class="mark" x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 4}" y2="{self._ground}"/>'
            f'<text class="mark" x="{place + gap:.1f}" y="{_TOP + 2}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def mark_y(self, value: float, text: str) -> None:
        """A horizontal line with words at its right end."""
        place = self.up(value)
        self._parts.append(
            f'<line class="mark" x1="{_LEFT}" x2="{self._width - _RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
            f'<text class="mark" x="{self._width - _RIGHT - 2}" y="{place - 4:.1f}" text-anchor="end">{escape(text)}</text>'
        )

    def legend(self, names: Sequence[tuple[str, str]]) -> None:
        """Names of lines, each with the class of its line, above the plot."""
        right = self._width - _RIGHT
        for name, kind in reversed(names):
            self._parts.append(
                f'<text class="legend {kind}" x="{right}" y="{_TOP - 6}" text-anchor="end">{escape(name)}</text>'
            )
            right -= 14 + 6 * len(name)

    def svg(self, label: str) -> str:
        """The whole plot; `label` is what it shows, in words."""
        right = self._width - _RIGHT
        parts = []
        for tick in self._y.ticks:
            place = self.up(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
            parts.append(f'<text x="{_LEFT - 5}" y="{place + 3:.1f}" text-anchor="end">{self._y.tick(tick)}</text>')
        for tick in self._x.ticks:
            place = self.across(tick)
            parts.append(
                f'<line class="axis" x1="{place:.1f}" x2="{place:.1f}" y1="{self._ground}" y2="{self._ground + 4}"/>'
            )
            anchor = "end" if place > right - 8 else "middle"
            at = right + _RIGHT - 1 if anchor == "end" else place
            parts.append(
                f'<text x="{at:.1f}" y="{self._ground + 15}" text-anchor="{anchor}">{self._x.tick(tick)}</text>'
            )
        parts += self._parts
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{self._ground}" y2="{self._ground}"/>')
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + self._ground) / 2
        x_title, y_title = (escape(title) for title in self._titles)
        parts.append(
            f'<text class="title" x="{middle_x:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{x_title}</text>'
            f'<text class="title" x="10" y="{middle_y:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 10 {middle_y:.1f})">{y_title}</text>'
        )
        return (
            f'<svg viewBox="0 0 {self._width} {_HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
        )
