"""Frames on their way from the network to the disk, so many at most: what is too much is lost by whole groups of pictures."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from cellstorm.h264 import IDR_SLICE, nal_type, split_annex_b
from cellstorm_server.ingest.assembly import EncodedFrame


class WaitingFrames:
    """Oldest first, each with the Unix time of its arrival.

    Of too many the oldest go, up to a key frame: without them, what follows could not be decoded before that, and its place not be
    told, since `frame_num` starts again there. The key frame tells of the gap, so that they are counted like any lost frame.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: deque[tuple[EncodedFrame, float]] = deque()
        self._needs_key_frame = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: EncodedFrame, received_at_s: float) -> None:
        """The newest one."""
        self._frames.append((frame, received_at_s))
        if len(self._frames) > self._limit:
            self._drop()
            self._needs_key_frame = True
        if self._needs_key_frame:
            self._drop_up_to_key_frame()

    def take(self) -> list[tuple[EncodedFrame, float]]:
        """All of them; from now on none waits."""
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def _drop_up_to_key_frame(self) -> None:
        while self._frames and not _is_key_frame(self._frames[0][0]):
            self._drop()
        if self._frames:
            frame, received_at_s = self._frames[0]
            self._frames[0] = replace(frame, follows_gap=True), received_at_s
            self._needs_key_frame = False

    def _drop(self) -> None:
        self._frames.popleft()
        self.dropped += 1


def _is_key_frame(frame: EncodedFrame) -> bool:
    return any(nal_type(unit) == IDR_SLICE for unit in split_annex_b(frame.data))
