"""All figures of the analysis in one record, computed once, at the end, at a bounded cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.blinking import Blinking
from cellstorm.analysis.crowding import crowded_share
from cellstorm.analysis.curves import Curve, rounded
from cellstorm.analysis.drift import Drift, measure_drift
from cellstorm.analysis.grid import Grid
from cellstorm.analysis.linking import Linked, distance_to_link_nm, link
from cellstorm.analysis.local_resolution import LocalResolution
from cellstorm.analysis.over_time import OverTime
from cellstorm.analysis.precision import nena_precision, typical_precision_nm
from cellstorm.analysis.recording import RecordingQuality
from cellstorm.analysis.resolution import FINER, RingCorrelation, ring_correlation
from cellstorm.analysis.unknown import Unknown
from cellstorm.analysis.verdict import Evidence, Finding, verdict
from cellstorm.localizations import Localizations
from cellstorm.roi import RegionOfInterest

MAX_ROWS: Final = 3_000_000
"""Of drift, NeNA and linking, which take about 6 s per million localizations on one core."""
_BRIDGED_FRAMES: Final = 1
_CURVE_POINTS: Final = 250
_TOO_MANY: Final = f"left out, since there are more than {MAX_ROWS:,} localizations; look at fewer frames for it"
_NO_GRID: Final = (
    "the block grid needs 1,000 localizations or more in a field of at least 64 pixels, and the pixels' size"
)
_NO_MAP: Final = "the field is smaller than two tiles of 2 µm, or has too few localizations"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the table alone does not tell.

    Attributes
    ----------
    frame_count
        1 + the last frame's index; lost frames count.
    roi
        Where the field lay in the whole frame; None where that is not known, as of other programs' tables.
    pixel_size_nm
        None where it is not known.
    recording
        What was seen in the recording itself, where it was at hand.
    unseen
        Frames in which nobody looked for molecules.
    """

    frame_count: int
    roi: RegionOfInterest | None = None
    pixel_size_nm: float | None = None
    recording: RecordingQuality | None = None
    lost: float = 0.0
    damaged: float = 0.0
    camera_calibrated: bool = True
    unseen: tuple[range, ...] = ()


class DriftCurve(BaseModel):
    """Where the sample was, relative to the first frame, at some 250 frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: Curve
    x_nm: Curve
    y_nm: Curve
    uncertainty_x_nm: float = Field(description="One sigma.")
    uncertainty_y_nm: float


class CorrelationCurve(BaseModel):
    """Fourier ring correlation, smoothed, up to thrice the frequency of the crossing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frequency_per_nm: Curve
    correlation: Curve


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
    crowded: float | None = Field(
        default=None,
        description="Share of localizations with another of the same frame within three sigma of the spot.",
    )
    correlation: CorrelationCurve | None = None
    local_resolution: LocalResolution | None = None
    drift: DriftCurve | None = None
    blinking: Blinking | None = None
    over_time: OverTime | None = None
    grid: Grid | None = None
    recording: RecordingQuality | None = Field(default=None, description="Null where the video was not at hand.")
    verdict: tuple[Finding, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict, description="By the name of the figure that is null.")

    @classmethod
    def of(cls, localizations: Localizations, given: Circumstances | None = None, max_rows: int = MAX_ROWS) -> Self:
        """The analysis of an (n,) table, raw: no drift is taken out of anything."""
        given = given or Circumstances(int(localizations["frame"].max(initial=0)) + 1)
        figures = _Figures(localizations, given)
        figures.add_resolution()
        if len(localizations) > max_rows:
            figures.leave_out("nena_precision_nm", "drift_total_nm", "emitters_linked")
        else:
            figures.add_nena()
            figures.add_drift()
            figures.add_linking()
        figures.add_quality()
        analysis = cls.model_validate(figures.record())
        return analysis.model_copy(update={"verdict": verdict(_evidence(analysis, localizations, given))})


