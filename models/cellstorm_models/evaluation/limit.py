"""How well an isolated emitter can be localized at all: the Cramér-Rao lower bound of its position.

    mu(row, column) = photons * E(row - y) * E(column - x) + background,   E a Gaussian integrated over a pixel
    I(i, j) = sum over pixels of  d mu/d theta_i * d mu/d theta_j / (mu + read_noise^2)

Unknown are x, y, photons and background; the width is known. After Mortensen et al., Nat. Methods 7, 377 (2010) and Smith
et al., Nat. Methods 7, 373 (2010); read noise by its variance, as Huang et al., Nat. Methods 10, 653 (2013) treat it. The bound
is of the camera's frames before a codec takes from them, and of one frame alone: who looks at neighbouring frames too may
end a little below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]

_REACH_SIGMAS: Final = 5.0
_SHIFTS: Final = 4  # positions within a pixel that are averaged over, along each axis
_GRID: Final = 48


@dataclass(frozen=True, slots=True)
class Optics:
    """What the bound depends on besides an emitter's photons."""

    psf_sigma_nm: float
    background_photons: float  # per camera pixel
    pixel_size_nm: float
    read_noise: float  # electrons


def position_limit_nm(photons: Floats, optics: Optics) -> Floats:
    """(n,) least standard deviation of x (and of y) for emitters of (n,) photons, over all positions within a pixel."""
    if not len(photons):
        return np.zeros(0)
    lowest, highest = max(photons.min(), 1e-3), max(photons.max(), 1e-3)
    grid = np.geomspace(lowest, highest * (1.0 + 1e-9), _GRID)
    limits = np.array([_limit_nm(value, optics) for value in grid])
    return np.asarray(np.exp(np.interp(np.log(np.maximum(photons, lowest)), np.log(grid), np.log(limits))))


def _limit_nm(photons: float, optics: Optics) -> float:
    shifts = (np.arange(_SHIFTS) + 0.5) / _SHIFTS - 0.5
    variances = [np.linalg.inv(fisher(photons, x, y, optics))[0, 0] for x in shifts for y in shifts]
    return float(np.sqrt(np.mean(variances))) * optics.pixel_size_nm


def fisher(photons: float, x_px: float, y_px: float, optics: Optics) -> Floats:
    """(4, 4) Fisher information of x, y (pixels from a pixel's centre), photons and background."""
    sigma_px = optics.psf_sigma_nm / optics.pixel_size_nm
    reach = int(np.ceil(_REACH_SIGMAS * sigma_px)) + 1
    pixels = np.arange(-reach, reach + 1).astype(np.float64)
    share_x, slope_x = _profile(pixels - x_px, sigma_px)
    share_y, slope_y = _profile(pixels - y_px, sigma_px)
    spot = np.outer(share_y, share_x)
    slopes = np.stack(
        [photons * np.outer(share_y, slope_x), photons * np.outer(slope_y, share_x), spot, np.ones_like(spot)]
    )
    flat = slopes.reshape(4, -1)
    noise = photons * spot + optics.background_photons + optics.read_noise**2
    return np.asarray((flat / noise.ravel()) @ flat.T)


def _profile(distance_px: Floats, sigma_px: float) -> tuple[Floats, Floats]:
    """Share of the light in each pixel along one axis, and its derivative with respect to the spot's place."""
    edges = np.append(distance_px - 0.5, distance_px[-1] + 0.5) / sigma_px
    density = np.exp(-0.5 * edges**2) / (np.sqrt(2.0 * np.pi) * sigma_px)
    return 0.5 * np.diff(erf(edges / np.sqrt(2.0))), -np.diff(density)
