"""How fast frames are processed, and how long the rest will take: told from what was done when.

Chunks are done in lumps: nothing for many seconds, then hundreds of frames at once, and several workers' lumps fall
together. So a rate is measured from lump to lump over a stretch of many, never from one lump to now. Time in which the work
was paused does not count. Time since the last lump counts once it is longer than lumps have taken: then the work has slowed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

_RECENT_SHARE: Final = 1 / 3
"""Of the time worked so far that the ETA looks back on: it follows workers that come or go, and evens out the lumps."""
_MIN_LUMPS: Final = 16
_LATE_S: Final = 10.0
_LATE_LUMPS: Final = 4
"""For the rate that is shown."""
_OVERDUE_FACTOR: Final = 1.5
"""Of the longest of the last waits for a lump: one that takes longer than this tells of slower work."""


class Milestone(NamedTuple):
    """So many frames were done in all by then. The first one is the beginning of the work, with none."""

    time_s: float
    frames: int


class Pause(NamedTuple):
    """Work stood still on purpose; an open end is told as now."""

    start_s: float
    stop_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one acquisition, or of a whole batch.

    Attributes
    ----------
    milestones
        In the order of time.
    pauses
        Likewise; they do not overlap.
    """

    milestones: Sequence[Milestone]
    pauses: Sequence[Pause] = ()

    def fps(self, now_s: float) -> float | None:
        """Frames per second of late; None until one lump is done."""
        return self._rate(now_s, _LATE_S, _LATE_LUMPS)

    def eta_s(self, frames_left: int, now_s: float) -> float | None:
        """Until the frames that are left are done; None until one lump is done."""
        if frames_left <= 0:
            return 0.0
        worked_s = self._worked_s(now_s)
        rate = self._rate(now_s, worked_s * _RECENT_SHARE, _MIN_LUMPS)
        if rate is None:
            return None
        since_last_s = worked_s - self._worked_s(self.milestones[-1].time_s)
        return max(0.0, frames_left / rate - min(since_last_s, self._patience_s()))

    def _rate(self, now_s: float, at_least_s: float, at_least_lumps: int) -> float | None:
        if len(self.milestones) < 2:
            return None
        worked = [self._worked_s(milestone.time_s) for milestone in self.milestones]
        start = bisect_right(worked, worked[-1] - at_least_s) - 1
        start = max(0, min(start, len(worked) - 1 - at_least_lumps))
        end_s = max(worked[-1], self._worked_s(now_s) - self._patience_s())
        frames = self.milestones[-1].frames - self.milestones[start].frames
        duration_s = end_s - worked[start]
        return frames / duration_s if frames > 0 and duration_s > 0 else None

    def _patience_s(self) -> float:
        recent = [self._worked_s(milestone.time_s) for milestone in self.milestones[-1 - _MIN_LUMPS :]]
        return _OVERDUE_FACTOR * max(after - before for before, after in pairwise(recent))

    def _worked_s(self, time_s: float) -> float:
        """Since the beginning, without pauses."""
        begun_s = self.milestones[0].time_s if self.milestones else time_s
        paused_s = sum(max(0.0, min(pause.stop_s, time_s) - max(pause.start_s, begun_s)) for pause in self.pauses)
        return time_s - begun_s - paused_s


def merged(paces: Iterable[Sequence[Milestone]]) -> list[Milestone]:
    """The milestones of several acquisitions as those of one piece of work."""
    begun_s: float | None = None
    lumps: list[Milestone] = []
    for milestones in paces:
        if milestones:
            begun_s = milestones[0].time_s if begun_s is None else min(begun_s, milestones[0].time_s)
        for before, after in pairwise(milestones):
            lumps.append(Milestone(after.time_s, after.frames - before.frames))
    if begun_s is None:
        return []
    together, frames = [Milestone(begun_s, 0)], 0
    for lump in sorted(lumps):
        frames += lump.frames
        together.append(Milestone(lump.time_s, frames))
    return together
