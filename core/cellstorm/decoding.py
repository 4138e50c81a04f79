"""From a chunk back to its frames' counts: the luma as the encoder was given it, never stretched to another range."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.stream import Stream

from cellstorm.chunks import MAX_FRAME_SIDE, Chunk, ChunkHeader, Counts
from cellstorm.errors import InvalidChunk
from cellstorm.luma import luma, turned
from cellstorm.roi import RegionOfInterest

MAX_DECODED_BYTES: Final = 2**30
"""Of one chunk's counts: 300 frames of 1920x1080 at 8 bits are 0.6 GB. Larger frames need a region of interest."""
_PIECE_BYTES: Final = 10 * 2**20
"""Of a raw chunk, inflated at once, or one frame if that is more: 300 frames of 128x128 at 16 bits, as each halt costs time."""

_Run = tuple[int, Counts]
"""Position of the first frame, and (frames, height, width) counts of it and those that follow; whole frames."""


def decode(chunk: Chunk, roi: RegionOfInterest | None = None) -> Counts:
    """Counts of a chunk's frames in display order, (frames, height, width) of `roi`, or of the whole frame without one.

    Beside them, no more than a few whole frames are in memory at a time.

    Raises
    ------
    InvalidChunk
        If not every frame can be had.
    InvalidSetting
        If the region of interest reaches beyond the frame.
    """
    header = chunk.header
    rows, columns = _region(header, roi)
    shape = (header.frame_count, rows.stop - rows.start, columns.stop - columns.start)
    size = int(np.prod(shape)) * np.dtype(header.dtype).itemsize
    if size > MAX_DECODED_BYTES:
        raise InvalidChunk(f"a chunk's frames would take {size >> 20} MiB; choose a smaller region of interest")
    counts: Counts | None = None
    came: set[int] = set()
    for first, run in _runs(chunk):
        if len(run) == header.frame_count:
            counts = run[:, rows, columns]  # small frames come all at once: to copy them would cost more than it frees
        else:
            counts = _empty(shape, header.dtype) if counts is None else counts
            counts[first : first + len(run)] = run[:, rows, columns]
        came.update(range(first, first + len(run)))
    if counts is None or len(came) != header.frame_count:
        missing = header.frame_count - len(came)
        raise InvalidChunk(f"{missing} of a chunk's {header.frame_count} frames cannot be decoded; send it again")
    return counts


def _empty(shape: tuple[int, int, int], dtype: str) -> Counts:
    return np.empty(shape, np.uint8) if dtype == "uint8" else np.empty(shape, np.uint16)


def decode_frame(chunk: Chunk, position: int, roi: RegionOfInterest | None = None) -> Counts:
    """As `decode`, of one frame alone, (height, width): the others are neither kept nor decoded any further than it needs."""
    rows, columns = _region(chunk.header, roi)
    for first, run in _runs(chunk):
        if first <= position < first + len(run):
            return run[position - first, rows, columns].copy()
    raise InvalidChunk(f"frame {position} of a chunk cannot be decoded; send it again")


def _region(header: ChunkHeader, roi: RegionOfInterest | None) -> tuple[slice, slice]:
    if roi is None:
        return slice(0, header.height), slice(0, header.width)
    return roi.check_inside(header.width, header.height).slices


def _runs(chunk: Chunk) -> Iterator[_Run]:
    """All frames that can be had, as they come out: in any order, and each as soon as possible."""
    return _inflated(chunk.header, chunk.payloads[0]) if chunk.header.codec == "raw" else _pictures(chunk)


