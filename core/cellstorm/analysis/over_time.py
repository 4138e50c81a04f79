"""How a recording went: density, photons and precision over its time, as means and medians of equally many frames.

Frames in which nobody looked for molecules, because they were lost or left out, are not empty ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.curves import Gaps, with_gaps
from cellstorm.localizations import Localizations

_MAX_GROUPS: Final = 150
_MIN_COMPARED: Final = 200
"""Localizations in the first and the last tenth together, of which a ratio says anything: 10 % by Poisson noise."""


class OverTime(BaseModel):
    """Each list holds one value for every `frames_each` frames, the last of fewer; null where there is nothing to tell it from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_frame: int = Field(
        default=0, ge=0, description="Of the first value: the first in which molecules were sought."
    )
    frames_each: int = Field(gt=0)
    localizations_per_frame: Gaps
    photons_median: Gaps
    precision_nm_median: Gaps
    background_photons_median: Gaps
    last_over_first: float | None = Field(
        description="Localizations in the last tenth of those frames over those in the first: what bleaching leaves."
    )

    @classmethod
    def of(cls, table: Localizations, frame_count: int, unseen: Iterable[range] = ()) -> Self | None:
        """Of an (n,) table in any order, over `frame_count` frames without those of `unseen`; None where none is left."""
        sought = _Frames.without(unseen, frame_count)
        if not sought.count:
            return None
        first, last = sought.index(0), sought.index(sought.count - 1)
        each = math.ceil((last + 1 - first) / _MAX_GROUPS)
        starts = np.arange(first, last + 1, each)
        order = np.argsort(table["frame"], kind="stable")
        parts = np.split(order, np.searchsorted(table["frame"][order], starts[1:]))
        frames = np.diff([sought.before(frame) for frame in (*starts, last + 1)])
        per_frame = [len(part) / count if count else math.nan for part, count in zip(parts, frames, strict=True)]

        def medians(column: str) -> Gaps:
            return with_gaps([_median(table[column][part]) for part in parts])

        return cls(
            first_frame=first,
            frames_each=each,
            localizations_per_frame=with_gaps(per_frame),
            photons_median=medians("photons"),
            precision_nm_median=medians("precision_nm"),
            background_photons_median=medians("background_photons"),
            last_over_first=_last_over_first(table["frame"], sought),
        )


def _median(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


@dataclass(frozen=True, slots=True)
class _Frames:
    """Those in which molecules were sought, as ranges that do not overlap: a table of others may count them by the billion."""

    ranges: tuple[range, ...]

    @classmethod
    def without(cls, unseen: Iterable[range], frame_count: int) -> Self:
        ranges, start = [], 0
        for gap in sorted((*unseen, range(frame_count, frame_count)), key=lambda frames: frames.start):
            ranges.append(range(start, min(gap.start, frame_count)))
            start = max(start, gap.stop)
        return cls(tuple(filter(None, ranges)))

    @property
    def count(self) -> int:
        return sum(map(len, self.ranges))

    def before(self, frame: int) -> int:
        """How many come before that frame."""
        return sum(min(max(0, frame - frames.start), len(frames)) for frames in self.ranges)

    def index(self, number: int) -> int:
        """Of the frame before which so many come."""
        for frames in self.ranges:
            if number < len(frames):
                return frames[number]
            number -= len(frames)
        raise IndexError(number)


def _last_over_first(frames: NDArray[np.unsignedinteger], sought: _Frames) -> float | None:
    tenth = sought.count // 10
    if not tenth:
        return None
    first = int(np.count_nonzero(frames <= sought.index(tenth - 1)))
    last = int(np.count_nonzero(frames >= sought.index(sought.count - tenth)))
    return last / first if first and first + last >= _MIN_COMPARED else None
