"""Numbers as people read them: three digits, narrow spaces between thousands, and a word where there is none."""

from __future__ import annotations

import math
from typing import Final

UNKNOWN: Final = "not known"


def number(value: float) -> str:
    """With three significant digits, whole above 1000, and narrow spaces between thousands."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    """Whole, however large."""
    return f"{value:,}".replace(",", "\u202f")


def known(value: float | None, unit: str = "") -> str:
    """A figure with its unit, or that it is not known."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{number(value)} {unit}".rstrip()


def with_error(value: float | None, sigma: float | None, unit: str) -> str:
    """A figure and its error of two digits."""
    if value is None or sigma is None:
        return known(value, unit)
    return f"{number(value)} \u00b1 {number(float(f'{sigma:.2g}'))} {unit}"


def percent(share: float | None) -> str:
    """A share of one."""
    if share is None:
        return UNKNOWN
    return "under 0.001 %" if 0 < share < 1e-5 else f"{number(100 * share)} %"


def share(part: int, whole: int) -> str:
    """How many of how many."""
    return f"{count(part)} of {count(whole)} ({number(100 * part / whole)} %)" if whole else count(part)
