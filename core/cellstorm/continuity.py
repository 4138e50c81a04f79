"""Whether a picture follows on the one before it, told from `frame_num` (H.264, 7.4.3) and, where that is ambiguous, time.

So is how many are missing where packets were lost; a long time alone is a camera that paused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cellstorm.h264 import AccessUnitFacts

MAX_LOST: Final = 1_000_000
"""More frames at once (nine hours at 30 frames/s) are not believed to be lost."""


@dataclass(slots=True)
class Continuity:
    """Where a stream of pictures stands.

    Attributes
    ----------
    unusable
        Access units since the last picture that were none.
    halves
        Those of them whose remains are in the kept video.
    """

    unusable: int = 0
    halves: int = 0
    _reference_frame_num: int = 0
    _timestamp: int = 0
    _group_timestamp: int = 0
    _group_frames: int = 0
    _ticks_per_frame: float = 0.0

    def begin_group(self, timestamp: int) -> None:
        """A key frame came: frame numbers start again."""
        self.unusable = self.halves = 0
        self._reference_frame_num = 0
        self._timestamp = self._group_timestamp = timestamp
        self._group_frames = 0

    def missing_before(self, timestamp: int, facts: AccessUnitFacts, reported: int) -> int:
        """Frames that are missing between the last picture and this one; 0 if it follows on.

        `reported` is about how many the network says. Frame numbers tell the rest of a division by as many as there are of them
        (16 from x264), and where nothing is reported there were no more.
        """
        assert facts.sequence is not None
        modulus = 1 << facts.sequence.log2_max_frame_num
        expected = (self._reference_frame_num + 1) % modulus
        if facts.frame_num in (self._reference_frame_num, expected):
            return max(0, _nearest(reported, -1 if facts.frame_num == self._reference_frame_num else 0, modulus))
        wrapped = _nearest(reported, (facts.frame_num - expected) % modulus, modulus)
        if facts.frame_num > self._reference_frame_num:
            return wrapped
        # Numbers went back: they wrapped, or a key frame was among what was lost. The time that passed tells which.
        passed = self._frames_since(timestamp)
        after_lost_key_frame = max(1, facts.frame_num, passed)
        return wrapped if abs(wrapped - passed) <= abs(after_lost_key_frame - passed) else after_lost_key_frame

    def follow(self, timestamp: int, facts: AccessUnitFacts, missing: int) -> None:
        """Go on to this picture, before which so many were missing."""
        assert facts.sequence is not None
        if facts.is_reference:
            self._reference_frame_num = facts.frame_num
        elif missing:  # the missing ones were references, up to the number before
            self._reference_frame_num = (facts.frame_num - 1) % (1 << facts.sequence.log2_max_frame_num)
        self.unusable = self.halves = 0
        self._timestamp = timestamp
        self._group_frames += 1 + missing
        self._ticks_per_frame = (timestamp - self._group_timestamp) / self._group_frames

    def _frames_since(self, timestamp: int) -> int:
        if self._ticks_per_frame <= 0:
            return 0
        return min(MAX_LOST, max(0, round((timestamp - self._timestamp) / self._ticks_per_frame) - 1))


def _nearest(reported: int, least: int, modulus: int) -> int:
    """To `reported`, of the numbers from `least` on that differ from it by a multiple of the modulus."""
    return least + modulus * max(0, round((reported - least) / modulus))
