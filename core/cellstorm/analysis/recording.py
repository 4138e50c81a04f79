"""What can be seen in a recording itself, beside its localizations: coding, clipped pixels, repeated frames, a second opinion.

An `Examiner` is shown the recording's chunks as they pass, with their counts where those were decoded anyway. It keeps a
bounded sample of frames, spread evenly whatever the recording's length: every frame at first, half of them once there is
no more room, and so on. Which half follows the golden ratio, which keeps step with no interval of key frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import FrameRange
from cellstorm.analysis.compression import CodingLog, KeyFrameEffect, QuantiserTrace, key_frame_effect
from cellstorm.analysis.levels import levels_of
from cellstorm.camera import Camera
from cellstorm.chunks import Chunk, Counts
from cellstorm.classical.localize import localize
from cellstorm.comparison import Comparison, compare
from cellstorm.decoding import decode
from cellstorm.errors import FrameSizeChanged, InvalidChunk, InvalidVideo
from cellstorm.localizations import Localizations, concatenate
from cellstorm.quantiser import codings_of
from cellstorm.roi import RegionOfInterest

_MAX_FRAMES: Final = 100
_MIN_FRAMES: Final = 8
_MAX_PIXELS: Final = 2**24
"""Of all sampled frames together: 16 MiB at 8 bits, and some seconds of classical fits."""
_GOLDEN: Final = 0.6180339887498949
_FIT_FRAMES: Final = 8
_FIT_THRESHOLD: Final = 0.5
_TOLERANCE_PX: Final = 2.0
_MAX_DECODED_CHUNKS: Final = 40
"""Of a kept video that is examined afterwards."""


class RecordingQuality(BaseModel):
    """What was seen; of a sample of frames where `frames_sampled` is less than all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantiser: QuantiserTrace | None = Field(description="Null where frames did not come as H.264.")
    key_frames: KeyFrameEffect | None
    frames_sampled: int
    clipped: float | None = Field(
        description="Share of pixels at the highest count that light can have: 235 or 255 of 8 bits."
    )
    black: float | None = Field(description="Share of pixels at the lowest: 0 or 16 of 8 bits.")
    frames_compared: int = Field(description="With the frame before.")
    repeated: float | None = Field(description="Share of those that are the same, pixel by pixel.")
    agreement: Comparison | None = Field(
        description="Of a classical fit (first) and the table (second) in the sampled frames; null where a fit made the table."
    )


