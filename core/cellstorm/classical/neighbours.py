"""Which spots of a frame are near each other, for many frames at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_FRAMES_APART_PX: Final = 1e5
"""Frames lie side by side in the tree, farther apart than any frame is wide."""


def near_pairs(
    frame: NDArray[np.intp], x_px: NDArray[np.float64], y_px: NDArray[np.float64], within_px: float
) -> NDArray[np.intp]:
    """(pairs, 2) indices of spots in the same frame, the lower one first; sorted."""
    if not len(frame):
        return np.zeros((0, 2), np.intp)
    places = np.stack([x_px, y_px, frame * _FRAMES_APART_PX], axis=1)
    pairs = cKDTree(places).query_pairs(within_px, output_type="ndarray")
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], np.intp)
