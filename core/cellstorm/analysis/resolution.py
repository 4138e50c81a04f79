"""Fourier ring correlation: the finest detail that two independent halves of the data agree on.

The table is cut into blocks of consecutive frames, and random ones of them are put into either half: were single
localizations dealt out, both halves would hold the same blinks, and the figure would tell the precision. Both are drawn as
histograms on the same square, tapered at its edges (Tukey), and the correlation of their Fourier transforms is summed
over rings of equal spatial frequency. Smoothed, its first crossing of 1/7 is the resolution (Nieuwenhuizen et al., Nature
Methods 10, 557, 2013; Banterle et al., Journal of Structural Biology 183, 363, 2013).

For emitters at random places, each localized n times on average in each half with precision s (a Poisson number), it
follows that FRC(q) = n exp(-4 pi^2 s^2 q^2) / (1 + n exp(-4 pi^2 s^2 q^2)), and so a resolution of 2 pi s / sqrt(ln(6 n)):
fine where emitters are seen often, whether or not different emitters lie that near to each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from scipy.signal.windows import tukey

from cellstorm.localizations import Localizations

THRESHOLD: Final = 1 / 7
MIN_LOCALIZATIONS: Final = 1000
_MAX_SIDE: Final = 4096
_PIXEL_NM: Final = (1.0, 10.0)
_BLOCKS: Final = 50
_MAX_BLOCK_FRAMES: Final = 500
_TAPER: Final = 0.25
_SMOOTH_SHARE: Final = 0.05
_MIN_CROSSING_RING: Final = 8
"""Below it, rings are the field's and its taper's own shape."""


@dataclass(frozen=True, slots=True, eq=False)
class RingCorrelation:
    """The curve, and the resolution where it has one.

    Attributes
    ----------
    resolution_nm
        1 / frequency of the first crossing of 1/7; None where it cannot be told.
    reason
        Why it is None; else None.
    frequency_per_nm, correlation, smoothed
        (rings,) float64; empty where there were too few localizations.
    pixel_nm
        Of the histograms that were compared.
    block_frames
        Frames that went into the same half together.
    """

    resolution_nm: float | None
    reason: str | None
    frequency_per_nm: NDArray[np.float64]
    correlation: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    pixel_nm: float
    block_frames: int


def ring_correlation(localizations: Localizations, *, pixel_nm: float | None = None, seed: int = 0) -> RingCorrelation:
    """FRC of an (n,) table in any order.

    `pixel_nm` is half the median precision, from 1 to 10 nm, unless given; in both cases larger where more than 4096 pixels
    would be needed along the longer side of what the localizations cover. The same seed gives the same halves.
    """
    rows = localizations[np.isfinite(localizations["x_nm"]) & np.isfinite(localizations["y_nm"])]
    nothing = np.zeros(0)
    if len(rows) < MIN_LOCALIZATIONS:
        reason = f"FRC needs {MIN_LOCALIZATIONS} localizations or more, and there are {len(rows)}"
        return RingCorrelation(None, reason, nothing, nothing, nothing, 0.0, 0)
    position = np.stack([rows["x_nm"], rows["y_nm"]], axis=1).astype(np.float64)
    position -= position.min(axis=0)
    extent_nm = float(position.max()) + 1e-3
    if pixel_nm is None:
        pixel_nm = float(np.clip(np.nanmedian(rows["precision_nm"]) / 2, *_PIXEL_NM))
    pixel_nm = max(pixel_nm, extent_nm / _MAX_SIDE)
    side = scipy.fft.next_fast_len(math.ceil(extent_nm / pixel_nm), real=True)
    second, block_frames = _halves(rows["frame"], seed)
    transforms = [_transform(position[half], pixel_nm, side) for half in (~second, second)]
    correlation = _by_ring(*transforms, side)
    frequency_per_nm = np.arange(len(correlation)) / (side * pixel_nm)
    window = max(3, 2 * round(_SMOOTH_SHARE * len(correlation) / 2) + 1)
    smoothed = savgol_filter(correlation, window, 1) if window < len(correlation) else correlation
    resolution_nm, reason = _crossing(frequency_per_nm, smoothed)
    return RingCorrelation(resolution_nm, reason, frequency_per_nm, correlation, smoothed, pixel_nm, block_frames)


def _halves(frame: NDArray[np.uint32], seed: int) -> tuple[NDArray[np.bool_], int]:
    """(n,) whether each is in the second half, and the frames of a block: a fiftieth of all, at most 500."""
    since_first = (frame - frame.min()).astype(np.int64)
    frames = int(since_first.max()) + 1
    block_frames = min(_MAX_BLOCK_FRAMES, max(1, frames // _BLOCKS))
    blocks = -(-frames // block_frames)
    in_second = np.random.default_rng(seed).permutation(np.arange(blocks) % 2 == 1)
    return in_second[since_first // block_frames], block_frames


def _transform(position: NDArray[np.float64], pixel_nm: float, side: int) -> NDArray[np.complex64]:
    """(side, side // 2 + 1) of the tapered histogram of (n, 2) positions from 0."""
    column, row = np.minimum((position / pixel_nm).astype(np.intp), side - 1).T
    image = np.bincount(row * side + column, minlength=side * side).reshape(side, side).astype(np.float32)
    taper = tukey(side, _TAPER).astype(np.float32)
    image *= taper[:, None]
    image *= taper
    return np.asarray(scipy.fft.rfft2(image), np.complex64)


def _by_ring(first: NDArray[np.complex64], second: NDArray[np.complex64], side: int) -> NDArray[np.float64]:
    """(side // 2,) correlation over rings one frequency step wide, up to Nyquist."""
    rows = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(rows[:, None], np.arange(side // 2 + 1))).astype(np.int32).ravel()

    def over_rings(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.bincount(ring, weights=values.ravel())[: side // 2]

    common = over_rings((first * second.conj()).real)
    power = over_rings(np.abs(first) ** 2) * over_rings(np.abs(second) ** 2)
    return np.divide(common, np.sqrt(power), out=np.zeros_like(common), where=power > 0)


def _crossing(
    frequency_per_nm: NDArray[np.float64], smoothed: NDArray[np.float64]
) -> tuple[float, None] | tuple[None, str]:
    """Resolution by the first frequency at which the curve falls below 1/7, interpolated; or why there is none."""
    below = np.flatnonzero(smoothed < THRESHOLD)
    if not len(below):
        return None, "the halves still agree at the finest detail that was looked at"
    after = int(below[0])
    if after < _MIN_CROSSING_RING:
        return None, "the two halves of the recording have too little structure in common"
    share = (smoothed[after - 1] - THRESHOLD) / (smoothed[after - 1] - smoothed[after])
    step = frequency_per_nm[1]
    return float(1 / (frequency_per_nm[after - 1] + share * step)), None
