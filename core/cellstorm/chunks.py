"""A chunk: consecutive frames that travel, are stored and are processed together, and decode on their own.

Its binary form is what lies in Redis and on the gateway's spool:

    b"CSC1" | header length, uint32 little-endian | header, JSON | payloads, one after another

An `h264` chunk begins with an IDR picture and holds one payload per frame: an access unit in Annex B form, in decoding
order. A `raw` chunk holds one payload: all frames' counts, row by row, compressed losslessly with zlib.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cellstorm.errors import InvalidChunk

MAX_CHUNK_FRAMES: Final = 300
"""A stream whose key frames are further apart is cut anew, losslessly."""
MIN_CHUNK_FRAMES: Final = 8
"""A chunk is not ended at a key frame before it holds this many: context at its edges is repeated, and each has its cost."""
FILE_CHUNK_FRAMES: Final = 48
"""Likewise of a file, which nobody waits for: x264 sets a key frame every third one where noise changes whole pictures, and at a
chunk's edge a fourth of the faintest molecules is not found. With the 250 frames that x264 sets key frames apart at most, fewer than
MAX_CHUNK_FRAMES."""
FILE_CHUNK_BYTES: Final = 128 * 2**20
"""Of counts, whichever comes first: 60 frames of 1920x1080, 11 of 4032x3024."""
MAX_CHUNK_BYTES: Final = 256 * 2**20
"""Of its binary form."""
MAX_PAYLOAD_BYTES: Final = MAX_CHUNK_BYTES - 2**20
"""The rest is for the header."""
MAX_FRAME_SIDE: Final = 8192

_MAGIC: Final = b"CSC1"
_PREFIX: Final = struct.Struct("<4sI")

Counts = NDArray[np.uint8] | NDArray[np.uint16]
"""Camera counts; row 0 is the top of the image."""


class ChunkHeader(BaseModel):
    """What is known of a chunk without decoding it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, description="Position among the acquisition's chunks, from 0.")
    codec: Literal["h264", "raw"]
    first_frame: int = Field(
        ge=0, description="Index of the first frame in display order; the others follow without a gap."
    )
    times_s: tuple[float, ...] = Field(
        min_length=1,
        max_length=MAX_CHUNK_FRAMES,
        description="Presentation times since the acquisition's start, by frame.",
    )
    width: int = Field(gt=0, le=MAX_FRAME_SIDE, description="Of the whole frame, in pixels.")
    height: int = Field(gt=0, le=MAX_FRAME_SIDE)
    dtype: Literal["uint8", "uint16"] = "uint8"
    payload_sizes: tuple[int, ...] = Field(min_length=1)
    display_ranks: tuple[int, ...] = Field(
        default=(),
        description="For h264: each payload's position in display order (differs from its own with B frames).",
    )
    quarter_turns: int = Field(
        default=0,
        ge=0,
        lt=4,
        description="For h264: counterclockwise, of each decoded picture; width and height are after them.",
    )
    lost: int = Field(
        default=0, ge=0, description="Frames after this chunk's last and before the next chunk that never came."
    )
    damaged: int = Field(default=0, ge=0, description="Frames likewise that came, but refer to lost ones.")
    received_at_s: float = Field(default=0.0, description="Unix time at which the last frame came, for the lag.")

    @property
    def frame_count(self) -> int:
        return len(self.times_s)

    @property
    def next_frame(self) -> int:
        """Index that the next chunk's first frame has."""
        return self.first_frame + self.frame_count + self.lost + self.damaged

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.codec == "h264" and sorted(self.display_ranks) != list(range(self.frame_count)):
            raise ValueError("display_ranks must be a permutation of the frames")
        if len(self.payload_sizes) != (self.frame_count if self.codec == "h264" else 1):
            raise ValueError("payload_sizes does not fit the codec and the number of frames")
        return self


class RawPayload:
    """Frames' counts, compressed one by one as they come: of a raw chunk in the making no more is held than what it will be."""

    def __init__(self) -> None:
        self.width = self.height = 0  # before the first frame
        self.dtype: Literal["uint8", "uint16"] = "uint8"
        self._deflator = zlib.compressobj(level=1)
        self._packed = io.BytesIO()

    def add(self, counts: Counts) -> None:
        """The next frame, (height, width), of the size and type of those before."""
        self.height, self.width = counts.shape
        self.dtype = "uint8" if counts.dtype == np.uint8 else "uint16"
        little_endian = np.ascontiguousarray(counts, counts.dtype.newbyteorder("<"))
        self._packed.write(self._deflator.compress(little_endian.data))

    def finish(self) -> bytes:
        """All of it; nothing can be added afterwards."""
        self._packed.write(self._deflator.flush())
        return self._packed.getvalue()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A header and its payloads."""

    header: ChunkHeader
    payloads: tuple[bytes, ...]

    @classmethod
    def of_counts(cls, number: int, first_frame: int, times_s: Sequence[float], counts: Counts) -> Self:
        """A raw chunk of (frames, height, width) counts, uint8 or uint16."""
        assert len(counts) == len(times_s)
        payload = RawPayload()
        for frame in counts:
            payload.add(frame)
        return cls.of_raw(number, first_frame, times_s, payload)

    @classmethod
    def of_raw(cls, number: int, first_frame: int, times_s: Sequence[float], payload: RawPayload) -> Self:
        """A raw chunk of all that was added to its payload, which is at its end then."""
        packed = payload.finish()
        header = ChunkHeader(
            number=number,
            codec="raw",
            first_frame=first_frame,
            times_s=tuple(times_s),
            width=payload.width,
            height=payload.height,
            dtype=payload.dtype,
            payload_sizes=(len(packed),),
        )
        return cls(header, (packed,))

    def to_bytes(self) -> bytes:
        header = self.header.model_dump_json().encode()
        return b"".join((_PREFIX.pack(_MAGIC, len(header)), header, *self.payloads))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Inverse of `to_bytes`.

        Raises
        ------
        InvalidChunk
            If `data` is not exactly one well-formed chunk.
        """
        header, start = _read_header(data)
        if start + sum(header.payload_sizes) != len(data) or min(header.payload_sizes) < 0:
            raise InvalidChunk("the chunk is truncated; send it again")
        payloads = []
        for size in header.payload_sizes:
            payloads.append(data[start : start + size])
            start += size
        return cls(header, tuple(payloads))


def _read_header(data: bytes) -> tuple[ChunkHeader, int]:
    if len(data) < _PREFIX.size or data[:4] != _MAGIC:
        raise InvalidChunk("these bytes are not a chunk")
    _, length = _PREFIX.unpack_from(data)
    end = _PREFIX.size + length
    try:
        return ChunkHeader.model_validate_json(data[_PREFIX.size : end]), end
    except ValidationError as error:
        raise InvalidChunk(f"the chunk's header is not valid: {error.errors()[0]['msg']}") from error
