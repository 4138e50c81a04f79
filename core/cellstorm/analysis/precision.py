"""NeNA: localization precision from what emitters did, not from what a fit believes of itself.

An emitter that shines in two adjacent frames is localized twice, and how far apart the two are tells the precision
(Endesfelder et al., Histochemistry and Cell Biology 141, 629, 2014). The distance d of a localization to its nearest
neighbour in the next frame is distributed as

    d / (2 s^2) exp(-d^2 / (4 s^2))

for the same emitter, s being the precision along one axis, and, for other emitters, as a Gaussian (structure that lies
near) and a straight line (chance). The sum of the three is fitted to the histogram of distances.

Where no emitter shines in two frames, dense structure alone can look alike; so there must be clearly more neighbours
in the next frame than in one so much later that emitters have gone dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from cellstorm.analysis.neighbours import nearest, pairs_between_frames
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations

MIN_PAIRS: Final = 300
_MAX_DISTANCE_NM: Final = 300.0
_BINS: Final = 100
_MIN_SHARE: Final = 0.1
"""Of all neighbours, that are the same emitter."""
_LATER_FRAMES: Final = 200
_USUAL_NM: Final = 20.0
_MAX_RELATIVE_ERROR: Final = 0.1
_TOO_SHORT: Final = "too few emitters shine in two adjacent frames to tell the precision from their neighbours"


@dataclass(frozen=True, slots=True, eq=False)
class Nena:
    """Precision along one axis, one sigma, and what it was read from.

    Attributes
    ----------
    precision_nm, uncertainty_nm
        The fit's s and its standard error.
    distance_nm, count, fit
        (bins,) middles of the histogram of neighbour distances, how many there are, and how many by the fit.
    """

    precision_nm: float
    uncertainty_nm: float
    distance_nm: NDArray[np.float64]
    count: NDArray[np.int64]
    fit: NDArray[np.float64]


def typical_precision_nm(localizations: Localizations) -> float:
    """Median of what localizations believe of themselves; 20 nm where none of an (n,) table believes anything."""
    precision_nm = localizations["precision_nm"]
    known = precision_nm[np.isfinite(precision_nm)]
    return float(np.median(known)) if len(known) else _USUAL_NM


def nena_precision(localizations: Localizations, max_distance_nm: float = _MAX_DISTANCE_NM) -> Nena | Unknown:
    """NeNA of an (n,) table in any order; neighbours further than `max_distance_nm` tell nothing about precision."""
    rows = localizations[np.isfinite(localizations["x_nm"]) & np.isfinite(localizations["y_nm"])]
    distance_nm = nearest(pairs_between_frames(rows, 1, max_distance_nm)).distance_nm
    if len(distance_nm) < MIN_PAIRS:
        return Unknown(
            f"NeNA needs {MIN_PAIRS} localizations with a neighbour in the next frame, and there are {len(distance_nm)}"
        )
    if not _emitters_last(rows, len(distance_nm), max_distance_nm):
        return Unknown(_TOO_SHORT)
    # A first look at all, then at what the precision can reach.
    reach_nm = max_distance_nm
    for _ in range(3):
        fitted = _fit(distance_nm[distance_nm <= reach_nm], reach_nm)
        if isinstance(fitted, Unknown):
            return fitted
        reach_nm = min(max_distance_nm, 8 * fitted.precision_nm)
    return fitted


def _emitters_last(rows: Localizations, neighbours: int, max_distance_nm: float) -> bool:
    """Whether `neighbours`, in the next frame, are clearly more than there would be if all emitters went dark."""
    since_first = rows["frame"].astype(np.int64) - int(rows["frame"].min())
    frames = int(since_first.max()) + 1
    gap = min(_LATER_FRAMES, frames // 2)
    if gap < 2:
        return False
    by_chance = len(nearest(pairs_between_frames(rows, gap, max_distance_nm)).distance_nm)
    asked, asked_later = (int(np.count_nonzero(since_first < frames - after)) for after in (1, gap))
    more = asked / max(1, asked_later)
    expected = by_chance * more
    noise = np.sqrt(neighbours + expected * more)
    return bool(neighbours - expected > max(_MIN_SHARE * neighbours, 5 * noise))


def _fit(distance_nm: NDArray[np.float64], reach_nm: float) -> Nena | Unknown:
    """The model of the module's docstring, least squares with each bin weighted by its counting error."""
    count, edges = np.histogram(distance_nm, bins=_BINS, range=(0, reach_nm))
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1]
    error = np.sqrt(count + 1.0)

    def model(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        same, sigma, near, centre, spread, chance = parameters
        single = same * middle / (2 * sigma**2) * np.exp(-((middle / (2 * sigma)) ** 2))
        other = near / (spread * np.sqrt(2 * np.pi)) * np.exp(-(((middle - centre) / spread) ** 2) / 2)
        return np.asarray((single + other + chance * middle) * width)

    total = float(count.sum())
    smooth = np.convolve(count, np.ones(5), mode="same")
    peak_nm = float(middle[np.argmax(smooth)])
    low = [0, width / 4, 0, reach_nm / 5, reach_nm / 20, 0]
    high = [2 * total, reach_nm / 2, 2 * total, 2 * reach_nm, reach_nm, np.inf]
    start_nm = float(np.clip(peak_nm / np.sqrt(2), width / 2, reach_nm / 3))
    start = [0.8 * total, start_nm, 0.05 * total, reach_nm / 2, reach_nm / 4, 0.2 * total / reach_nm**2]
    found = least_squares(lambda p: (model(p) - count) / error, start, bounds=(low, high), x_scale=np.abs(start))
    information = found.jac.T @ found.jac
    uncertainty_nm = float(np.sqrt(max(0.0, np.linalg.pinv(information)[1, 1])))
    same, sigma_nm = float(found.x[0]), float(found.x[1])
    sharp = found.success and uncertainty_nm < _MAX_RELATIVE_ERROR * sigma_nm and sigma_nm < 0.9 * high[1]
    if not sharp or same < _MIN_SHARE * total:
        return Unknown(_TOO_SHORT)
    return Nena(sigma_nm, uncertainty_nm, middle, count.astype(np.int64), model(found.x))
