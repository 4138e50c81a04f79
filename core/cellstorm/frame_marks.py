"""Frame numbers inside the video itself: an SEI message (H.264, D.1.7) on each access unit that begins a chunk.

`frame_num` starts again at every key frame, so nothing in H.264 tells how many frames were lost just before one. The
gateway knows, and writes it down where every container and copy keeps it; decoders pass over it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cellstorm.h264 import IDR_SLICE, SEI, SLICE, AccessUnit, nal_type, split_annex_b
from cellstorm.h264_bits import escape, unescape

_UUID: Final = UUID("6c0a2f5e-73b1-4c8e-9d2a-f1c3e05b7d94").bytes
_FIELDS: Final = struct.Struct(">II")
_USER_DATA_UNREGISTERED: Final = 5
_END: Final = b"\x80"


@dataclass(frozen=True, slots=True)
class FrameMark:
    """Which frame of an acquisition an access unit is, and which chunk it begins or belongs to."""

    frame_index: int
    chunk_number: int


def read_frame_index_sei(unit: AccessUnit) -> FrameMark | None:
    """The mark on an access unit."""
    return find_mark(split_annex_b(unit.data))


def marked(nal_units: Sequence[bytes], mark: FrameMark) -> list[bytes]:
    """NAL units of one access unit with this mark before the first slice, in place of any other."""
    others = unmarked(nal_units)
    message = bytes([_USER_DATA_UNREGISTERED, 16 + _FIELDS.size]) + _UUID
    sei = bytes([SEI]) + escape(message + _FIELDS.pack(mark.frame_index, mark.chunk_number) + _END)
    first_slice = next((i for i, unit in enumerate(others) if SLICE <= nal_type(unit) <= IDR_SLICE), len(others))
    return [*others[:first_slice], sei, *others[first_slice:]]


def unmarked(nal_units: Sequence[bytes]) -> list[bytes]:
    """NAL units without any mark."""
    return [unit for unit in nal_units if _read(unit) is None]


def find_mark(nal_units: Sequence[bytes]) -> FrameMark | None:
    """The first mark among the NAL units of one access unit."""
    return next((mark for mark in map(_read, nal_units) if mark is not None), None)


def _read(nal_unit: bytes) -> FrameMark | None:
    """Marks stand alone in their NAL unit, as `marked` writes them and containers keep them."""
    start = bytes([SEI, _USER_DATA_UNREGISTERED, 16 + _FIELDS.size])
    if not nal_unit.startswith(start):
        return None
    message = unescape(nal_unit)[len(start) :]
    if len(message) < 16 + _FIELDS.size or message[:16] != _UUID:
        return None
    return FrameMark(*_FIELDS.unpack_from(message, 16))
