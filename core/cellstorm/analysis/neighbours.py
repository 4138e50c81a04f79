"""Pairs of localizations that lie near each other in two frames, for all frames of a table at once.

Rows are sorted by frame, row of cells and cell, so that what may be near a localization is three runs of neighbours in
the sorted table; nothing is compared across frames or across the field.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellstorm.localizations import Localizations


class Pairs(NamedTuple):
    """(n,) arrays: indices of the earlier and of the later row, and how far apart they are in nm."""

    earlier: NDArray[np.intp]
    later: NDArray[np.intp]
    distance_nm: NDArray[np.float64]

    def keep(self, which: NDArray[np.bool_]) -> Pairs:
        """Those where `which`, (n,), is true."""
        return Pairs(self.earlier[which], self.later[which], self.distance_nm[which])


def pairs_between_frames(localizations: Localizations, gap: int, max_distance_nm: float) -> Pairs:
    """All pairs exactly `gap` frames and at most `max_distance_nm` apart."""
    frame = localizations["frame"].astype(np.int64)
    position = np.stack([localizations["x_nm"], localizations["y_nm"]], axis=1).astype(np.float64)
    if not len(frame):
        return _joined([])
    cell = ((position - position.min(axis=0)) // max_distance_nm).astype(np.int64) + 1
    columns, rows = cell.max(axis=0) + 2  # with a margin, so that neighbours of a border are nobody else's cells
    key = (frame * rows + cell[:, 1]) * columns + cell[:, 0]
    order = np.argsort(key, kind="stable")
    sorted_key, sorted_position = key[order], position[order]
    found = []
    for row in (-1, 0, 1):
        middle = sorted_key + (gap * rows + row) * columns
        first = np.searchsorted(sorted_key, middle - 1, side="left")
        count = np.searchsorted(sorted_key, middle + 1, side="right") - first
        earlier = np.repeat(np.arange(len(key)), count)
        later = np.arange(len(earlier)) + np.repeat(first - np.cumsum(count) + count, count)
        distance_nm = np.hypot(*(sorted_position[later] - sorted_position[earlier]).T)
        pairs = Pairs(order[earlier], order[later], distance_nm)
        found.append(pairs.keep(distance_nm <= max_distance_nm))
    return _joined(found)


def _joined(found: list[Pairs]) -> Pairs:
    nothing = np.zeros(0, np.intp)
    return Pairs(
        np.concatenate([nothing, *(pairs.earlier for pairs in found)]),
        np.concatenate([nothing, *(pairs.later for pairs in found)]),
        np.concatenate([np.zeros(0), *(pairs.distance_nm for pairs in found)]),
    )


def nearest(pairs: Pairs) -> Pairs:
    """For each earlier row that has any, its nearest later one; in order of the earlier rows."""
    order = np.lexsort((pairs.distance_nm, pairs.earlier))
    first = np.diff(pairs.earlier[order], prepend=-1) != 0
    chosen = order[first]
    return Pairs(pairs.earlier[chosen], pairs.later[chosen], pairs.distance_nm[chosen])


def mutual(pairs: Pairs) -> Pairs:
    """One to one: each row at most once as earlier and once as later.

    Two that are each other's nearest are taken, and again among what is left, until nothing is: what taking the shortest
    pair first would give.
    """
    taken = []
    while len(pairs.earlier):
        forth = nearest(pairs)
        back = nearest(Pairs(forth.later, forth.earlier, forth.distance_nm))
        won = Pairs(back.later, back.earlier, back.distance_nm)
        taken.append(won)
        pairs = pairs.keep(~np.isin(pairs.earlier, won.earlier) & ~np.isin(pairs.later, won.later))
    return _joined(taken)
