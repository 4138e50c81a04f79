"""From a generator's `emitters` output to the localization table.

An emitter near a pixel's edge is seen by two pixels or four, each with a share of the probability. Neighbours that point to
the same place speak of the same emitter: the likeliest of them reports it, with the probability of all.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.generator import EMITTER_CHANNELS
from cellstorm.localizations import LOCALIZATION, Localizations

_SAME_PX: Final = 1.0
"""Neighbouring pixels whose predictions are nearer to each other mean one emitter."""
_SHARE: Final = 0.25
"""Least share of the threshold in one pixel: an emitter where four pixels meet."""
_SELF: Final = 4
"""Index of the centre in a 3x3 neighbourhood, row by row."""

_CHANNEL: Final = {name: index for index, name in enumerate(EMITTER_CHANNELS)}


class _Candidates(NamedTuple):
    """(n,) each: pixels that may report an emitter."""

    frame: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]

    def kept(self, keep: NDArray[np.bool_]) -> _Candidates:
        return _Candidates(self.frame[keep], self.row[keep], self.column[keep])


def to_localizations(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    camera: Camera,
    pixel_size_nm: float,
    threshold: float,
) -> Localizations:
    """Rows sorted by frame, y, x.

    `output` is (frames, 8, height, width) as EMITTER_CHANNELS say; `frame_indices` (frames,) are their indices in the
    acquisition, rising.
    """
    candidates = _Candidates(*np.nonzero(output[:, _CHANNEL["probability"]] > _SHARE * threshold))
    probability, reports = _join_neighbours(output, candidates)
    found = reports & (probability > threshold)
    candidates, probability = candidates.kept(found), probability[found]
    value = output[candidates.frame, :, candidates.row, candidates.column]

    def channel(name: str) -> NDArray[np.float32]:
        return value[:, _CHANNEL[name]]

    table = np.zeros(len(probability), LOCALIZATION)
    table["frame"] = frame_indices[candidates.frame]
    table["x_nm"] = (candidates.column + channel("dx")) * pixel_size_nm
    table["y_nm"] = (candidates.row + channel("dy")) * pixel_size_nm
    table["photons"] = channel("signal") * camera.gain
    table["background_photons"] = np.maximum(0.0, (channel("background") - camera.offset) * camera.gain)
    table["precision_nm"] = pixel_size_nm * np.sqrt((channel("sigma_x") ** 2 + channel("sigma_y") ** 2) / 2)
    table["psf_sigma_nm"] = channel("psf_sigma") * pixel_size_nm
    table["probability"] = np.minimum(1.0, probability)
    return table[np.lexsort((table["x_nm"], table["y_nm"], table["frame"]))]


def _join_neighbours(
    output: NDArray[np.float32], candidates: _Candidates
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n,) probability of a candidate and those neighbours that agree with it, and whether it is the one to report."""
    height, width = output.shape[2:]
    steps = np.arange(-1, 2)
    row = candidates.row[:, np.newaxis] + np.repeat(steps, 3)
    column = candidates.column[:, np.newaxis] + np.tile(steps, 3)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    frame = candidates.frame[:, np.newaxis]
    probability = output[frame, _CHANNEL["probability"], row, column]
    x = column + output[frame, _CHANNEL["dx"], row, column]
    y = row + output[frame, _CHANNEL["dy"], row, column]
    apart = np.hypot(x - x[:, _SELF : _SELF + 1], y - y[:, _SELF : _SELF + 1])
    shared = np.where(inside & (apart < _SAME_PX), probability, np.float32(0.0))
    # argmax takes the first of equals: of two pixels with the same probability the left or upper one reports,
    # in the other's neighbourhood as well as in its own
    return shared.sum(axis=1), np.asarray(shared.argmax(axis=1) == _SELF)
