"""All figures of the analysis in one record, computed once, at the end, at a bounded cost."""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.drift import measure_drift
from cellstorm.analysis.linking import link
from cellstorm.analysis.precision import nena_precision, typical_precision_nm
from cellstorm.analysis.resolution import ring_correlation
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations

MAX_ROWS: Final = 3_000_000
"""Of drift, NeNA and linking, which take about 10 s per million localizations on one core."""
_LINK_SIGMAS: Final = 3.0
_LINK_NM: Final = (20.0, 250.0)
_TOO_MANY: Final = f"left out, since there are more than {MAX_ROWS:,} localizations; look at fewer frames for it"


class Analysis(BaseModel):
    """What the localizations tell about themselves; null where it cannot be told, and then `reasons` says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolution_nm: float | None = Field(default=None, description="Fourier ring correlation, first crossing of 1/7.")
    nena_precision_nm: float | None = Field(
        default=None, description="Of one axis, from neighbours in adjacent frames."
    )
    nena_uncertainty_nm: float | None = Field(default=None, description="One sigma.")
    drift_total_nm: float | None = Field(default=None, description="Diagonal of the drift's range; not corrected.")
    drift_uncertainty_nm: float | None = Field(default=None, description="One sigma.")
    emitters_linked: int | None = Field(default=None, description="Localizations of one emitter counted as one.")
    on_frames_median: float | None = Field(default=None, description="From an emitter's first frame to its last.")
    linking_distance_nm: float | None = Field(
        default=None, description="Three sigma of the distance of two localizations."
    )
    reasons: dict[str, str] = Field(default_factory=dict, description="By the name of the figure that is null.")

    @classmethod
    def of(cls, localizations: Localizations, max_rows: int = MAX_ROWS) -> Self:
        """The analysis of an (n,) table, raw: no drift is taken out of anything."""
        figures: dict[str, float | int] = {}
        reasons: dict[str, str] = {}
        correlation = ring_correlation(localizations)
        if correlation.resolution_nm is None:
            reasons["resolution_nm"] = correlation.reason or ""
        else:
            figures["resolution_nm"] = correlation.resolution_nm
        if len(localizations) > max_rows:
            reasons |= dict.fromkeys(("nena_precision_nm", "drift_total_nm", "emitters_linked"), _TOO_MANY)
        else:
            _add_nena(localizations, figures, reasons)
            _add_drift(localizations, figures, reasons)
            _add_linking(localizations, figures, reasons)
        return cls.model_validate({**figures, "reasons": reasons})


def _add_nena(localizations: Localizations, figures: dict[str, float | int], reasons: dict[str, str]) -> None:
    nena = nena_precision(localizations)
    if isinstance(nena, Unknown):
        reasons["nena_precision_nm"] = nena.reason
    else:
        figures |= {"nena_precision_nm": nena.precision_nm, "nena_uncertainty_nm": nena.uncertainty_nm}


def _add_drift(localizations: Localizations, figures: dict[str, float | int], reasons: dict[str, str]) -> None:
    frame_count = int(localizations["frame"].max(initial=0)) + 1
    drift = measure_drift(localizations, frame_count)
    if isinstance(drift, Unknown):
        reasons["drift_total_nm"] = drift.reason
    else:
        figures |= {"drift_total_nm": drift.total_nm, "drift_uncertainty_nm": drift.uncertainty_nm}


def _add_linking(localizations: Localizations, figures: dict[str, float | int], reasons: dict[str, str]) -> None:
    if not len(localizations):
        reasons["emitters_linked"] = "there are no localizations"
        return
    precision_nm = figures.get("nena_precision_nm", typical_precision_nm(localizations))
    distance_nm = float(np.clip(_LINK_SIGMAS * np.sqrt(2) * precision_nm, *_LINK_NM))
    linked = link(localizations, distance_nm)
    figures |= {
        "emitters_linked": len(linked.table),
        "on_frames_median": float(np.median(linked.on_frames)),
        "linking_distance_nm": distance_nm,
    }
