"""From a generator's `emitters` output to candidates: rows of the localization table, of which `cellstorm.presence` takes its pick.

An emitter near a pixel's edge is seen by two pixels or four, each with a share of the probability. Neighbours that point to
the same place speak of the same emitter: the likeliest of them stands for it, with the probability of all. Each of them draws
the place towards its own centre, so that it is their mean which is taken, weighted by probability and precision: it
keeps less to the grid of pixels, and errs by 2 % less.
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
LEAST_PROBABILITY: Final = 0.02
"""Of a candidate: hardly one that is less likely is reported, whatever a judge makes of it."""
LEAST_OF_A_PIXEL: Final = LEAST_PROBABILITY / 4
"""An emitter where four pixels meet."""
_LEAST_VARIANCE: Final = 1e-6
"""Squared pixels: whoever states none at all does not weigh infinitely."""
_MIDDLE: Final = 4
"""Index of the centre in a 3x3 neighbourhood, row by row."""

_CHANNEL: Final = {name: index for index, name in enumerate(EMITTER_CHANNELS)}


class _Pixels(NamedTuple):
    """(n,) each: pixels that may stand for an emitter."""

    frame: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]

    def kept(self, keep: NDArray[np.bool_]) -> _Pixels:
        return _Pixels(*(values[keep] for values in self))


class _Joined(NamedTuple):
    """(n,) each: what a pixel and those of its neighbours that agree with it say together."""

    probability: NDArray[np.float32]
    stands: NDArray[np.bool_]  # whether this one is the likeliest of them
    dx: NDArray[np.float32]  # pixels from its centre, as those that follow
    dy: NDArray[np.float32]
    variance: NDArray[np.float32]  # of a position, along an axis

    def kept(self, keep: NDArray[np.bool_]) -> _Joined:
        lengths = self.dx[keep], self.dy[keep], self.variance[keep]
        return _Joined(self.probability[keep], self.stands[keep], *lengths)


def to_candidates(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    """Rows sorted by frame, y, x.

    `output` is (frames, 8, height, width) as EMITTER_CHANNELS say; `frame_indices` (frames,) are their indices in the
    acquisition, rising. A frame's rows depend on its own output alone.
    """
    pixels = _Pixels(*np.nonzero(output[:, _CHANNEL["probability"]] > LEAST_OF_A_PIXEL))
    is_number = np.isfinite(output[pixels.frame, :, pixels.row, pixels.column]).all(axis=1)
    pixels = pixels.kept(np.asarray(is_number))
    joined = _join_neighbours(output, pixels)
    likely = joined.stands & (joined.probability > LEAST_PROBABILITY)
    pixels, joined = pixels.kept(likely), joined.kept(likely)
    value = output[pixels.frame, :, pixels.row, pixels.column]

    def channel(name: str) -> NDArray[np.float32]:
        return value[:, _CHANNEL[name]]

    table = np.zeros(len(value), LOCALIZATION)
    table["frame"] = frame_indices[pixels.frame]
    table["x_nm"] = (pixels.column + joined.dx) * pixel_size_nm
    table["y_nm"] = (pixels.row + joined.dy) * pixel_size_nm
    table["photons"] = channel("signal") * camera.gain
    table["background_photons"] = np.maximum(0.0, (channel("background") - camera.offset) * camera.gain)
    table["precision_nm"] = pixel_size_nm * np.sqrt(joined.variance)
    table["psf_sigma_nm"] = channel("psf_sigma") * pixel_size_nm
    table["probability"] = np.minimum(1.0, joined.probability)
    finite = np.logical_and.reduce([np.isfinite(table[name]) for name in LOCALIZATION.names or ()])
    table = table[finite]  # where a network has gone astray, its chunk's other candidates still count
    return table[np.lexsort((table["x_nm"], table["y_nm"], table["frame"]))]


def _join_neighbours(output: NDArray[np.float32], pixels: _Pixels) -> _Joined:
    height, width = output.shape[2:]
    steps = np.arange(-1, 2)
    down, right = np.repeat(steps, 3), np.tile(steps, 3)
    row, column = pixels.row[:, np.newaxis] + down, pixels.column[:, np.newaxis] + right
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    value = output[pixels.frame[:, np.newaxis], :, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]

    def channel(name: str) -> NDArray[np.float32]:
        return value[..., _CHANNEL[name]]

    dx, dy = right + channel("dx"), down + channel("dy")  # from the middle pixel's centre
    apart = np.hypot(dx - dx[:, _MIDDLE, np.newaxis], dy - dy[:, _MIDDLE, np.newaxis])
    shared = np.where(inside & (apart < _SAME_PX), channel("probability"), np.float32(0.0))
    variance = (channel("sigma_x") ** 2 + channel("sigma_y") ** 2) / 2
    weight = shared / np.maximum(variance, _LEAST_VARIANCE)
    weight /= weight.sum(axis=1, keepdims=True)
    return _Joined(
        probability=shared.sum(axis=1),
        # argmax takes the first of equals: of two pixels with the same probability the left or upper one stands for
        # both, in the other's neighbourhood as well as in its own
        stands=np.asarray(shared.argmax(axis=1) == _MIDDLE),
        dx=(weight * dx).sum(axis=1),
        dy=(weight * dy).sum(axis=1),
        variance=(weight * variance).sum(axis=1),
    )
