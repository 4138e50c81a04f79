"""Which counts a recording's camera and codec can store, as far as its own counts tell: where light is clipped.

The page's gauge goes by the same rule (phone_client/src/capture/measure.ts).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BITS: Final = (8, 10, 12, 14, 16)
_LIMITED_BITS: Final = (8, 10)
_VIDEO_BLACK: Final = 16
_VIDEO_WHITE: Final = 235
"""Of 8 bits; video often leaves what is below and above unused (limited range: ITU-R BT.601), then light is clipped at these."""
_UNUSED: Final = 1e-4
"""Share of counts that a codec may leave beyond them."""


class Levels(NamedTuple):
    """Lowest and highest count that light can have."""

    black: int
    white: int


def levels_of(histogram: NDArray[np.integer]) -> Levels:
    """Of a recording with so many counts of 0, 1, ...; cameras of 8 to 16 bits."""
    highest = int(np.flatnonzero(histogram)[-1]) if histogram.any() else 0
    bits = next(bits for bits in _BITS if highest < 1 << bits)
    if bits in _LIMITED_BITS:
        black, white = _VIDEO_BLACK << (bits - 8), _VIDEO_WHITE << (bits - 8)
        beyond = histogram[:black].sum() + histogram[white + 1 :].sum()
        if beyond < _UNUSED * histogram.sum():
            return Levels(black, white)
    return Levels(0, (1 << bits) - 1)