class _Figures:
    """Collects figures by name, and reasons for those that are missing."""

    def __init__(self, table: Localizations, given: Circumstances) -> None:
        self._table = table
        self._given = given
        self._found: dict[str, object] = {"recording": given.recording}
        self._reasons: dict[str, str] = {}

    def leave_out(self, *names: str) -> None:
        self._reasons |= dict.fromkeys(names, _TOO_MANY)

    def add_resolution(self) -> None:
        correlation = ring_correlation(self._table)
        if correlation.resolution_nm is None:
            self._reasons["resolution_nm"] = correlation.reason or ""
        else:
            self._found["resolution_nm"] = correlation.resolution_nm
        self._found["correlation"] = _curve(correlation)
        self._found["local_resolution"] = local = LocalResolution.of(self._table)
        if local is None:
            self._reasons["local_resolution"] = _NO_MAP

    def add_nena(self) -> None:
        nena = nena_precision(self._table)
        if isinstance(nena, Unknown):
            self._reasons["nena_precision_nm"] = nena.reason
        else:
            self._found |= {"nena_precision_nm": nena.precision_nm, "nena_uncertainty_nm": nena.uncertainty_nm}

    def add_drift(self) -> None:
        drift = measure_drift(self._table, self._given.frame_count)
        if isinstance(drift, Unknown):
            self._reasons["drift_total_nm"] = drift.reason
            return
        self._found |= {
            "drift_total_nm": drift.total_nm,
            "drift_uncertainty_nm": drift.uncertainty_nm,
            "drift": _steps(drift),
        }

    def add_linking(self) -> None:
        table = self._table
        if not len(table):
            self._reasons["emitters_linked"] = "there are no localizations"
            return
        precision_nm = self._found.get("nena_precision_nm") or typical_precision_nm(table)
        assert isinstance(precision_nm, float)
        distance_nm = distance_to_link_nm(precision_nm)
        linked: Linked = link(table, distance_nm, _BRIDGED_FRAMES)
        self._found |= {
            "emitters_linked": len(linked.table),
            "on_frames_median": float(np.median(linked.on_frames)),
            "linking_distance_nm": distance_nm,
            "blinking": Blinking.of(linked, distance_nm, _BRIDGED_FRAMES),
        }

    def add_quality(self) -> None:
        given, roi = self._given, self._given.roi
        self._found["over_time"] = OverTime.of(self._table, given.frame_count, given.unseen)
        self._found["crowded"] = crowded_share(self._table)
        if roi is not None and given.pixel_size_nm is not None:
            self._found["grid"] = Grid.of(self._table, (roi.x, roi.y, roi.width, roi.height), given.pixel_size_nm)
        if self._found.get("grid") is None:
            self._reasons["grid"] = _NO_GRID

    def record(self) -> dict[str, object]:
        """All of them, as `Analysis` has them."""
        return {**self._found, "reasons": self._reasons}


def _evidence(analysis: Analysis, table: Localizations, given: Circumstances) -> Evidence:
    stated = table["precision_nm"][np.isfinite(table["precision_nm"])]
    known_nm = [float(np.median(stated))] if len(stated) else []
    if analysis.nena_precision_nm is not None:
        known_nm.append(analysis.nena_precision_nm)
    return Evidence(
        localizations=len(table),
        precision_nm=max(known_nm, default=None),
        resolution_nm=analysis.resolution_nm,
        is_finer=analysis.reasons.get("resolution_nm") == FINER,
        drift_total_nm=analysis.drift_total_nm,
        drift_uncertainty_nm=analysis.drift_uncertainty_nm,
        crowded=analysis.crowded,
        lost=given.lost,
        damaged=given.damaged,
        camera_calibrated=given.camera_calibrated,
        over_time=analysis.over_time,
        blinking=analysis.blinking,
        grid=analysis.grid,
        recording=analysis.recording,
    )


def _curve(found: RingCorrelation) -> CorrelationCurve | None:
    rings = len(found.smoothed)
    if not rings:
        return None
    step_per_nm = found.frequency_per_nm[1]
    if found.resolution_nm is not None:
        rings = min(rings, int(3 / (found.resolution_nm * step_per_nm)) + 1)
    shown = _spread(rings)
    return CorrelationCurve(
        frequency_per_nm=rounded(found.frequency_per_nm[shown]), correlation=rounded(found.smoothed[shown])
    )


def _steps(drift: Drift) -> DriftCurve:
    frame = _spread(len(drift.x_nm))
    return DriftCurve(
        frame=rounded(frame),
        x_nm=rounded(drift.x_nm[frame]),
        y_nm=rounded(drift.y_nm[frame]),
        uncertainty_x_nm=drift.uncertainty_x_nm,
        uncertainty_y_nm=drift.uncertainty_y_nm,
    )


def _spread(count: int) -> NDArray[np.intp]:
    """At most 250 indices below `count`, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _CURVE_POINTS)).round().astype(np.intp))
