"""What H.264 makes of counts: encode with libx264, decode again.

Counts lie in the luma as they are (full range, no conversion); chroma is grey.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cellstorm.luma import luma

FRAME_RATE = 20
_USUAL_SCENE_CUT: Final = "40"  # x264's own
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]


@dataclass(frozen=True, slots=True)
class Compression:
    """How x264 is asked to compress. `bits_per_pixel`, where given, takes the place of the constant rate factor."""

    crf: int = 18
    bits_per_pixel: float | None = None
    key_interval: int = 30
    preset: Preset = "medium"
    b_frames: int = 0
    scene_cuts: bool = False  # x264 codes a frame by itself where it takes noise or blinks for another scene
    low_latency: bool = False
    baseline: bool = False  # as most phones and browsers send
    buffer_s: float | None = None  # holds the bitrate within so short a time, as live streams do
    quantisers: tuple[int, int] | None = None  # least and greatest
    extra: tuple[tuple[str, str], ...] = ()  # x264 options beyond these

    def options(self, pixels: int) -> dict[str, str]:
        """As libx264 takes them, for frames of so many pixels."""
        options = {"preset": self.preset, "bf": str(self.b_frames), "g": str(self.key_interval)}
        options["sc_threshold"] = _USUAL_SCENE_CUT if self.scene_cuts else "0"
        if self.bits_per_pixel is None:
            options["crf"] = str(self.crf)
        else:
            rate = max(1000, round(self.bits_per_pixel * pixels * FRAME_RATE))
            options["b"] = str(rate)
            if self.buffer_s is not None:
                options |= {"maxrate": str(rate), "bufsize": str(round(rate * self.buffer_s))}
        if self.quantisers is not None:
            options |= dict(zip(("qmin", "qmax"), map(str, self.quantisers), strict=True))
        if self.low_latency:
            options["tune"] = "zerolatency"
        if self.baseline:
            options["profile"] = "baseline"
        options |= dict(self.extra)
        if params := ":".join(filter(None, (_repeatable(), options.get("x264-params")))):
            options["x264-params"] = params
        return options


@cache
def _repeatable() -> str:
    """What x264 is told so that it repeats itself.

    Where the processor has AVX-512, x264 165 gives other bytes for the same frames now and then; with AVX2 it does not.

    Seen in some 1,800 encodings on an AMD EPYC under load; the bytes are those that it usually gives.
    """
    processor = Path("/proc/cpuinfo")
    has_avx512 = processor.exists() and "avx512" in processor.read_text()
    return "asm=AVX2" if has_avx512 else ""


def write_mp4(target: Path | io.BytesIO, counts: NDArray[np.uint8], compression: Compression) -> None:
    """(frames, height, width) counts as H.264 in an MP4; height and width even."""
    _, height, width = counts.shape
    write_video(target, counts, "libx264", compression.options(height * width))


def write_video(target: Path | io.BytesIO, counts: NDArray[np.uint8], codec: str, options: Mapping[str, str]) -> None:
    """Likewise by any codec that an MP4 holds, with its options; both as PyAV names them."""
    _, height, width = counts.shape
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=FRAME_RATE, options=dict(options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FRAME_RATE)
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        for index, image in enumerate(counts):
            frame = _video_frame(image)
            frame.pts = index
            frame.time_base = Fraction(1, FRAME_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_luma(source: Path | io.BytesIO) -> NDArray[np.uint8]:
    """(frames, height, width) luma of a video, as it is stored."""
    with av.open(source, "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frames = [luma(frame) for frame in container.decode(stream)]
    return np.stack(frames).astype(np.uint8, copy=False)


def compress(counts: NDArray[np.uint8], compression: Compression) -> NDArray[np.uint8]:
    """What a receiver sees of `counts`."""
    buffer = io.BytesIO()
    write_mp4(buffer, counts, compression)
    buffer.seek(0)
    return read_luma(buffer)


def _video_frame(image: NDArray[np.uint8]) -> av.VideoFrame:
    height, width = image.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    for plane, samples in zip(frame.planes, (image, grey, grey), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : plane.width] = samples
    return frame
