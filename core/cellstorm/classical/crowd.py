"""The fit of spots that share light with their neighbours.

Each spot is fitted in a window of its own; the light of the others in it, as they were fitted last, is taken as known. That is
done a few times over. Told all of the others' light at once, two close neighbours would overshoot by turns, so each
round is told a share of what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellstorm.classical.fit import Fits, Floats, X, Y, fit, spots
from cellstorm.classical.neighbours import near_pairs

_WINDOW_PX: Final = 7
_SAME_PX: Final = 1.0
_NEIGHBOUR_PX: Final = 9.0
_REACH_PX: Final = 8


class Windows(NamedTuple):
    """(n,) squares around a pixel each, moved inwards at the borders."""

    frame: NDArray[np.intp]
    top: NDArray[np.intp]
    left: NDArray[np.intp]
    photons: Floats  # (n, size, size)

    @classmethod
    def cut(
        cls,
        photons: NDArray[np.float32],
        frame: NDArray[np.intp],
        row: NDArray[np.intp],
        column: NDArray[np.intp],
    ) -> Windows:
        """From (frames, height, width) photons, around (n,) pixels."""
        height, width = photons.shape[1:]
        size = min(_WINDOW_PX, height, width)
        steps = np.arange(size)
        top = np.clip(row - size // 2, 0, height - size)
        left = np.clip(column - size // 2, 0, width - size)
        rows, columns = top[:, np.newaxis] + steps, left[:, np.newaxis] + steps
        squares = photons[frame[:, None, None], rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
        return cls(frame, top, left, squares.astype(np.float64))

    def places(self, parameters: Floats) -> tuple[Floats, Floats]:
        """(n,) x and y in the frame, pixels, of (n, 5) parameters in these windows."""
        return parameters[:, X] + self.left, parameters[:, Y] + self.top


def fit_together(windows: Windows, start: Floats, read_variance: float, shares: Sequence[float]) -> Fits:
    """One fit of all spots for each of `shares`: how much of the change in the others' light it is told."""
    others = np.zeros_like(windows.photons)
    fits = Fits(start, np.full_like(start, np.inf))
    for share in shares:
        others += share * (_light_of_others(windows, fits.parameters) - others)
        fits = fit(windows.photons, fits.parameters, read_variance, others)
    return fits


def _light_of_others(windows: Windows, parameters: Floats) -> Floats:
    """(n, size, size) photons in each window of the other windows' spots; one on the same place is no other."""
    light = np.zeros_like(windows.photons)
    x, y = windows.places(parameters)
    pairs = near_pairs(windows.frame, x, y, _NEIGHBOUR_PX)
    apart = np.hypot(*(axis[pairs[:, 0]] - axis[pairs[:, 1]] for axis in (x, y))) > _SAME_PX
    here, there = np.concatenate([pairs[apart], pairs[apart, ::-1]]).T
    seen = parameters[there]
    seen[:, X] += windows.left[there] - windows.left[here]
    seen[:, Y] += windows.top[there] - windows.top[here]
    np.add.at(light, here, spots(seen, light.shape[1]))
    return light


def draw(windows: Windows, parameters: Floats, chosen: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(frames, height, width) photons of the chosen windows' spots, without background."""
    x, y = (axis[chosen] for axis in windows.places(parameters))
    parameters = parameters[chosen]
    frames, height, width = shape
    # on a canvas with a margin, so that no patch needs clipping: a window's spot lies at most a window outside
    margin = _REACH_PX + 2
    canvas = np.zeros((frames, height + 2 * margin, width + 2 * margin), np.float32)
    row, column = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    parameters[:, X], parameters[:, Y] = x - column + _REACH_PX, y - row + _REACH_PX
    steps = np.arange(margin - _REACH_PX, margin + _REACH_PX + 1)
    rows, columns = row[:, np.newaxis] + steps, column[:, np.newaxis] + steps
    at = (windows.frame[chosen][:, None, None], rows[:, :, np.newaxis], columns[:, np.newaxis, :])
    np.add.at(canvas, at, spots(parameters, len(steps)).astype(np.float32))
    return canvas[:, margin:-margin, margin:-margin]
