"""Fourier ring correlation: the finest detail that two independent halves of the data agree on.

The table is cut into blocks of consecutive frames, and random ones of them are put into either half: were single
localizations dealt out, both halves would hold the same blinks, and the figure would tell the precision. Both are drawn as
histograms on the same field, less their mean, tapered at its edges (Tukey), and the correlation of their Fourier transforms
is summed over rings of equal spatial frequency. Smoothed, its first crossing of 1/7 is the resolution (Nieuwenhuizen et al., Nature
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
from scipy.ndimage import uniform_filter1d

from cellstorm.analysis.precision import typical_precision_nm
from cellstorm.localizations import Localizations

THRESHOLD: Final = 1 / 7
FINER: Final = "the halves still agree at the finest detail that was looked at"
"""The reason where the resolution is better than can be told."""
MIN_LOCALIZATIONS: Final = 1000
_MIN_SIDE: Final = 32
_MAX_SIDE: Final = 4096
_PIXEL_NM: Final = (1.0, 10.0)
_BLOCKS: Final = 50
_MAX_BLOCK_FRAMES: Final = 500
_TAPER: Final = 0.25
_SMOOTH_SHARE: Final = 0.05
_MIN_RINGS: Final = 60
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
        (rings,) float64; empty where there was nothing to compare.
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
    would be needed along the longer side of what the localizations cover. Where these are too coarse to tell, it is told of
    the densest part, in pixels of that size. The same seed gives the same halves.
    """
    rows = localizations[np.isfinite(localizations["x_nm"]) & np.isfinite(localizations["y_nm"])]
    if len(rows) < MIN_LOCALIZATIONS:
        return _untold(f"FRC needs {MIN_LOCALIZATIONS} localizations or more, and there are {len(rows)}")
    position = np.stack([rows["x_nm"], rows["y_nm"]], axis=1).astype(np.float64)
    position -= position.min(axis=0)
    extent_nm = position.max(axis=0)
    if pixel_nm is None:
        pixel_nm = typical_pixel_nm(rows)
    coarse_nm = max(pixel_nm, float(extent_nm.max()) / (_MAX_SIDE - 1))
    if extent_nm.max() < _MIN_SIDE * coarse_nm:
        return _untold("all localizations lie in one place")
    second, block_frames = halves(rows["frame"], seed)
    found = correlate(position, second, (extent_nm[0] + 1e-3, extent_nm[1] + 1e-3), coarse_nm, block_frames)
    if found.reason != FINER or coarse_nm == pixel_nm:
        return found
    side_nm = (_MAX_SIDE - 1) * pixel_nm
    corner_nm = _densest(position, side_nm)
    part = ((position >= corner_nm) & (position < corner_nm + side_nm)).all(axis=1)
    return correlate(position[part] - corner_nm, second[part], (side_nm, side_nm), pixel_nm, block_frames)


def _densest(position_nm: NDArray[np.float64], side_nm: float) -> NDArray[np.float64]:
    """(2,) x and y of the square of that side with the most of (n, 2) positions from 0, by steps of half a side."""
    column, row = (position_nm / (side_nm / 2)).astype(np.intp).T
    counts = np.zeros((row.max() + 2, column.max() + 2), np.intp)
    np.add.at(counts, (row, column), 1)
    squares = counts[:-1, :-1] + counts[1:, :-1] + counts[:-1, 1:] + counts[1:, 1:]
    top, left = np.unravel_index(np.argmax(squares), squares.shape)
    return np.array([left, top], np.float64) * side_nm / 2


def correlate(
    position_nm: NDArray[np.float64],
    second: NDArray[np.bool_],
    side_nm: tuple[float, float],
    pixel_nm: float,
    block_frames: int,
) -> RingCorrelation:
    """FRC of (n, 2) positions from 0 to the sides of a field, along x and y, those of the `second` half against the others."""
    width, height = (scipy.fft.next_fast_len(math.ceil(side / pixel_nm), real=True) for side in side_nm)
    first, other = (_transform(position_nm[half], pixel_nm, (height, width)) for half in (~second, second))
    correlation, samples = _by_ring(first, other, (height, width))
    frequency_per_nm = np.arange(len(correlation)) / (max(width, height) * pixel_nm)
    smoothed, resolution_nm, reason = _read_off(frequency_per_nm, correlation, samples)
    return RingCorrelation(resolution_nm, reason, frequency_per_nm, correlation, smoothed, pixel_nm, block_frames)


def typical_pixel_nm(localizations: Localizations) -> float:
    """Half the median precision, from 1 to 10 nm: fine enough for whatever resolution that allows."""
    return float(np.clip(typical_precision_nm(localizations) / 2, *_PIXEL_NM))


def _untold(reason: str) -> RingCorrelation:
    nothing = np.zeros(0)
    return RingCorrelation(None, reason, nothing, nothing, nothing, 0.0, 0)


