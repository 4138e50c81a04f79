"""From frames to localizations without a network: find spots, fit each in its own window, report those that make sense.

Neighbours share light. After a first fit of every spot alone, each is fitted once more with the light of the others, as the
first fit found them, taken as known.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cellstorm.camera import Camera
from cellstorm.classical import fit
from cellstorm.classical.candidates import Candidates, find_candidates
from cellstorm.classical.fit import BACKGROUND, PHOTONS, SIGMA, Fits, Floats, X, Y
from cellstorm.localizations import LOCALIZATION, Localizations

_WINDOW_PX: Final = 7
_START_SIGMA_PX: Final = 1.3
_SPOT_SIGMA_PX: Final = (0.6, 3.0)
_FARTHEST_PX: Final = 2.0
_SAME_PX: Final = 1.0
_NEIGHBOUR_PX: Final = 9.0
PASSES=2

def significance_of(probability: float) -> float:
    return 5.0 * probability / (1.0 - probability)

def localize(counts, frame_indices, *, camera: Camera, pixel_size_nm: float, threshold: float) -> Localizations:
    photons = ((counts - camera.offset) * camera.gain).astype(np.float32)
    read_variance = camera.read_noise**2
    candidates = find_candidates(photons, read_variance, significance_of(threshold))
    size = min(_WINDOW_PX, *photons.shape[1:])
    top, left = (np.clip(at - size // 2, 0, length - size) for at, length in zip((candidates.row, candidates.column), photons.shape[1:], strict=True))
    steps = np.arange(size)
    windows = photons[candidates.frame[:, None, None], (top[:, None] + steps)[:, :, None], (left[:, None] + steps)[:, None, :]].astype(np.float64)
    start = _start(windows, candidates.row - top, candidates.column - left)
    fits = fit.fit(windows, start, read_variance)
    for _ in range(PASSES-1):
        others = _others(fits, candidates.frame, top, left, size)
        fits = fit.fit(windows, fits.parameters, read_variance, others)
    P,E = fits.parameters, fits.errors
    x, y = P[:, X] + left, P[:, Y] + top
    ok = _sensible(fits, x - candidates.column, y - candidates.row)
    ok = ok.nonzero()[0]
    ok = ok[_first_of_each(candidates.frame[ok], x[ok], y[ok], candidates.significance[ok])]
    t = np.zeros(len(ok), LOCALIZATION)
    t["frame"] = frame_indices[candidates.frame[ok]]
    t["x_nm"] = x[ok] * pixel_size_nm; t["y_nm"] = y[ok] * pixel_size_nm
    t["photons"] = P[ok, PHOTONS]; t["background_photons"] = P[ok, BACKGROUND]
    t["precision_nm"] = pixel_size_nm * np.sqrt((E[ok, X]**2 + E[ok, Y]**2) / 2)
    t["psf_sigma_nm"] = P[ok, SIGMA] * pixel_size_nm
    s = candidates.significance[ok]
    t["probability"] = s / (s + 5)
    localize.debug = dict(sig=s, perr=E[ok, PHOTONS], serr=E[ok,SIGMA])
    return t[np.lexsort((t["x_nm"], t["y_nm"], t["frame"]))] if False else t


def _start(windows, row, column):
    size = windows.shape[1]
    background = np.maximum(np.percentile(windows.reshape(len(windows), -1), 25, axis=1), 0.0) if len(windows) else np.zeros(0)
    photons = np.maximum(10.0, 1.1*(windows - background[:, None, None]).sum(axis=(1, 2)))
    return np.stack([column, row, photons, background, np.full(len(windows), _START_SIGMA_PX)], axis=1).astype(np.float64)


def _others(fits, frame, top, left, size):
    P = fits.parameters
    others = np.zeros((len(frame), size, size))
    x, y = P[:, X] + left, P[:, Y] + top
    pairs = cKDTree(np.stack([x, y, frame * 1e4], axis=1)).query_pairs(_NEIGHBOUR_PX, output_type="ndarray") if len(frame) else np.zeros((0,2),int)
    if not len(pairs): return others
    pairs = pairs[np.hypot(x[pairs[:,0]]-x[pairs[:,1]], y[pairs[:,0]]-y[pairs[:,1]]) > 1.0]
    here, there = np.concatenate([pairs, pairs[:, ::-1]]).T
    o = np.lexsort((there, here)); here, there = here[o], there[o]
    shifted = P[there].copy()
    shifted[:, X] += left[there] - left[here]
    shifted[:, Y] += top[there] - top[here]
    np.add.at(others, here, fit.spots(shifted, size))
    return others


def _sensible(fits, dx, dy):
    P = fits.parameters
    return (np.abs(dx) < _FARTHEST_PX) & (np.abs(dy) < _FARTHEST_PX) & (P[:, SIGMA] > _SPOT_SIGMA_PX[0]) & (P[:, SIGMA] < _SPOT_SIGMA_PX[1]) & (P[:, PHOTONS] > 1.0)


def _first_of_each(frame, x, y, significance):
    order = np.lexsort((np.arange(len(frame)), -significance))
    if not len(frame): return order
    rank = np.empty(len(frame), int); rank[order] = np.arange(len(frame))
    pairs = cKDTree(np.stack([x, y, frame * 1e4], axis=1)).query_pairs(_SAME_PX, output_type="ndarray")
    worse = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 1], pairs[:, 0])
    keep = np.ones(len(frame), bool); keep[worse] = False
    return keep
