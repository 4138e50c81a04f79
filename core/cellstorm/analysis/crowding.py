"""How many localizations have a neighbour in the same frame that their spot overlaps with."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import KDTree

from cellstorm.localizations import Localizations

_SIGMAS: Final = 3.0
"""Of the spot: nearer ones share a fit's window and a good part of its light."""
_USUAL_SIGMA_NM: Final = 130.0
_SAMPLE: Final = 200_000
_MIN_LOCALIZATIONS: Final = 100


def crowded_share(table: Localizations) -> float | None:
    """Share of an (n,) table's rows; of every n-th frame where it has more than 200,000. None for fewer than 100."""
    rows = table[np.isfinite(table["x_nm"]) & np.isfinite(table["y_nm"])]
    rows = rows[rows["frame"] % -(-max(1, len(rows)) // _SAMPLE) == 0]
    if len(rows) < _MIN_LOCALIZATIONS:
        return None
    sigmas = rows["psf_sigma_nm"][np.isfinite(rows["psf_sigma_nm"])]
    within_nm = _SIGMAS * (float(np.median(sigmas)) if len(sigmas) else _USUAL_SIGMA_NM)
    apart_nm = 2 * within_nm  # of frames, as a third dimension
    place = np.column_stack([rows["x_nm"], rows["y_nm"], rows["frame"] * np.float64(apart_nm)]).astype(np.float64)
    nearest, _ = KDTree(place).query(place, k=[2], distance_upper_bound=within_nm)
    return float(np.isfinite(nearest).mean())