class Examiner:
    """Looks at chunks in any order; `facts` tells what was seen. `frames` are those that were localized, if not all."""

    def __init__(self, frames: FrameRange | None = None) -> None:
        self._wanted = frames or FrameRange()
        self._codings = CodingLog()
        self._frame_pixels = 0
        self._frames: dict[int, NDArray[np.uint8] | NDArray[np.uint16]] = {}
        self._share = 1.0
        self._compared = 0
        self._repeated = 0
        self._received: list[tuple[int, int]] = []

    def add(self, chunk: Chunk, counts: Counts | None) -> None:
        """A chunk and its (frames, height, width) counts, or None where it was not decoded."""
        header = chunk.header
        self._frame_pixels = header.width * header.height
        self._received.append((header.first_frame, header.frame_count))
        self._codings.add(codings_of(chunk))
        if counts is None:
            return
        pairs = [
            pair
            for place, pair in enumerate(pairwise(counts), header.first_frame)
            if place in self._wanted and place + 1 in self._wanted
        ]
        self._compared += len(pairs)
        self._repeated += sum(np.array_equal(before, after) for before, after in pairs)
        room = int(np.clip(_MAX_PIXELS // max(1, counts[0].size), _MIN_FRAMES, _MAX_FRAMES))
        for place, frame in enumerate(counts):
            if self._is_sampled(header.first_frame + place):
                self._frames[header.first_frame + place] = frame.copy()
            while len(self._frames) > room:
                self._share /= 2
                self._frames = {index: one for index, one in self._frames.items() if self._is_sampled(index)}

    def _is_sampled(self, frame_index: int) -> bool:
        return frame_index in self._wanted and frame_index * _GOLDEN % 1 < self._share

    def facts(
        self, table: Localizations, *, camera: Camera, pixel_size_nm: float, is_network: bool
    ) -> RecordingQuality:
        """What was seen, held against the table that came of it."""
        values = list(self._frames.values())
        clipped, black = _clipped_and_black(values)
        return RecordingQuality(
            quantiser=self._codings.trace(self._frame_pixels),
            key_frames=key_frame_effect(table, self._codings.key_frames, self._processed()),
            frames_sampled=len(values),
            clipped=clipped,
            black=black,
            frames_compared=self._compared,
            repeated=self._repeated / self._compared if self._compared else None,
            agreement=self._second_opinion(table, camera, pixel_size_nm) if is_network and values else None,
        )

    def _processed(self) -> NDArray[np.bool_]:
        came = np.zeros(max((first + count for first, count in self._received), default=0), bool)
        for first, count in self._received:
            came[first : first + count] = True
        came[: self._wanted.start] = False
        if self._wanted.stop is not None:
            came[self._wanted.stop :] = False
        return came

    def _second_opinion(self, table: Localizations, camera: Camera, pixel_size_nm: float) -> Comparison:
        """Where both agree, what they share (faults at low signal, the codec's) is not shown; where not, one is wrong."""
        indices = np.array(sorted(self._frames))
        fits = []
        for start in range(0, len(indices), _FIT_FRAMES):
            part = indices[start : start + _FIT_FRAMES]
            counts = np.stack([self._frames[int(index)] for index in part]).astype(np.float32)
            fits.append(localize(counts, part, camera=camera, pixel_size_nm=pixel_size_nm, threshold=_FIT_THRESHOLD))
        known = np.isfinite(table["x_nm"]) & np.isfinite(table["y_nm"]) & np.isin(table["frame"], indices)
        return compare(concatenate(fits), table[known], _TOLERANCE_PX * pixel_size_nm)


def _clipped_and_black(frames: Sequence[Counts]) -> tuple[float, float] | tuple[None, None]:
    """Shares of all pixels at the highest and at the lowest count that light can have; None of no frame."""
    if not frames:
        return None, None
    histogram = np.zeros(2**16, np.int64)
    for frame in frames:
        histogram += np.bincount(frame.ravel(), minlength=len(histogram))
    black, white = levels_of(histogram)
    pixels = histogram.sum()
    return float(histogram[white:].sum() / pixels), float(histogram[: black + 1].sum() / pixels)


def examine(
    chunks: Iterable[Chunk], roi: RegionOfInterest, frame_count: int, frames: FrameRange | None = None
) -> Examiner:
    """Look at a recording that is kept: at the headers of all its chunks, and at the pixels of 40, spread evenly.

    `frame_count` is how many frames it has, about. Of a recording that is not H.264, which has no such headers and costs as
    much to read as to decode, it is the first 40. Chunks that cannot be read end it: a report is written all the same.
    """
    examiner = Examiner(frames)
    decoded, step, next_frame = 0, frame_count / _MAX_DECODED_CHUNKS, 0.0
    try:
        for chunk in chunks:
            is_raw = chunk.header.codec == "raw"
            if is_raw and decoded == _MAX_DECODED_CHUNKS:
                break
            first = chunk.header.first_frame
            wanted = decoded < _MAX_DECODED_CHUNKS and (is_raw or first >= next_frame)
            examiner.add(chunk, _decoded(chunk, roi) if wanted else None)
            if wanted:
                decoded += 1
                next_frame = max(first, next_frame) + step
    except (InvalidVideo, FrameSizeChanged):
        pass
    return examiner


def _decoded(chunk: Chunk, roi: RegionOfInterest) -> Counts | None:
    try:
        return decode(chunk, roi)
    except InvalidChunk:
        return None
