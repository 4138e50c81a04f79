"""Fakes and samples for all tests: plain classes and functions, no mocking library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import av
import numpy as np
from av.stream import Stream
from numpy.typing import NDArray

from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import Chunk
from cellstorm.frame_marks import FrameMark, marked
from cellstorm.generator import GeneratorSpec
from cellstorm.h264 import TICKS_PER_SECOND, AccessUnit, join_annex_b, split_annex_b
from cellstorm.judging import FEATURES, Judge
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.results.report import Provenance
from cellstorm.roi import RegionOfInterest


def star_localizations(
    count: int, side_px: int = 64, pixel_size_nm: float = 100.0, frame_count: int = 50, seed: int = 1
) -> Localizations:
    """Localizations on a Siemens star with six spokes, in a square field, ordered by frame; none lies at the border."""
    random = np.random.default_rng(seed)
    side_nm = side_px * pixel_size_nm
    spoke = random.integers(0, 6, count) + random.uniform(0, 0.5, count)
    angle = spoke * np.pi / 3
    radius_nm = 0.4 * side_nm * np.sqrt(random.uniform(0.02, 1, count))
    centre_nm = (side_nm - pixel_size_nm) / 2
    localizations = np.zeros(count, LOCALIZATION)
    localizations["frame"] = np.sort(random.integers(0, frame_count, count))
    localizations["x_nm"] = centre_nm + radius_nm * np.cos(angle)
    localizations["y_nm"] = centre_nm + radius_nm * np.sin(angle)
    localizations["photons"] = random.gamma(4, 200, count)
    localizations["background_photons"] = random.uniform(5, 15, count)
    localizations["precision_nm"] = random.uniform(5, 40, count)
    localizations["psf_sigma_nm"] = random.uniform(120, 160, count)
    localizations["probability"] = random.uniform(0.7, 1, count)
    return localizations


def plain_judge(logit: float = 0.0, *, by_number: float = 0.0, log_sigma: float = 0.0) -> Judge:
    """Adds to the logits of all, and as much more as there are more candidates from 0.7 on than one in 32 frames of 128x128."""
    weights = [0.0] * len(FEATURES)
    weights[FEATURES.index("candidates_from_0.7")] = 1e-3  # so small that a hyperbolic tangent is a straight line
    return Judge(
        centre=(0.0,) * len(FEATURES),
        spread=(1e3,) * len(FEATURES),
        hidden=((*weights, 0.0),),
        output=((1e6 * by_number, logit), (0.0, log_sigma)),
    )


def provenance(side_px: int = 64, pixel_size_nm: float = 100.0) -> Provenance:
    """Where results of `star_localizations` might come from: 50 frames, of which two were lost and one was damaged."""
    created_at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return Provenance(
        acquisition_id="a" * 22,
        name="Siemens star, 1 µM",
        created_at=created_at,
        finished_at=created_at + timedelta(seconds=20),
        source={"kind": "video", "codec": "h264", "width": 128, "height": 96},
        frames_received=48,
        frames_lost=2,
        frames_damaged=1,
        frames_processed=47,
        camera=DEFAULT_CAMERA,
        roi=RegionOfInterest(x=8, y=16, width=side_px, height=side_px),
        pixel_size_nm=pixel_size_nm,
        generator=GeneratorSpec(
            name="test",
            version="1.0",
            sha256="0" * 64,
            output="emitters",
            context_frames=3,
            size_multiple=8,
            threshold=0.7,
        ),
        recording_s=2.45,
        processing_s=4.7,
    )


INTERLACED = {"flags": "+ildct+ilme", "preset": "fast", "x264-params": "tff=1"}
"""Options that make x264 write interlaced video."""

INDEX_BITS = 12


def numbered_frames(count: int, width: int = 96, height: int = 64, first: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Frames that carry their own index as stripes, wide enough to survive H.264: (height, width) counts."""
    for index in range(first, first + count):
        frame = np.full((height, width), 60, np.uint8)
        for bit in range(INDEX_BITS):
            frame[: height // 2, _stripe(bit, width)] = 200 if index >> bit & 1 else 20
        yield frame


def read_index(frame: NDArray[np.uint8] | NDArray[np.uint16]) -> int:
    """The index that a frame of `numbered_frames` carries."""
    height, width = frame.shape
    bits = [frame[: height // 2, _stripe(bit, width)].mean() > 110 for bit in range(INDEX_BITS)]
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set)


def _stripe(bit: int, width: int) -> slice:
    return slice(bit * width // INDEX_BITS, (bit + 1) * width // INDEX_BITS)


def encode_h264(
    frames: Iterable[NDArray[np.uint8]],
    *,
    group: int = 10,
    fps: int = 30,
    first_timestamp: int = 0,
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> list[AccessUnit]:
    """Access units as x264 makes them of luma, a key frame every `group`; without B frames unless `options` ask for them."""
    encoder: av.VideoCodecContext | None = None
    packets: list[av.Packet[Stream]] = []
    for index, luma in enumerate(frames):
        if encoder is None:
            encoder = av.CodecContext.create("libx264", "w")
            encoder.height, encoder.width = luma.shape
            encoder.pix_fmt, encoder.time_base, encoder.framerate = (
                pixel_format,
                Fraction(1, TICKS_PER_SECOND),
                Fraction(fps),
            )
            encoder.thread_count = 1
            defaults = {"preset": "ultrafast", "bf": "0", "crf": "18", "g": str(group), "keyint_min": str(group)}
            encoder.options = {**defaults, "sc_threshold": "0", "rc-lookahead": "0", **(options or {})}
        frame = av.VideoFrame.from_ndarray(_with_flat_chroma(luma), "yuv420p")
        frame.pts, frame.time_base = first_timestamp + index * TICKS_PER_SECOND // fps, Fraction(1, TICKS_PER_SECOND)
        packets += encoder.encode(frame if pixel_format == "yuv420p" else frame.reformat(format=pixel_format))
    assert encoder is not None
    packets += encoder.encode(None)
    return [AccessUnit(bytes(packet), packet.pts or 0) for packet in packets]


def with_mark(unit: AccessUnit, mark: FrameMark) -> AccessUnit:
    """An access unit as the gateway keeps it at a chunk's beginning."""
    return replace(unit, data=join_annex_b(marked(split_annex_b(unit.data), mark)))


def _with_flat_chroma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = luma.shape
    return np.concatenate([luma, np.full((height // 2, width), 128, np.uint8)])


GENERATOR_SPEC = GeneratorSpec(
    name="test", version="1.0", sha256="0" * 64, output="emitters", context_frames=3, size_multiple=8, threshold=0.5
)


class PeakGenerator:
    """Sees one emitter in each pixel of 200 counts or more, and remembers the windows that it was shown."""

    def __init__(self, before_each: Callable[[], None] = lambda: None) -> None:
        self.spec = GENERATOR_SPEC
        self.windows: list[NDArray[np.float32]] = []
        self._before_each = before_each

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self._before_each()
        self.windows.append(windows)
        middle = windows[:, windows.shape[1] // 2]
        output = np.full((len(windows), 8, *middle.shape[1:]), 0.1, np.float32)
        output[:, 0] = np.where(middle >= 200, 0.9, 0.0)
        output[:, 3] = middle
        return output


def chunk_of_spots(number: int, first_frame: int, frames: int = 10, side_px: int = 24, seed: int = 5) -> Chunk:
    """A raw chunk whose frame i has a background of 10 + i counts and one bright pixel, as `PeakGenerator` sees it."""
    random = np.random.default_rng(seed + number)
    counts = np.empty((frames, side_px, side_px), np.uint8)
    for place in range(frames):
        counts[place] = 10 + place
        counts[place, *random.integers(0, side_px, 2)] = 200 + place % 50
    times_s = [(first_frame + place) / 20 for place in range(frames)]
    return Chunk.of_counts(number, first_frame, times_s, counts)


def filaments_and_rings_nm(count: int, side_nm: float = 12_800, seed: int = 1) -> NDArray[np.float64]:
    """(count, 2) places of emitters on curved filaments and on rings of 300 nm, in a square field."""
    random = np.random.default_rng(seed)
    way = np.cumsum(random.normal(0, 0.02, (12, 4000)), axis=1) + random.uniform(0, 2 * np.pi, (12, 1))
    steps = 2 * np.stack([np.cos(way), np.sin(way)], axis=-1)
    filaments = (random.uniform(0.05, 0.95, (12, 1, 2)) * side_nm + np.cumsum(steps, axis=1)).reshape(-1, 2)
    angle = np.linspace(0, 2 * np.pi, 400)
    circle = 150 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    rings = (random.uniform(0.05, 0.95, (25, 1, 2)) * side_nm + circle).reshape(-1, 2)
    line = np.concatenate([filaments, rings])
    line = line[((line > 0) & (line < side_nm)).all(axis=1)]
    return line[random.integers(0, len(line), count)]


def blinking_localizations(
    places_nm: NDArray[np.float64],
    frame_count: int,
    per_frame: float,
    precision_nm: float,
    mean_on_frames: float = 3,
    seed: int = 1,
) -> Localizations:
    """Localizations, by frame, of emitters at (n, 2) places that go on at random for a geometric number of frames."""
    random = np.random.default_rng(seed)
    blinks = int(frame_count * per_frame / mean_on_frames)
    frames_on = random.geometric(1 / mean_on_frames, blinks)
    blink = np.repeat(np.arange(blinks), frames_on)
    since_start = np.arange(len(blink)) - np.repeat(np.cumsum(frames_on) - frames_on, frames_on)
    frame = random.integers(0, frame_count, blinks)[blink] + since_start
    place = places_nm[random.integers(0, len(places_nm), blinks)[blink]]
    localizations = np.zeros(len(blink), LOCALIZATION)
    localizations["frame"] = frame
    localizations["x_nm"], localizations["y_nm"] = (place + random.normal(0, precision_nm, place.shape)).T
    localizations["photons"] = random.gamma(4, 200, len(blink))
    localizations["background_photons"] = 10
    localizations["precision_nm"] = precision_nm
    localizations["psf_sigma_nm"] = 130
    localizations["probability"] = 0.9
    localizations = localizations[frame < frame_count]
    return localizations[np.argsort(localizations["frame"], kind="stable")]
