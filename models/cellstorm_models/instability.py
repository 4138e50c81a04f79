"""What does not stay as it was while a recording lasts: the stage, the light, the black level, the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Instability:
    """Changes from frame to frame; the defaults change nothing."""

    drift_px: tuple[float, float] = (0.0, 0.0)  # of the sample in x and y, per frame
    light: float = 0.0  # relative change, from the first frame to the last
    offset: float = 0.0  # likewise, counts
    background: float = 0.0  # share of the background that has become another one by the last frame
    drop: float = 0.0  # share of all counts that is missing in one frame of a period, as the P9's video has it
    drop_period: int = 31  # frames
    drop_first: int = 0  # frame

    def share_of_counts(self, frames: int) -> NDArray[np.float64]:
        """(frames,) what the periodic drop leaves of the counts."""
        dropped = (np.arange(frames) - self.drop_first) % self.drop_period == 0
        return np.where(dropped, 1.0 - self.drop, 1.0)

    def share_of_light(self, frames: int) -> NDArray[np.float64]:
        """(frames,) of the first frame's."""
        return 1.0 + self.light * _rise(frames)

    def added_offset(self, frames: int) -> NDArray[np.float64]:
        """(frames,) counts."""
        return self.offset * _rise(frames)

    def new_background(self, frames: int) -> NDArray[np.float64]:
        """(frames,) share of the background that is no longer the first."""
        return self.background * _rise(frames)

    @property
    def changes_background(self) -> bool:
        return any((self.light, self.offset, self.background, self.drop))


def _rise(frames: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, frames) if frames > 1 else np.zeros(frames)
