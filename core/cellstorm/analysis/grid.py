"""The codec's grid in the localizations: do they keep to the borders of its blocks?

H.264 transforms blocks of 4x4 or 8x8 pixels and predicts macroblocks of 16x16. Where it quantises hard, light jumps at
their borders, and a localizer sees molecules there that are none: the checkerboard in Figure 4 of the cellSTORM paper. Positions
u, in pixels of the whole frame, then follow the block's period P. Their first Fourier component,

    S(f) = mean(exp(2 pi i f u)) at f = 1/P,      2 |S| = relative modulation of the density,

is Rayleigh's statistic of their phases. Chance alone would leave |S|^2 = 1/n; but structure has every period to some
degree, and one molecule seen a hundred times is one place. So |S|^2 is held against its mean at frequencies close by, which
know nothing of blocks: m of them, each exponentially distributed under the null hypothesis, leave a ratio z with the
probability (1 + z/m)^-m. What is beyond the mean is the strength.

Period 1 is no codec's: it is the localizer's own, of estimates that are drawn to a pixel's centre or border.
"""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.curves import Curve, rounded
from cellstorm.localizations import Localizations

PERIODS_PX: Final = (1, 2, 4, 8, 16)
MIN_LOCALIZATIONS: Final = 1000
MIN_SIDE_PX: Final = 64
"""Four macroblocks: below, a period's neighbours in frequency are the field's own shape."""
SIGNIFICANT: Final = 1e-3
_STEPS_AWAY: Final = (2, 3, 4, 5, 6)
"""Of frequency, each of one period over the whole field: near, and yet independent."""
_BINS_PER_PX: Final = 32
_FOLDED_PX: Final = 16
_FOLDED_BINS: Final = 64


class GridTrace(BaseModel):
    """How strongly localizations keep to blocks of one size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period_px: int
    strength: float = Field(
        ge=0, description="Relative modulation of their density beyond what structure explains; the stronger axis."
    )
    probability: float = Field(ge=0, le=1, description="Of as much by chance and structure alone.")

    @property
    def is_there(self) -> bool:
        return self.probability < SIGNIFICANT


class Grid(BaseModel):
    """Of all block sizes, and the density by place in a macroblock, as a share of its mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    traces: tuple[GridTrace, ...]
    folded_x: Curve = Field(description="64 bins from a macroblock's left border to its right one; 1 is the mean.")
    folded_y: Curve

    @classmethod
    def of(cls, table: Localizations, field: tuple[int, int, int, int], pixel_size_nm: float) -> Self | None:
        """Of a table, whose `field` is (left, top, width, height) in pixels of the whole frame; None for too little of either."""
        left, top, width, height = field
        inside = [
            _inside(table[name] / pixel_size_nm + 0.5, side) for name, side in (("x_nm", width), ("y_nm", height))
        ]
        keep = inside[0] & inside[1]
        if np.count_nonzero(keep) < MIN_LOCALIZATIONS or min(width, height) < MIN_SIDE_PX:
            return None
        axes = [
            _Axis(table[name][keep] / pixel_size_nm + 0.5, start, side)
            for name, start, side in (("x_nm", left, width), ("y_nm", top, height))
        ]
        return cls(
            traces=tuple(_trace(period, axes) for period in PERIODS_PX),
            folded_x=axes[0].folded(),
            folded_y=axes[1].folded(),
        )


def _inside(position_px: NDArray[np.floating], side_px: int) -> NDArray[np.bool_]:
    return np.asarray((position_px >= 0) & (position_px < side_px))


class _Axis:
    """Positions along one axis, counted in bins so that any number of frequencies costs little."""

    def __init__(self, position_px: NDArray[np.floating], start_px: int, side_px: int) -> None:
        bins = np.minimum((position_px.astype(np.float64) * _BINS_PER_PX).astype(np.intp), side_px * _BINS_PER_PX - 1)
        self._count = np.bincount(bins, minlength=side_px * _BINS_PER_PX).astype(np.float64)
        self._place_px = start_px + (np.arange(len(self._count)) + 0.5) / _BINS_PER_PX
        self._side_px = side_px

    def power(self, per_px: float) -> float:
        """|S|^2 at one frequency."""
        wave = np.exp(2j * np.pi * per_px * self._place_px)
        return float(abs((self._count * wave).sum() / self._count.sum()) ** 2)

    def power_nearby(self, per_px: float) -> tuple[float, int]:
        """Its mean over frequencies close by, and how many those are."""
        near = [per_px + sign * away / self._side_px for away in _STEPS_AWAY for sign in (-1, 1)]
        powers = [self.power(frequency) for frequency in near if self._is_apart(frequency)]
        return float(np.mean(powers)), len(powers)

    def _is_apart(self, per_px: float) -> bool:
        """Whether it is neither the field's own nor one that blocks could have."""
        from_blocks = abs(per_px * _FOLDED_PX - round(per_px * _FOLDED_PX)) / _FOLDED_PX
        return per_px > 1 / self._side_px and from_blocks > 1 / self._side_px

    def folded(self) -> Curve:
        """(64,) density by place in a macroblock, over its mean."""
        bins = (self._place_px % _FOLDED_PX * (_FOLDED_BINS / _FOLDED_PX)).astype(np.intp)
        covered = np.bincount(bins, minlength=_FOLDED_BINS)  # a field need not hold whole blocks
        density = np.bincount(bins, weights=self._count, minlength=_FOLDED_BINS) / covered
        return rounded(density / density.mean())


def _trace(period_px: int, axes: list[_Axis]) -> GridTrace:
    strength, probability = 0.0, 1.0
    for axis in axes:
        power, (nearby, count) = axis.power(1 / period_px), axis.power_nearby(1 / period_px)
        strength = max(strength, 2 * math.sqrt(max(0.0, power - nearby)))
        probability = min(probability, (1 + power / (nearby * count)) ** -count)
    either = min(1.0, probability * len(axes))  # Bonferroni: two axes were looked at
    return GridTrace(period_px=period_px, strength=float(f"{strength:.5g}"), probability=float(f"{either:.5g}"))
