"""Repeated localizations of one emitter, linked over adjacent frames into one row.

An emitter that shines for several frames is localized in each. Localizations at most `max_distance_nm` apart, with at most
`max_dark_frames` frames without one between them, are taken for the same emitter; each has at most one predecessor and
one successor, the nearest first, in the nearest frame first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellstorm.analysis.neighbours import mutual, pairs_between_frames
from cellstorm.localizations import LOCALIZATION, Localizations

_LINK_SIGMAS: Final = 3.0
_LINK_NM: Final = (20.0, 250.0)
MIN_PHOTONS: Final = 1e-3
"""Least weight of a localization, also of one whose photons are unknown or infinite, so that those of an emitter always have a mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """Emitters, and which localizations are theirs.

    Attributes
    ----------
    table
        (emitters,) by first frame: `frame` is the first one; position and PSF width are means weighted by photons, equally
        where those are unknown; photons are summed, background (per frame) averaged; `precision_nm` is that of the mean
        position, by propagation of errors: sqrt(sum((weight * precision)^2)) / sum(weight); `probability` is the highest.
    emitter
        (localizations,) index into `table` for each row that was linked.
    on_frames
        (emitters,) from the first frame to the last, both included, dark ones between them too.
    localizations
        (emitters,) how many rows each is made from.
    """

    table: Localizations
    emitter: NDArray[np.intp]
    on_frames: NDArray[np.int64]
    localizations: NDArray[np.int64]


def distance_to_link_nm(precision_nm: float) -> float:
    """Three sigma of the distance of two localizations of one emitter, of that precision along each axis."""
    return float(np.clip(_LINK_SIGMAS * np.sqrt(2) * precision_nm, *_LINK_NM))


def link(localizations: Localizations, max_distance_nm: float, max_dark_frames: int = 1) -> Linked:
    """Link an (n,) table in any order; rows whose position is not finite stay alone."""
    count = len(localizations)
    free_as_earlier, free_as_later = (np.isfinite(localizations["x_nm"] + localizations["y_nm"]) for _ in range(2))
    earlier, later = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    for gap in range(1, max_dark_frames + 2):
        usable = np.flatnonzero(free_as_earlier | free_as_later)
        pairs = pairs_between_frames(localizations[usable], gap, max_distance_nm)
        pairs = pairs._replace(earlier=usable[pairs.earlier], later=usable[pairs.later])
        taken = mutual(pairs.keep(free_as_earlier[pairs.earlier] & free_as_later[pairs.later]))
        free_as_earlier[taken.earlier] = False
        free_as_later[taken.later] = False
        earlier.append(taken.earlier)
        later.append(taken.later)
    sources, targets = np.concatenate(earlier), np.concatenate(later)
    graph = coo_array((np.ones(len(sources), np.int8), (sources, targets)), shape=(count, count))
    emitters, label = connected_components(graph, directed=False)
    return _merged(localizations, int(emitters), label)


def _merged(localizations: Localizations, emitters: int, label: NDArray[np.int32]) -> Linked:
    first, last = np.full(emitters, np.iinfo(np.int64).max), np.zeros(emitters, np.int64)
    frame = localizations["frame"].astype(np.int64)
    np.minimum.at(first, label, frame)
    np.maximum.at(last, label, frame)
    order = np.argsort(first, kind="stable")
    emitter = np.argsort(order)[label]
    photons = localizations["photons"].astype(np.float64)
    weight = np.where(np.isfinite(photons), np.maximum(photons, MIN_PHOTONS), MIN_PHOTONS)
    table = np.zeros(emitters, LOCALIZATION)

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.bincount(emitter, weights=values, minlength=emitters).astype(np.float64)

    rows = np.bincount(emitter, minlength=emitters)
    weights = total(weight)
    table["frame"] = first[order]
    for name in ("x_nm", "y_nm", "psf_sigma_nm"):
        table[name] = total(weight * localizations[name]) / weights
    table["photons"] = total(photons)
    table["background_photons"] = total(localizations["background_photons"]) / rows
    table["precision_nm"] = np.sqrt(total((weight * localizations["precision_nm"]) ** 2)) / weights
    table["probability"] = np.nan
    np.fmax.at(table["probability"], emitter, localizations["probability"])
    return Linked(table, emitter, (last - first + 1)[order], rows)
