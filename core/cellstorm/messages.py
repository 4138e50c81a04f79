"""What a viewer hears: JSON texts told apart by `kind`, and binary messages of localizations.

On joining: `Opening`, a binary snapshot of the first rows, the others in binary deltas, `Progress`. Then binary deltas,
each followed by `Progress`, until `Closing`. Rows come in one order for all viewers, and no message holds more than
PART_ROWS of them: whoever is slow is behind, and misses nothing but progress that is out of date. Where Redis lost what viewers
had seen, and it was made anew, another snapshot replaces all. A WebSocket sends all of
it; an HTTP answer what comes up to the first `Progress`, as one body (`framed`).

A binary message is a header of 32 bytes, then its columns one after another (WIRE_COLUMNS); all little-endian:

    offset 0   4 bytes  b"CSL2"
           4   uint8    1 snapshot (replaces what came before), 2 delta (adds to it)
           8   uint32   number of rows
           12  uint32   frames processed so far
           16  uint32   1 + highest frame index processed so far
           20  uint32   place of the first row among all rows; rows before a snapshot's first were not asked for
           24  uint32   rows that there are by now, sent or yet to be sent
           28  uint32   history: which commits hold the rows up to this message's end; whoever comes back with it goes on there
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm import localizations
from cellstorm.acquisitions import Acquisition
from cellstorm.localizations import LOCALIZATION, Localizations

SNAPSHOT: Final = 1
DELTA: Final = 2
PART_ROWS: Final = 2**13
"""Rows of one message at most: 176 kB. Chromium takes five times as long for messages of a megabyte (measured, 156)."""

BFLOAT16: Final = "bfloat16"
"""The upper half of a float32, rounded: its range, and three significant digits. Enough for what is compared or plotted."""

_EXACT: Final = ("frame", "x_nm", "y_nm")

_MAGIC: Final = b"CSL2"
_HEADER: Final = struct.Struct("<4sB3x6I")
_LENGTH: Final = struct.Struct("<I")


class WireColumn(NamedTuple):
    """A column of localizations.COLUMNS as it travels."""

    name: str
    dtype: str


WIRE_COLUMNS: Final = tuple(
    WireColumn(column.name, column.dtype if column.name in _EXACT else BFLOAT16) for column in localizations.COLUMNS
)
"""Four-byte columns come first, so that each begins at a multiple of its size."""

WIRE_ROW_BYTES: Final = sum(2 if column.dtype == BFLOAT16 else 4 for column in WIRE_COLUMNS)


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnDescription(_Message):
    """One column of binary messages."""

    name: str
    dtype: str = Field(description="As numpy writes it, e.g. '<f4'; 'bfloat16' is the upper half of a float32.")
    unit: str
    meaning: str


class Opening(_Message):
    """First message: how to read the others."""

    kind: Literal["opening"] = "opening"
    columns: tuple[ColumnDescription, ...]
    acquisition: Acquisition


class Progress(_Message):
    """How far the acquisition has come."""

    kind: Literal["progress"] = "progress"
    acquisition: Acquisition


class Closing(_Message):
    """Last message: nothing more will come."""

    kind: Literal["closing"] = "closing"
    reason: Literal["finished", "failed", "cancelled", "deleted", "shutting_down"]


COLUMN_DESCRIPTIONS: Final = tuple(
    ColumnDescription(name=c.name, dtype=wire.dtype, unit=c.unit, meaning=c.meaning)
    for c, wire in zip(localizations.COLUMNS, WIRE_COLUMNS, strict=True)
)


class BinaryMessage(NamedTuple):
    """Rows of a snapshot or a delta, and where they stand among all."""

    kind: int
    table: Localizations
    frames_processed: int
    end_frame: int
    first_row: int
    total_rows: int
    history: int

    def to_bytes(self) -> bytes:
        """As it travels."""
        header = _HEADER.pack(
            _MAGIC,
            self.kind,
            len(self.table),
            self.frames_processed,
            self.end_frame,
            self.first_row,
            self.total_rows,
            self.history,
        )
        columns = (_packed(self.table[name], dtype) for name, dtype in WIRE_COLUMNS)
        return b"".join((header, *(column.tobytes() for column in columns)))

    @classmethod
    def from_bytes(cls, data: bytes) -> BinaryMessage:
        """Inverse of `to_bytes`, but for the digits that do not travel.

        Raises
        ------
        ValueError
            If `data` is no such message.
        """
        if len(data) < _HEADER.size:
            raise ValueError("a binary message without its header")
        magic, kind, rows, *places = _HEADER.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEADER.size + rows * WIRE_ROW_BYTES:
            raise ValueError("not a binary message of localizations")
        table = np.zeros(rows, LOCALIZATION)
        offset = _HEADER.size
        for name, dtype in WIRE_COLUMNS:
            column = np.frombuffer(data, "<u2" if dtype == BFLOAT16 else dtype, rows, offset)
            table[name] = _unpacked(column) if dtype == BFLOAT16 else column
            offset += column.nbytes
        return cls(kind, table, *places)


def framed(message: str | bytes) -> bytes:
    """With its length before it (uint32, little-endian): a body holds such messages one after another."""
    data = message.encode() if isinstance(message, str) else message
    return _LENGTH.pack(len(data)) + data


def unframed(body: bytes) -> Iterator[str | bytes]:
    """The messages of a body: a binary one begins with b"CSL2", a JSON text with a brace.

    Raises
    ------
    ValueError
        If the body ends within a message.
    """
    place = 0
    while place < len(body):
        start = place + _LENGTH.size
        place = start + (_LENGTH.unpack_from(body, place)[0] if start <= len(body) else _LENGTH.size)
        if place > len(body):
            raise ValueError("a body of messages that was cut short")
        data = body[start:place]
        yield data if data.startswith(_MAGIC) else data.decode()


def as_sent(table: Localizations) -> Localizations:
    """What of a table arrives."""
    sent = table.copy()
    for name, dtype in WIRE_COLUMNS:
        if dtype == BFLOAT16:
            sent[name] = _unpacked(_packed(table[name], dtype))
    return sent


def _packed(column: NDArray[np.generic], dtype: str) -> NDArray[np.generic]:
    if dtype != BFLOAT16:
        return np.ascontiguousarray(column, dtype)
    values = np.ascontiguousarray(column, "<f4")
    bits = values.view("<u4")
    # To the nearest, ties to even; a number that is none must not be rounded to infinity.
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype("<u2")


def _unpacked(halves: NDArray[np.generic]) -> NDArray[np.float32]:
    return (halves.astype("<u4") << np.uint32(16)).view("<f4")
