"""The first two planes of a B-spline wavelet transform: one holds mostly noise, the other mostly spots.

    V1 = I * k,  V2 = V1 * k with holes,  F1 = I - V1,  F2 = V1 - V2

with the cubic B-spline k = [1, 4, 6, 4, 1] / 16 in each direction and, between its taps at the second level, one zero
(à trous). Izeddin et al., Opt. Express 20, 2081 (2012); the default filter of ThunderSTORM (Ovesný et al., Bioinformatics
30, 2389 (2014), order 3 and scale 2).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

_SPLINE: Final = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_WITH_HOLES: Final = np.array([1.0, 0.0, 4.0, 0.0, 6.0, 0.0, 4.0, 0.0, 1.0]) / 16.0


class WaveletPlanes(NamedTuple):
    """(frames, height, width) float32 each, in the units of the frames."""

    fine: NDArray[np.float32]  # F1
    spots: NDArray[np.float32]  # F2


def wavelet_planes(frames: NDArray[np.float32]) -> WaveletPlanes:
    """Of each of the (frames, height, width); the image is mirrored at its borders."""
    once = _smooth(frames, _SPLINE)
    return WaveletPlanes(frames - once, once - _smooth(once, _WITH_HOLES))


def _smooth(frames: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    along_x = convolve1d(frames, kernel, axis=2, mode="mirror")
    return np.asarray(convolve1d(along_x, kernel, axis=1, mode="mirror"), np.float32)


class WaveletGain(NamedTuple):
    """Standard deviation of each plane where that of independent noise in the pixels is 1."""

    fine: float
    spots: float


def white_noise_gain() -> WaveletGain:
    """Of both planes; computed from the kernels themselves."""
    impulse = np.zeros((1, 33, 33), np.float32)
    impulse[0, 16, 16] = 1.0
    planes = wavelet_planes(impulse)
    return WaveletGain(float(np.sqrt((planes.fine**2).sum())), float(np.sqrt((planes.spots**2).sum())))
