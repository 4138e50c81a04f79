"""Where a spot may be: local maxima of the wavelet's second plane that stand out from the frame's own noise.

The usual threshold is k times the standard deviation of the first plane (Izeddin et al. 2012). Two things spoil it on
phone video. Bright spots widen that deviation: here it is taken from the median, which they hardly move. And a codec removes
the finest detail first: the first plane grows quiet while blotches as large as spots remain, and everything seems to stand
out. So the noise is what either plane tells, whichever tells more, and never less than the camera's own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from cellstorm.classical.filters import WaveletPlanes, wavelet_planes, white_noise_gain

_NORMAL: Final = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""
_GAIN: Final = white_noise_gain()
_LEAST_NOISE: Final = 1e-3  # photons: a camera without noise, in the dark


class Candidates(NamedTuple):
    """(n,) each; as they are found, sorted by frame, row, column."""

    frame: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    significance: NDArray[np.float32]  # height in the second plane, in standard deviations that noise has there

    def chosen(self, which: NDArray[np.intp]) -> Candidates:
        """Those of these indices, in their order."""
        return Candidates(self.frame[which], self.row[which], self.column[which], self.significance[which])

    def followed_by(self, others: Candidates) -> Candidates:
        """Both, one after the other."""
        return Candidates(
            np.concatenate([self.frame, others.frame]),
            np.concatenate([self.row, others.row]),
            np.concatenate([self.column, others.column]),
            np.concatenate([self.significance, others.significance]),
        )


def find_candidates(
    photons: NDArray[np.float32], explained: NDArray[np.float32], read_variance: float, least_significance: float
) -> Candidates:
    """In each of the (frames, height, width) photons, less those that are explained already.

    `read_variance` is in squared electrons. Explained light leaves its shot noise behind.
    """
    planes = wavelet_planes(photons - explained)
    noise = _noise(photons, planes, read_variance)[:, np.newaxis, np.newaxis]
    significance = planes.spots / (_GAIN.spots * np.sqrt(noise**2 + explained))
    highest = maximum_filter1d(maximum_filter1d(significance, 3, axis=2), 3, axis=1)
    frame, row, column = np.nonzero((significance == highest) & (significance > least_significance))
    return Candidates(frame, row, column, significance[frame, row, column])


def _noise(photons: NDArray[np.float32], planes: WaveletPlanes, read_variance: float) -> NDArray[np.float32]:
    """(frames,) standard deviation in a pixel, photons."""
    background = np.maximum(np.median(photons, axis=(1, 2)), 0.0)
    told = (_spread(planes.fine) / _GAIN.fine, _spread(planes.spots) / _GAIN.spots, np.sqrt(background + read_variance))
    return np.asarray(np.maximum.reduce([*told, np.full(len(photons), _LEAST_NOISE)]), np.float32)


def _spread(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames,) standard deviation as the median tells it; both planes have a mean of nearly zero."""
    return np.asarray(_NORMAL * np.median(np.abs(plane), axis=(1, 2)), np.float32)
