"""From frames to localizations without a network: find spots, fit them, report those that make sense.

A spot on the shoulder of a brighter one is no local maximum. So what was fitted is taken out of the frame, what remains is
searched again, and all are fitted once more together.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.classical.candidates import Candidates, find_candidates
from cellstorm.classical.crowd import Windows, draw, fit_together
from cellstorm.classical.fit import BACKGROUND, PHOTONS, SIGMA, Fits, Floats, X, Y
from cellstorm.classical.neighbours import near_pairs
from cellstorm.localizations import LOCALIZATION, Localizations

_START_SIGMA_PX: Final = 1.3
_START_PERCENTILE: Final = 25  # of a window's pixels: its background, spot and neighbours notwithstanding
_FIRST_SHARES: Final = (0.0, 0.5, 0.8)
_LAST_SHARES: Final = (1.0, 0.5, 1.0)
_REMAINDER: Final = 1.5
"""As many times more significant a spot in the remainder must be: where a bright one was taken out, its misfit stays."""
_SPOT_SIGMA_PX: Final = (0.6, 3.0)
_LEAST_PHOTONS: Final = 1.5  # the fit's lower bound is below
_FARTHEST_PX: Final = 2.0
_SAME_PX: Final = 1.0
_EVEN_SIGNIFICANCE: Final = 4.2
"""That becomes a probability of 1/2: on thirty simulated recordings of several widths, structures and brightnesses,
uncompressed to CRF 33, the threshold of the highest mean Jaccard (4.0 and 4.4 reach 0.002 less)."""


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
    least = _EVEN_SIGNIFICANCE * threshold / (1.0 - threshold)
    first = find_candidates(photons, np.zeros_like(photons), read_variance, least)
    windows = _windows(photons, first)
    fits = fit_together(windows, _start(windows, first), read_variance, _FIRST_SHARES)

    kept = _reported(fits, first, windows)
    explained = draw(windows, fits.parameters, kept, photons.shape)
    second = find_candidates(photons, explained, read_variance, _REMAINDER * least)
    late_start = _start(_windows(photons - explained, second), second)
    candidates = first.chosen(kept).followed_by(second)
    windows = _windows(photons, candidates)
    start = np.concatenate([fits.parameters[kept], late_start])
    fits = fit_together(windows, start, read_variance, _LAST_SHARES)
    reported = _reported(fits, candidates, windows)
    return _table(fits, candidates, windows, reported, frame_indices, pixel_size_nm)


def _windows(photons: NDArray[np.float32], candidates: Candidates) -> Windows:
    return Windows.cut(photons, candidates.frame, candidates.row, candidates.column)


def _start(windows: Windows, candidates: Candidates) -> Floats:
    """(n, 5) parameters: the candidate's pixel, an ordinary width, light above the window's darker pixels."""
    count, size = windows.photons.shape[:2]
    flat = windows.photons.reshape(count, size * size)
    start = np.empty((count, 5))
    start[:, X] = candidates.column - windows.left
    start[:, Y] = candidates.row - windows.top
    start[:, BACKGROUND] = np.percentile(flat, _START_PERCENTILE, axis=1)
    start[:, PHOTONS] = np.maximum(_LEAST_PHOTONS, (flat - start[:, BACKGROUND, np.newaxis]).sum(axis=1))
    start[:, SIGMA] = _START_SIGMA_PX
    return start


def _sensible(fits: Fits, candidates: Candidates, windows: Windows) -> NDArray[np.intp]:
    """Indices of those fits that found a spot, near where it was looked for."""
    x, y = windows.places(fits.parameters)
    narrowest, widest = _SPOT_SIGMA_PX
    sigma, photons = fits.parameters[:, SIGMA], fits.parameters[:, PHOTONS]
    near = (np.abs(x - candidates.column) <= _FARTHEST_PX) & (np.abs(y - candidates.row) <= _FARTHEST_PX)
    return np.flatnonzero(near & (sigma > narrowest) & (sigma < widest) & (photons > _LEAST_PHOTONS))


def _reported(fits: Fits, candidates: Candidates, windows: Windows) -> NDArray[np.intp]:
    """Indices of sensible fits, each place once: of fits that ended on the same one, the most significant candidate's."""
    sensible = _sensible(fits, candidates, windows)
    x, y = windows.places(fits.parameters)
    pairs = sensible[near_pairs(candidates.frame[sensible], x[sensible], y[sensible], _SAME_PX)]
    significance = candidates.significance[pairs]
    worse = np.where(significance[:, 0] >= significance[:, 1], pairs[:, 1], pairs[:, 0])
    return np.setdiff1d(sensible, worse)


def _table(
    fits: Fits,
    candidates: Candidates,
    windows: Windows,
    reported: NDArray[np.intp],
    frame_indices: NDArray[np.integer],
    pixel_size_nm: float,
) -> Localizations:
    x, y = windows.places(fits.parameters)
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
