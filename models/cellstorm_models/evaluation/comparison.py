"""A localization table beside the truth: what became of each emitter, and what each localization was.

Comparisons of several recordings can be pooled, and a comparison can be narrowed to emitters of some brightness or
density; metrics are counted from either in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cellstorm.localizations import Localizations
from cellstorm.scoring import CARE_ON, DEFAULT_TOLERANCE_NM, Truth, matches
from cellstorm_models.evaluation.limit import Optics, position_limit_nm

EMITTER: Final = np.dtype(
    [
        ("photons", "<f8"),
        ("on", "<f8"),
        ("neighbour_nm", "<f8"),  # distance to the nearest other emitter in the frame; inf where there is none
        ("limit_nm", "<f8"),  # least standard deviation of x, were it alone; NaN where the optics are not known
        ("found", "?"),
        # of the localization that found it; NaN without one
        ("error_x_nm", "<f8"),
        ("error_y_nm", "<f8"),
        ("precision_nm", "<f8"),
        ("photon_ratio", "<f8"),
    ]
)
"""One emitter in one frame that is to be found."""

REPORT: Final = np.dtype(
    [
        ("nearest_nm", "<f8"),  # distance to the nearest emitter in the frame; inf where there is none
        ("spurious", "?"),  # belongs to no emitter, though perhaps near one that another localization found
        ("photons", "<f8"),  # of the nearest emitter, as are the next
        ("on", "<f8"),
        ("neighbour_nm", "<f8"),
    ]
)
"""One localization."""

_FRAMES_APART_NM: Final = 1e9


@dataclass(frozen=True, slots=True)
class Field:
    """The part of the image that counts: x and y in nm, both ends included. What lies outside is nobody's fault."""

    x_nm: tuple[float, float] = (-np.inf, np.inf)
    y_nm: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def of_image(
        cls, width_px: int, height_px: int, pixel_size_nm: float, border_nm: float, max_y_nm: float | None = None
    ) -> Self:
        """All but a border from the first and last pixel centres; nothing below `max_y_nm` where it is given."""
        bottom = (height_px - 1) * pixel_size_nm - border_nm
        return cls(
            (border_nm, (width_px - 1) * pixel_size_nm - border_nm),
            (border_nm, bottom if max_y_nm is None else min(bottom, max_y_nm)),
        )

    def holds(self, rows: Localizations | Truth) -> NDArray[np.bool_]:
        """(n,) whether each row lies in the field."""
        x, y = rows["x_nm"], rows["y_nm"]
        return np.asarray((x >= self.x_nm[0]) & (x <= self.x_nm[1]) & (y >= self.y_nm[0]) & (y <= self.y_nm[1]))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Verdicts on emitters and localizations.

    Attributes
    ----------
    emitters
        (n,) EMITTER: those that are to be found.
    reports
        (m,) REPORT: those localizations that are in the field, or found an emitter that is.
    tolerance_nm
        Within which a localization can belong to an emitter.
    """

    emitters: NDArray[np.void]
    reports: NDArray[np.void]
    tolerance_nm: float = DEFAULT_TOLERANCE_NM

    def narrowed(self, column: str, low: float, high: float) -> Comparison:
        """Only emitters whose `column` is in [low, high), with what was reported near them; phantoms belong to none."""
        near = self.reports[self.reports["nearest_nm"] < self.tolerance_nm]
        emitters, reports = (rows[_between(rows[column], low, high)] for rows in (self.emitters, near))
        return Comparison(emitters, reports, self.tolerance_nm)


def _between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Infinite values are below an infinite `high`."""
    return np.asarray((values >= low) & ((values < high) | np.isinf(high)))


def pool(comparisons: Iterable[Comparison]) -> Comparison:
    """Several recordings as one."""
    parts = list(comparisons)
    tolerances = {part.tolerance_nm for part in parts}
    assert len(tolerances) == 1
    return Comparison(
        np.concatenate([part.emitters for part in parts]),
        np.concatenate([part.reports for part in parts]),
        tolerances.pop(),
    )


def compare(
    table: Localizations,
    truth: Truth,
    field: Field,
    *,
    optics: Optics | None = None,
    tolerance_nm: float = DEFAULT_TOLERANCE_NM,
) -> Comparison:
    """Match `table` with `truth` as `cellstorm.scoring` does.

    Emitters outside the field, or on for under a quarter of a frame, are not to be found, but may be.
    """
    found, true = matches(table, truth, tolerance_nm)
    emitters = _emitters(truth, optics)
    _tell_found(emitters, table[found], truth, true)
    wanted = field.holds(truth) & (truth["on"] >= CARE_ON)
    reports = _reports(table, truth, emitters)
    reports["spurious"][found] = False
    counted = field.holds(table)
    counted[found[wanted[true]]] = True
    return Comparison(emitters[wanted], reports[counted], tolerance_nm)


def _emitters(truth: Truth, optics: Optics | None) -> NDArray[np.void]:
    emitters = np.zeros(len(truth), EMITTER)
    emitters["photons"], emitters["on"] = truth["photons"], truth["on"]
    emitters["neighbour_nm"] = _to_other(truth)
    emitters["limit_nm"] = np.nan if optics is None else position_limit_nm(truth["photons"], optics)
    for column in ("error_x_nm", "error_y_nm", "precision_nm", "photon_ratio"):
        emitters[column] = np.nan
    return emitters


def _tell_found(emitters: NDArray[np.void], finds: Localizations, truth: Truth, true: NDArray[np.intp]) -> None:
    emitters["found"][true] = True
    emitters["error_x_nm"][true] = finds["x_nm"] - truth["x_nm"][true]
    emitters["error_y_nm"][true] = finds["y_nm"] - truth["y_nm"][true]
    emitters["precision_nm"][true] = finds["precision_nm"]
    lit = truth["photons"][true] > 0
    emitters["photon_ratio"][true[lit]] = finds["photons"][lit] / truth["photons"][true[lit]]


def _reports(table: Localizations, truth: Truth, emitters: NDArray[np.void]) -> NDArray[np.void]:
    reports = np.zeros(len(table), REPORT)
    reports["spurious"] = True
    reports["nearest_nm"] = np.inf
    if len(table) and len(truth):
        distance, nearest = cKDTree(_places(truth)).query(_places(table))
        here = distance < _FRAMES_APART_NM
        reports["nearest_nm"][here] = distance[here]
        for column in ("photons", "on", "neighbour_nm"):
            reports[column] = emitters[column][nearest]
    return reports


def _to_other(truth: Truth) -> NDArray[np.float64]:
    """(n,) distance from each emitter to the nearest other one in its frame."""
    if len(truth) < 2:
        return np.full(len(truth), np.inf)
    places = _places(truth)
    distance = cKDTree(places).query(places, k=2)[0][:, 1]
    return np.where(distance < _FRAMES_APART_NM, distance, np.inf)


def _places(rows: Localizations | Truth) -> NDArray[np.float64]:
    """(n, 3): frames lie so far apart that only what shares one can be near."""
    return np.stack([rows["x_nm"], rows["y_nm"], rows["frame"] * _FRAMES_APART_NM], axis=1).astype(np.float64)
