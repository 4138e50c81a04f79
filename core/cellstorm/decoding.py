"""From a chunk back to its frames' counts: the luma as the encoder was given it, never stretched to another range."""

from __future__ import annotations

import zlib
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


def decode(chunk: Chunk, roi: RegionOfInterest | None = None) -> Counts:
    """Counts of a chunk's frames in display order, (frames, height, width) of `roi`, or of the whole frame without one.

    Raises
    ------
    InvalidChunk
        If not every frame can be had.
    InvalidSetting
        If the region of interest reaches beyond the frame.
    """
    header = chunk.header
    rows, columns = (slice(0, header.height), slice(0, header.width))
    if roi is not None:
        rows, columns = roi.check_inside(header.width, header.height).slices
    shape = (header.frame_count, rows.stop - rows.start, columns.stop - columns.start)
    size = int(np.prod(shape)) * np.dtype(header.dtype).itemsize
    if size > MAX_DECODED_BYTES:
        raise InvalidChunk(f"a chunk's frames would take {size >> 20} MiB; choose a smaller region of interest")
    if header.codec == "raw":
        return _inflate(header, chunk.payloads[0])[:, rows, columns]
    return _decode_h264(chunk, shape, rows, columns)


def _inflate(header: ChunkHeader, payload: bytes) -> Counts:
    shape = (header.frame_count, header.height, header.width)
    size = int(np.prod(shape)) * np.dtype(header.dtype).itemsize
    if size > MAX_DECODED_BYTES:
        raise InvalidChunk(f"a raw chunk's frames would take {size >> 20} MiB; cut it into shorter ones")
    try:
        counts = zlib.decompressobj().decompress(payload, size + 1)
    except zlib.error as error:
        raise InvalidChunk("a raw chunk's bytes are damaged; send it again") from error
    if len(counts) != size:
        raise InvalidChunk("a raw chunk holds more or fewer bytes than its header says; send it again")
    if header.dtype == "uint8":
        return np.frombuffer(counts, np.uint8).reshape(shape)
    return np.frombuffer(counts, "<u2").astype(np.uint16, copy=False).reshape(shape)


def _decode_h264(chunk: Chunk, shape: tuple[int, int, int], rows: slice, columns: slice) -> Counts:
    header = chunk.header
    counts: Counts = np.zeros(shape, np.uint8) if header.dtype == "uint8" else np.zeros(shape, np.uint16)
    came: set[int] = set()
    decoder = PictureDecoder()
    pictures = [p for pair in zip(chunk.payloads, header.display_ranks, strict=True) for p in decoder.add(*pair)]
    for rank, as_coded in pictures + decoder.finish():
        picture = turned(as_coded, header.quarter_turns)
        if picture.shape != (header.height, header.width) or picture.dtype != counts.dtype:
            raise InvalidChunk(
                f"a frame decodes to {picture.shape[1]}x{picture.shape[0]} pixels of {picture.dtype} instead of "
                f"{header.width}x{header.height} of {header.dtype}; send the chunk again"
            )
        counts[rank] = picture[rows, columns]
        came.add(rank)
    if len(came) != header.frame_count:
        missing = header.frame_count - len(came)
        raise InvalidChunk(f"{missing} of a chunk's {header.frame_count} frames cannot be decoded; send it again")
    return counts


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
