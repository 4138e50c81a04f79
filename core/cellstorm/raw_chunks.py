"""Cuts a series of decoded frames into raw chunks: of TIFF stacks, of video that is not H.264, of H.264 that is cut anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cellstorm.chunks import MAX_CHUNK_FRAMES, MAX_FRAME_SIDE, MAX_PAYLOAD_BYTES, Chunk, Counts, RawPayload
from cellstorm.errors import FrameSizeChanged, InvalidVideo

MAX_COUNTS_BYTES: Final = MAX_PAYLOAD_BYTES
"""Of a raw chunk, before it is compressed, as frames come: 300 of 512x512 at 16 bits, 128 of 1920x1080 at 8, 31 of 2048x2048 at 16.
Noise does not get smaller by compression; and shorter chunks would be all edges to a generator that sees seventeen frames."""


class RawCutter:
    """Counts of frames in display order in, chunks out, none with too many frames or bytes.

    The newest frames are held back, so that what is lost after them can still be said in their chunk; they are compressed
    as they come. A chunk that was handed out is not held any longer, however long nobody asks for the next.
    """

    def __init__(self, *, first_frame: int = 0, first_chunk: int = 0) -> None:
        self.next_chunk = first_chunk
        self.next_frame = first_frame  # after the frames held back
        self._format: tuple[int, int, int] | None = None
        self._times_s: list[float] = []
        self._payload = RawPayload()

    def add(self, time_s: float, counts: Counts, received_at_s: float = 0.0) -> Iterator[Chunk]:
        """The next frame, (height, width); it is taken when the chunk that it follows on, if there is one, was asked for.

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
        if len(self._times_s) == max(1, min(MAX_CHUNK_FRAMES, MAX_COUNTS_BYTES // counts.nbytes)):
            yield self._close(0, 0, received_at_s)
        self._times_s.append(time_s)
        self._payload.add(counts)
        self.next_frame += 1

    def finish(self, lost: int = 0, damaged: int = 0, received_at_s: float = 0.0) -> Iterator[Chunk]:
        """The frames held back, and how many are missing after them."""
        if self._times_s:
            yield self._close(lost, damaged, received_at_s)
        self.next_frame += lost + damaged

    def _close(self, lost: int, damaged: int, received_at_s: float) -> Chunk:
        first_frame = self.next_frame - len(self._times_s)
        chunk = Chunk.of_raw(self.next_chunk, first_frame, self._times_s, self._payload)
        update = {"lost": lost, "damaged": damaged, "received_at_s": received_at_s}
        self.next_chunk += 1
        self._times_s.clear()
        self._payload = RawPayload()
        return Chunk(chunk.header.model_copy(update=update), chunk.payloads)


def size_changed(first: tuple[int, int, int], now: tuple[int, int, int]) -> FrameSizeChanged:
    """What to say of frames (width, height, bits) of which the first were different."""
    return FrameSizeChanged(
        f"the frames were {first[0]}x{first[1]} pixels of {first[2]} bits and now are {now[0]}x{now[1]} of {now[2]}; "
        "keep the camera's resolution fixed, and start a new acquisition for another one"
    )
