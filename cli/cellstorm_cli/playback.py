"""Plays a recording as a camera would: encoded H.264 pictures with the times at which they are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from cellstorm.chunks import Chunk
from cellstorm.decoding import decode
from cellstorm.errors import InvalidVideo
from cellstorm.sources import open_source

DEFAULT_BITS_PER_PIXEL: Final = 0.5
"""What a phone spends at 512x512, 30 frames/s and 4 Mbit/s."""
KEY_FRAME_INTERVAL_S: Final = 1.0
_GREY: Final = 128


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded frame. `due_s` counts from the recording's first frame."""

    frame_index: int
    due_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class TimedFrames:
    """Frames that follow each other: (frames, height, width) uint8 counts, and when each is due."""

    first_frame: int
    due_s: tuple[float, ...]
    counts: NDArray[np.uint8]


def read_frames(path: Path, fps: float | None, first_frame: int = 0) -> Iterator[TimedFrames]:
    """A recording's frames from `first_frame` on, chunk by chunk; at `fps`, or at their own times.

    Raises
    ------
    InvalidVideo
        If it cannot be read, or holds 16 bits, which no phone sends.
    """
    for chunk in open_source(path).chunks():
        skipped = max(0, first_frame - chunk.header.first_frame)
        if skipped >= chunk.header.frame_count:
            continue
        counts = decode(chunk)
        if counts.dtype != np.uint8:
            raise InvalidVideo("a stream carries 8 bits; submit recordings of 16 bits with `cellstorm submit` instead")
        first = chunk.header.first_frame + skipped
        yield TimedFrames(first, _due(chunk, fps)[skipped:], counts[skipped:].astype(np.uint8, copy=False))


def _due(chunk: Chunk, fps: float | None) -> tuple[float, ...]:
    if fps is None:
        return chunk.header.times_s
    return tuple((chunk.header.first_frame + i) / fps for i in range(chunk.header.frame_count))


def encode(frames: Iterable[TimedFrames], bitrate_kbps: int | None) -> Iterator[Picture]:
    """H.264 as a phone makes it: no B frames, a key frame a second, a steady bitrate (None: 0.5 bits per pixel)."""
    encoder: VideoCodecContext | None = None
    for group in frames:
        counts = group.counts[:, : group.counts.shape[1] & ~1, : group.counts.shape[2] & ~1]  # 4:2:0 needs even sides
        if encoder is None:
            encoder = _encoder(counts.shape[2], counts.shape[1], _rate(group.due_s), bitrate_kbps)
        for offset, due_s in enumerate(group.due_s):
            frame = _video_frame(counts[offset])
            frame.pts = group.first_frame + offset
            data = b"".join(bytes(packet) for packet in encoder.encode(frame))
            yield Picture(group.first_frame + offset, due_s, data)


def as_is(path: Path, fps: float | None, first_frame: int = 0) -> Iterator[Picture]:
    """A recording's own H.264, untouched, from the first key frame at or behind `first_frame` on.

    Raises
    ------
    InvalidVideo
        If it is not H.264 without B frames.
    """
    for chunk in open_source(path).chunks():
        header = chunk.header
        if header.first_frame < first_frame:
            continue
        if header.codec != "h264" or list(header.display_ranks) != sorted(header.display_ranks):
            raise InvalidVideo("only H.264 without B frames can be sent as it is; leave --as-is out to encode it anew")
        for offset, (due_s, data) in enumerate(zip(_due(chunk, fps), chunk.payloads, strict=True)):
            yield Picture(header.first_frame + offset, due_s, data)


def _rate(due_s: tuple[float, ...]) -> float:
    steps = [after - before for before, after in pairwise(due_s) if after > before]
    return 1 / median(steps) if steps else 30.0


def _encoder(width: int, height: int, fps: float, bitrate_kbps: int | None) -> VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = Fraction(fps).limit_denominator(1000)
    encoder.time_base = 1 / encoder.framerate
    encoder.bit_rate = bitrate_kbps * 1000 if bitrate_kbps else round(DEFAULT_BITS_PER_PIXEL * width * height * fps)
    encoder.gop_size = max(1, round(fps * KEY_FRAME_INTERVAL_S))
    encoder.max_b_frames = 0
    encoder.thread_count = 1
    # Blinking looks like a change of scene to x264, a phone makes no key frame of it.
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "sc_threshold": "0"}
    return encoder


def _video_frame(counts: NDArray[np.uint8]) -> VideoFrame:
    height, width = counts.shape
    frame = VideoFrame(width, height, "yuv420p")
    for plane, grey in zip(frame.planes, (counts, None, None), strict=True):
        rows = np.full((plane.height, plane.line_size), _GREY, np.uint8)
        if grey is not None:
            rows[:, :width] = grey
        plane.update(rows.tobytes())
    frame.pict_type = PictureType.NONE
    return frame
