"""Cuts a series of decoded frames into raw chunks: of TIFF stacks, of video that is not H.264, of H.264 that is cut anew."""

from __future__ import annotations

from typing import Final

import numpy as np

from cellstorm.chunks import MAX_CHUNK_BYTES, MAX_CHUNK_FRAMES, MAX_FRAME_SIDE, Chunk, Counts
from cellstorm.errors import FrameSizeChanged, InvalidVideo

MAX_PAYLOAD_BYTES: Final = MAX_CHUNK_BYTES - 2**20
"""The rest is for the header, and for what zlib adds to noise."""


class RawCutter:
    """Counts of frames in display order in, chunks out, none with too many frames or bytes.

    The newest frames are held back, so that what is lost after them can still be said in their chunk.
    """

    def __init__(self, *, first_frame: int = 0, first_chunk: int = 0) -> None:
        self.next_chunk = first_chunk
        self.next_frame = first_frame  # after the frames held back
        self._format: tuple[int, int, int] | None = None
        self._times_s: list[float] = []
        self._counts: list[Counts] = []

    def add(self, time_s: float, counts: Counts, received_at_s: float = 0.0) -> list[Chunk]:
        """The next frame, (height, width).

        Raises
        ------
        FrameSizeChanged
            If its size or depth is another than that of the frames before.
        InvalidVideo
            If it is too large.
        """
        height, width = counts.shape
        frame_format = (width, height, 8 * counts.itemsize)
        self._format = self._format or frame_format
        if frame_format != self._format:
            raise size_changed(self._format, frame_format)
        if max(width, height) > MAX_FRAME_SIDE:
            raise InvalidVideo(f"the frames are {width}x{height} pixels; crop them to at most {MAX_FRAME_SIDE} a side")
        is_full = len(self._counts) == max(1, min(MAX_CHUNK_FRAMES, MAX_PAYLOAD_BYTES // counts.nbytes))
        ready = self._close(0, 0, received_at_s) if is_full else []
        self._times_s.append(time_s)
        self._counts.append(counts)
        self.next_frame += 1
        return ready

    def finish(self, lost: int = 0, damaged: int = 0, received_at_s: float = 0.0) -> list[Chunk]:
        """The frames held back, and how many are missing after them."""
        ready = self._close(lost, damaged, received_at_s) if self._counts else []
        self.next_frame += lost + damaged
        return ready

    def _close(self, lost: int, damaged: int, received_at_s: float) -> list[Chunk]:
        first_frame = self.next_frame - len(self._counts)
        chunk = Chunk.of_counts(self.next_chunk, first_frame, self._times_s, _stacked(self._counts))
        update = {"lost": lost, "damaged": damaged, "received_at_s": received_at_s}
        self.next_chunk += 1
        self._times_s.clear()
        self._counts.clear()
        return [Chunk(chunk.header.model_copy(update=update), chunk.payloads)]


def size_changed(first: tuple[int, int, int], now: tuple[int, int, int]) -> FrameSizeChanged:
    """What to say of frames (width, height, bits) of which the first were different."""
    return FrameSizeChanged(
        f"the frames were {first[0]}x{first[1]} pixels of {first[2]} bits and now are {now[0]}x{now[1]} of {now[2]}; "
        "keep the camera's resolution fixed, and start a new acquisition for another one"
    )


def _stacked(frames: list[Counts]) -> Counts:
    if frames[0].dtype == np.uint8:
        return np.stack(frames, dtype=np.uint8)
    return np.stack(frames, dtype=np.uint16)
