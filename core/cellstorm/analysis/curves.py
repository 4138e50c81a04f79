"""Curves as report.json holds them: five significant digits, and null where there is nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

Curve = tuple[float, ...]
Gaps = tuple[float | None, ...]


def rounded(values: Iterable[float]) -> Curve:
    """Numbers that all are numbers."""
    return tuple(_short(float(value)) for value in values)


def with_gaps(values: Iterable[float]) -> Gaps:
    """Numbers, and None for those that are none."""
    return tuple(_short(float(value)) if math.isfinite(value) else None for value in values)


def _short(value: float) -> float:
    return float(f"{value:.5g}")
