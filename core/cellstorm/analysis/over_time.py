"""How a recording went: density, photons and precision over its time, as means and medians of equally many frames."""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.curves import Curve, Gaps, rounded, with_gaps
from cellstorm.localizations import Localizations

_MAX_GROUPS: Final = 150
_MIN_COMPARED: Final = 200
"""Localizations in the first and the last tenth together, of which a ratio says anything: 10 % by Poisson noise."""


class OverTime(BaseModel):
    """Each list holds one value for every `frames_each` frames, the last of fewer; null where there are no localizations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames_each: int = Field(gt=0)
    localizations_per_frame: Curve
    photons_median: Gaps
    precision_nm_median: Gaps
    background_photons_median: Gaps
    last_over_first: float | None = Field(
        description="Localizations in the last tenth of the frames over those in the first: what bleaching leaves."
    )

    @classmethod
    def of(cls, table: Localizations, frame_count: int) -> Self:
        """Over `frame_count` frames, at least one, of an (n,) table in any order."""
        each = math.ceil(frame_count / _MAX_GROUPS)
        groups = math.ceil(frame_count / each)
        order = np.argsort(table["frame"], kind="stable")
        edges = np.searchsorted(table["frame"][order], np.arange(1, groups) * each)
        parts = np.split(order, edges)
        frames = np.minimum(each, frame_count - each * np.arange(groups))
        per_frame = np.array([len(part) for part in parts]) / frames

        def medians(column: str) -> Gaps:
            return with_gaps([_median(table[column][part]) for part in parts])

        return cls(
            frames_each=each,
            localizations_per_frame=rounded(per_frame),
            photons_median=medians("photons"),
            precision_nm_median=medians("precision_nm"),
            background_photons_median=medians("background_photons"),
            last_over_first=_last_over_first(table["frame"], frame_count),
        )


def _median(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def _last_over_first(frames: NDArray[np.unsignedinteger], frame_count: int) -> float | None:
    tenth = frame_count // 10
    first = int(np.count_nonzero(frames < tenth))
    last = int(np.count_nonzero(frames >= frame_count - tenth))
    return last / first if first and first + last >= _MIN_COMPARED else None
