"""From frames to localizations without a network: find spots, fit each in its own window, report those that make sense.

Neighbours share light. After a first fit of every spot alone, each is fitted again, a few times, with the light of the
others, as the fit before found it, taken as known.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.classical.candidates import Candidates, find_candidates
from cellstorm.classical.fit import BACKGROUND, PHOTONS, SIGMA, Fits, Floats, X, Y, fit, spots
from cellstorm.classical.neighbours import near_pairs
from cellstorm.localizations import LOCALIZATION, Localizations

_WINDOW_PX: Final = 7
_START_SIGMA_PX: Final = 1.3
_START_PERCENTILE: Final = 25  # of a window's pixels: its background, spot and neighbours notwithstanding
_SPOT_SIGMA_PX: Final = (0.6, 3.0)
_LEAST_PHOTONS: Final = 1.5  # the fit's lower bound is below
_FARTHEST_PX: Final = 2.0
_SAME_PX: Final = 1.0
_NEIGHBOUR_PX: Final = 9.0
_SHARES: Final = (0.5, 0.8, 1.0)
"""How much of the change in the others' light each further fit is told. Told all at once, close neighbours overshoot."""
_EVEN_SIGNIFICANCE: Final = 4.2
"""That becomes a probability of 1/2: on thirty simulated recordings of several widths, structures and brightnesses,
uncompressed to CRF 33, the threshold of the highest mean Jaccard (4.0 and 4.4 reach 0.002 less)."""


class _Windows(NamedTuple):
    """(n,) squares of a candidate each, moved inwards at the borders."""

    top: NDArray[np.intp]
    left: NDArray[np.intp]
    photons: Floats  # (n, size, size)


def localize(
    counts: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    camera: Camera,
    pixel_size_nm: float,
    threshold: float,
) -> Localizations:
    """Rows sorted by frame, y, x.

    `counts` is (frames, height, width); `frame_indices` (frames,) are their indices in the acquisition, rising. A spot of
    s standard deviations of noise (see `find_candidates`) gets the probability s / (s + 4.2), which is a measure to
    sort by rather than a frequency; `threshold` is the least one.
    """
    photons = ((counts - camera.offset) * camera.gain).astype(np.float32)
    read_variance = camera.read_noise**2
    candidates = find_candidates(photons, read_variance, _EVEN_SIGNIFICANCE * threshold / (1.0 - threshold))
    windows = _cut(photons, candidates)
    fits = fit(windows.photons, _start(windows, candidates), read_variance)
    others = np.zeros_like(windows.photons)
    for share in _SHARES:
        others += share * (_light_of_others(fits, candidates, windows) - others)
        fits = fit(windows.photons, fits.parameters, read_variance, others)
    reported = _reported(fits, candidates, windows)
    return _table(fits, candidates, windows, reported, frame_indices, pixel_size_nm)


def _cut(photons: NDArray[np.float32], candidates: Candidates) -> _Windows:
    height, width = photons.shape[1:]
    size = min(_WINDOW_PX, height, width)
    steps = np.arange(size)
    top = np.clip(candidates.row - size // 2, 0, height - size)
    left = np.clip(candidates.column - size // 2, 0, width - size)
    rows, columns = top[:, np.newaxis] + steps, left[:, np.newaxis] + steps
    cut = photons[candidates.frame[:, None, None], rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return _Windows(top, left, cut.astype(np.float64))


def _start(windows: _Windows, candidates: Candidates) -> Floats:
    """(n, 5) parameters: the candidate's pixel, an ordinary width, light above the window's darker pixels."""
    count, size = windows.photons.shape[:2]
    flat = windows.photons.reshape(count, size * size)
    start = np.empty((count, 5))
    start[:, X] = candidates.column - windows.left
    start[:, Y] = candidates.row - windows.top
    start[:, BACKGROUND] = np.percentile(flat, _START_PERCENTILE, axis=1)
    start[:, PHOTONS] = (flat - start[:, BACKGROUND, np.newaxis]).sum(axis=1)
    start[:, SIGMA] = _START_SIGMA_PX
    return start


def _light_of_others(fits: Fits, candidates: Candidates, windows: _Windows) -> Floats:
    """(n, size, size) photons in each window of the spots in other windows nearby; those on the same place are no others."""
    light = np.zeros_like(windows.photons)
    x, y = _places(fits, windows)
    pairs = near_pairs(candidates.frame, x, y, _NEIGHBOUR_PX)
    apart = np.hypot(*(axis[pairs[:, 0]] - axis[pairs[:, 1]] for axis in (x, y))) > _SAME_PX
    here, there = np.concatenate([pairs[apart], pairs[apart, ::-1]]).T
    seen = fits.parameters[there]
    seen[:, X] += windows.left[there] - windows.left[here]
    seen[:, Y] += windows.top[there] - windows.top[here]
    np.add.at(light, here, spots(seen, light.shape[1]))
    return light


def _places(fits: Fits, windows: _Windows) -> tuple[Floats, Floats]:
    """(n,) x and y in the frame, pixels."""
    return fits.parameters[:, X] + windows.left, fits.parameters[:, Y] + windows.top


def _sensible(fits: Fits, candidates: Candidates, windows: _Windows) -> NDArray[np.bool_]:
    """Whether a fit found a spot, near where it was looked for."""
    x, y = _places(fits, windows)
    narrowest, widest = _SPOT_SIGMA_PX
    sigma, photons = fits.parameters[:, SIGMA], fits.parameters[:, PHOTONS]
    near = (np.abs(x - candidates.column) <= _FARTHEST_PX) & (np.abs(y - candidates.row) <= _FARTHEST_PX)
    return np.asarray(near & (sigma > narrowest) & (sigma < widest) & (photons > _LEAST_PHOTONS))


def _reported(fits: Fits, candidates: Candidates, windows: _Windows) -> NDArray[np.intp]:
    """Indices of sensible fits, each place once: of fits that ended on the same one, the most significant candidate's."""
    sensible = np.flatnonzero(_sensible(fits, candidates, windows))
    x, y = _places(fits, windows)
    pairs = sensible[near_pairs(candidates.frame[sensible], x[sensible], y[sensible], _SAME_PX)]
    significance = candidates.significance[pairs]
    worse = np.where(significance[:, 0] >= significance[:, 1], pairs[:, 1], pairs[:, 0])
    return np.setdiff1d(sensible, worse)


def _table(
    fits: Fits,
    candidates: Candidates,
    windows: _Windows,
    reported: NDArray[np.intp],
    frame_indices: NDArray[np.integer],
    pixel_size_nm: float,
) -> Localizations:
    x, y = _places(fits, windows)
    parameters, errors = fits.parameters[reported], fits.errors[reported]
    significance = candidates.significance[reported]
    table = np.zeros(len(reported), LOCALIZATION)
    table["frame"] = frame_indices[candidates.frame[reported]]
    table["x_nm"] = x[reported] * pixel_size_nm
    table["y_nm"] = y[reported] * pixel_size_nm
    table["photons"] = parameters[:, PHOTONS]
    table["background_photons"] = parameters[:, BACKGROUND]
    table["precision_nm"] = pixel_size_nm * np.sqrt((errors[:, X] ** 2 + errors[:, Y] ** 2) / 2)
    table["psf_sigma_nm"] = parameters[:, SIGMA] * pixel_size_nm
    table["probability"] = significance / (significance + _EVEN_SIGNIFICANCE)
    return table[np.lexsort((table["x_nm"], table["y_nm"], table["frame"]))]
