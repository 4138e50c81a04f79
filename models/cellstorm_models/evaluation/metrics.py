"""What is counted from a comparison: the field's metrics, and the paper's pair, under the field's names.

By brightness or density, a surplus localization counts with the emitter that it is nearest to, if that is within the
tolerance; phantoms, which are near none, count only where emitters are not told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm_models.evaluation.comparison import Comparison

PHOTON_EDGES: Final = (0.0, 50.0, 100.0, 250.0, 500.0, 1000.0, np.inf)
"""In this frame; partly lit ones have fewer than their recording's name says."""

NEIGHBOUR_EDGES_NM: Final = (0.0, 250.0, 500.0, 1000.0, np.inf)
"""Distance to the nearest other emitter: about two, four and seven widths of an ordinary spot."""

ISOLATED_NM: Final = 1000.0
_WHOLE_FRAME: Final = 0.99


@dataclass(frozen=True, slots=True)
class Metrics:
    """None where nothing was found, or what it needs is not known."""

    emitters: int  # that were to be found
    localizations: int
    matched: int
    spurious: int
    missed: int
    detection_precision: float
    recall: float
    jaccard: float
    rmse_lateral_nm: float | None
    mean_distance_nm: float | None  # of matched pairs
    efficiency: float | None  # 100 - sqrt((100 - 100 Jaccard)^2 + (RMSE/nm)^2), SMLM challenge, Sage et al. 2019
    bias_x_nm: float | None
    bias_y_nm: float | None
    photon_ratio_median: float | None  # estimated over true photons
    within_one_sigma: float | None  # share of errors in x (less their mean) below the stated precision; 0.68 is true
    phantoms: int  # localizations without any emitter within the tolerance
    phantom_share: float | None
    near: int  # the paper's pair: localizations with an emitter nearer than the tolerance,
    near_mean_distance_nm: float | None  # and the mean distance of those to it
    limit_rms_nm: float | None  # lateral Cramér-Rao bound of those found, each as if it were alone


def measure(comparison: Comparison) -> Metrics:
    """All metrics of a comparison."""
    emitters, reports = comparison.emitters, comparison.reports
    hit = emitters[emitters["found"]]
    matched, spurious = len(hit), int(reports["spurious"].sum())
    error_x, error_y = hit["error_x_nm"], hit["error_y_nm"]
    distance = np.hypot(error_x, error_y)
    jaccard = matched / max(1, len(emitters) + spurious)
    rmse = _or_none(lambda values: np.sqrt(np.mean(values**2)), distance)
    near = reports["nearest_nm"][reports["nearest_nm"] < comparison.tolerance_nm]
    phantoms = len(reports) - len(near)
    return Metrics(
        emitters=len(emitters),
        localizations=len(reports),
        matched=matched,
        spurious=spurious,
        missed=len(emitters) - matched,
        detection_precision=matched / max(1, matched + spurious),
        recall=matched / max(1, len(emitters)),
        jaccard=jaccard,
        rmse_lateral_nm=rmse,
        mean_distance_nm=_or_none(np.mean, distance),
        efficiency=None if rmse is None else efficiency(jaccard, rmse),
        bias_x_nm=_or_none(np.mean, error_x),
        bias_y_nm=_or_none(np.mean, error_y),
        photon_ratio_median=_or_none(np.median, hit["photon_ratio"]),
        within_one_sigma=_or_none(np.mean, np.abs(error_x - error_x.mean()) < hit["precision_nm"]) if matched else None,
        phantoms=phantoms,
        phantom_share=phantoms / len(reports) if len(reports) else None,
        near=len(near),
        near_mean_distance_nm=_or_none(np.mean, near),
        limit_rms_nm=_or_none(lambda values: np.sqrt(2.0 * np.mean(values**2)), hit["limit_nm"]),
    )


def efficiency(jaccard: float, rmse_lateral_nm: float) -> float:
    """Of the SMLM challenge (Sage et al., Nat. Methods 16, 387 (2019)), lateral: 100 is perfect, it may be negative."""
    return float(100.0 - np.hypot(100.0 - 100.0 * jaccard, rmse_lateral_nm))


def by_photons(comparison: Comparison) -> Mapping[str, Metrics]:
    """By the emitter's photons in the frame."""
    return _by(comparison, "photons", PHOTON_EDGES, "photons")


def by_density(comparison: Comparison) -> Mapping[str, Metrics]:
    """By the distance to the nearest other emitter in the frame."""
    return _by(comparison, "neighbour_nm", NEIGHBOUR_EDGES_NM, "nm")


def isolated(comparison: Comparison) -> Metrics:
    """Of emitters on throughout the frame with no other within ISOLATED_NM: those that the bound speaks of."""
    return measure(comparison.narrowed("neighbour_nm", ISOLATED_NM, np.inf).narrowed("on", _WHOLE_FRAME, np.inf))


def _by(comparison: Comparison, column: str, edges: tuple[float, ...], unit: str) -> Mapping[str, Metrics]:
    groups = {}
    for low, high in pairwise(edges):
        name = f"over {low:g} {unit}" if np.isinf(high) else f"{low:g} to {high:g} {unit}"
        groups[name] = measure(comparison.narrowed(column, low, high))
    return groups


def _or_none(reduce: Callable[[NDArray[np.float64]], float], values: NDArray[np.float64]) -> float | None:
    """Of what is known; None where nothing is."""
    known = values[~np.isnan(values)]
    return float(reduce(known)) if len(known) else None