def _inflated(header: ChunkHeader, payload: bytes) -> Iterator[_Run]:
    sample = np.dtype(header.dtype).newbyteorder("<")
    frame_bytes = header.height * header.width * sample.itemsize
    size = header.frame_count * frame_bytes
    if size > MAX_DECODED_BYTES:
        raise InvalidChunk(f"a raw chunk's frames would take {size >> 20} MiB; cut it into shorter ones")
    inflator = _Inflator(payload)
    at_once = max(1, _PIECE_BYTES // frame_bytes)
    for first in range(0, header.frame_count, at_once):
        frames = min(at_once, header.frame_count - first)
        counts = inflator.read(frames * frame_bytes)
        if len(counts) != frames * frame_bytes:
            raise _wrong_size()
        run = np.frombuffer(counts, sample).reshape(frames, header.height, header.width)
        yield first, run.astype(sample.newbyteorder("="), copy=False)
    if inflator.read(1):
        raise _wrong_size()


def _wrong_size() -> InvalidChunk:
    return InvalidChunk("a raw chunk holds more or fewer bytes than its header says; send it again")


class _Inflator:
    """Inflates piece by piece what zlib has packed; it is fed by pieces, too, as zlib copies what it leaves of its input."""

    def __init__(self, payload: bytes) -> None:
        self._inflator = zlib.decompressobj()
        self._packed = memoryview(payload)
        self._left: bytes | memoryview = b""

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left.

        Raises
        ------
        InvalidChunk
            If they are damaged.
        """
        parts: list[bytes] = []
        while size and not self._inflator.eof:
            if not self._left:
                self._left, self._packed = self._packed[:_PIECE_BYTES], self._packed[_PIECE_BYTES:]
            try:
                parts.append(self._inflator.decompress(self._left, size))
            except zlib.error as error:
                raise InvalidChunk("a raw chunk's bytes are damaged; send it again") from error
            self._left = self._inflator.unconsumed_tail
            size -= len(parts[-1])
            if not (parts[-1] or self._left or self._packed):
                break  # cut short
        return b"".join(parts)


def _pictures(chunk: Chunk) -> Iterator[_Run]:
    header = chunk.header
    for rank, as_coded in _decoded(chunk):
        picture = turned(as_coded, header.quarter_turns)
        if picture.shape != (header.height, header.width) or picture.dtype != header.dtype:
            raise InvalidChunk(
                f"a frame decodes to {picture.shape[1]}x{picture.shape[0]} pixels of {picture.dtype} instead of "
                f"{header.width}x{header.height} of {header.dtype}; send the chunk again"
            )
        yield rank, picture[np.newaxis]


def _decoded(chunk: Chunk) -> Iterator[tuple[int, Counts]]:
    """Positions and counts, as the decoder gives them back."""
    decoder = PictureDecoder()
    for payload, rank in zip(chunk.payloads, chunk.header.display_ranks, strict=True):
        yield from decoder.add(payload, rank)
    yield from decoder.finish()


class PictureDecoder:
    """H.264 access units in, counts in display order out; what cannot be decoded is missing from the output."""

    def __init__(self) -> None:
        context = av.CodecContext.create("h264", "r")
        context.thread_count = 1
        # Without bitstream_restriction in the SPS, a decoder that is not strict guesses the depth of reordering, and
        # drops the frames by which it learns that it was wrong.
        context.options = {"strict": "strict", "max_pixels": str(MAX_FRAME_SIDE**2)}
        context.flags |= Flags.unaligned  # crop at the left by any number of pixels
        self._context = context

    def add(self, data: bytes, tag: int) -> list[tuple[int, Counts]]:
        """Feed one access unit; each picture that comes out bears the tag of its own."""
        packet = av.Packet(data)
        packet.pts = tag
        return self._decode(packet)

    def finish(self) -> list[tuple[int, Counts]]:
        """The pictures still held back; the decoder can be fed a new key frame afterwards."""
        pictures = self._decode(None)
        self._context.flush_buffers()
        return pictures

    def _decode(self, packet: av.Packet[Stream] | None) -> list[tuple[int, Counts]]:
        try:
            frames = self._context.decode(packet)
        except FFmpegError:  # its pictures are then missing, which every caller counts
            return []
        return [(frame.pts, luma(frame)) for frame in frames if frame.pts is not None]
