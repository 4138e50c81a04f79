"""How many frames went missing where packets did, judged by the time between the frames before and after.

A browser's timestamps jitter by half a frame and more, and its encoder leaves frames out on its own account: a long step
alone is no lost frame. So this is asked only where packets are known to be missing.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

_REMEMBERED: Final = 31


class Pace:
    """Follows a stream's timestamps, in ticks."""

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=_REMEMBERED)
        self._last: int | None = None

    def lost_before(self, timestamp: int, *, follows_gap: bool) -> int:
        """Frames lost directly before the frame of this timestamp: none without a gap, else at least one."""
        step = 0 if self._last is None else timestamp - self._last
        self._last = timestamp
        if not follows_gap:
            if step > 0:
                self._steps.append(step)
            return 0
        usual = median(self._steps) if self._steps else step
        return max(1, round(step / usual) - 1) if usual > 0 else 1