def halves(frame: NDArray[np.uint32], seed: int) -> tuple[NDArray[np.bool_], int]:
    """(n,) whether each is in the second half, and the frames of a block: a fiftieth of all, at most 500."""
    since_first = (frame - frame.min()).astype(np.int64)
    frames = int(since_first.max()) + 1
    block_frames = min(_MAX_BLOCK_FRAMES, max(1, frames // _BLOCKS))
    blocks = -(-frames // block_frames)
    in_second = np.random.default_rng(seed).permutation(np.arange(blocks) % 2 == 1)
    return in_second[since_first // block_frames], block_frames


def _transform(position: NDArray[np.float64], pixel_nm: float, shape: tuple[int, int]) -> NDArray[np.complex64]:
    """(height, width // 2 + 1) of the tapered histogram, (height, width), of (n, 2) positions from 0."""
    height, width = shape
    column, row = (position / pixel_nm).astype(np.intp).T
    image = np.bincount(row * width + column, minlength=height * width).reshape(shape).astype(np.float32)
    image -= image.mean()  # an even field is no structure; through the taper it would leak into the first rings
    image *= _taper(height)[:, None]
    image *= _taper(width)
    return np.asarray(scipy.fft.rfft2(image), np.complex64)


def _taper(length: int) -> NDArray[np.float32]:
    """(length,) Tukey window: one, and at both ends an eighth of it that falls to zero as a cosine."""
    to_end = np.minimum(np.arange(length), np.arange(length)[::-1]) / max(1.0, _TAPER / 2 * (length - 1))
    return (0.5 - 0.5 * np.cos(np.pi * np.minimum(1.0, to_end))).astype(np.float32)


def _by_ring(
    first: NDArray[np.complex64], second: NDArray[np.complex64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation over rings one frequency step of the longer side wide, up to Nyquist; and the independent values of each.

    Both are (longer side // 2,). A narrow field has few values in each ring: those along its longer side.
    """
    height, width = shape
    side = max(shape)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = np.rint(frequency * side).astype(np.int32).ravel()

    def over_rings(values: NDArray[np.float32]) -> NDArray[np.float64]:
        sums = np.bincount(ring, weights=values.ravel(), minlength=side // 2)[: side // 2]
        return sums.astype(np.float64)

    common = over_rings((first * second.conj()).real)
    power = over_rings(np.abs(first) ** 2) * over_rings(np.abs(second) ** 2)
    correlation = np.divide(common, np.sqrt(power), out=np.zeros_like(common), where=power > 0)
    correlation[:1] = correlation[1:2]  # ring 0 is the mean, which was taken out
    independent = np.ones((height, width // 2 + 1), np.float32)
    independent[:, 0] = 0.5  # there a real image's transform repeats itself
    independent[0, 0] = 0.0
    return correlation, over_rings(independent)


def _read_off(
    frequency_per_nm: NDArray[np.float64], correlation: NDArray[np.float64], samples: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float | None, str | None]:
    """The smoothed curve, its resolution, or why it has none. Each ring has so many independent `samples`.

    Each ring is averaged with its neighbours, a twentieth of all rings (as wide as Banterle's local fit). Where the crossing
    lies far below Nyquist, that is wider than the fall of the curve; so it is a twentieth of thrice the rings up to there.
    """
    rings = len(correlation)
    while True:
        window = max(5, 2 * round(_SMOOTH_SHARE * rings / 2) + 1)
        smoothed = uniform_filter1d(correlation, min(window, len(correlation)))
        after = int(np.argmax(smoothed < THRESHOLD)) if (smoothed < THRESHOLD).any() else len(correlation)
        if rings <= max(3 * after, _MIN_RINGS):
            break
        rings = max(3 * after, _MIN_RINGS)
    return smoothed, *_crossing(frequency_per_nm, correlation, smoothed, samples)


def _crossing(
    frequency_per_nm: NDArray[np.float64],
    correlation: NDArray[np.float64],
    smoothed: NDArray[np.float64],
    samples: NDArray[np.float64],
) -> tuple[float, None] | tuple[None, str]:
    """Resolution by the first frequency at which the curve falls below 1/7, interpolated; or why there is none."""
    below = np.flatnonzero(smoothed < THRESHOLD)
    if not len(below):
        return None, FINER
    after = int(below[0])
    if after < _MIN_CROSSING_RING or not _is_common(correlation[:after], samples[:after]):
        return None, "the two halves of the recording have too little structure in common"
    share = (smoothed[after - 1] - THRESHOLD) / (smoothed[after - 1] - smoothed[after])
    return float(1 / (frequency_per_nm[after - 1] + share * frequency_per_nm[1])), None


def _is_common(correlation: NDArray[np.float64], samples: NDArray[np.float64]) -> bool:
    """Whether all that lies within these rings correlates by more than chance: three sigma above 1/7."""
    independent = samples.sum()
    return bool((samples * correlation).sum() / independent > THRESHOLD + 3 / math.sqrt(independent))
