"""What a viewer hears over WebSocket: JSON texts told apart by `kind`, and binary messages of localizations.

On joining: `Opening`, one binary snapshot, `Progress`. Then binary deltas, each followed by `Progress`, until `Closing`.

A binary message is a header of 24 bytes, little-endian, and its rows (cellstorm.localizations.COLUMNS, 32 bytes each):

    offset 0   4 bytes  b"CSL1"
           4   uint8    1 snapshot (everything so far), 2 delta (what is new)
           8   uint32   number of rows
           12  uint32   frames processed so far, those of this message included
           16  uint32   1 + highest frame index processed so far
           20  uint32   messages left out before this one because the viewer was too slow (their rows come in a new snapshot)
"""

from __future__ import annotations

import struct
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from cellstorm import localizations
from cellstorm.acquisitions import Acquisition
from cellstorm.localizations import Localizations

SNAPSHOT: Final = 1
DELTA: Final = 2
_MAGIC: Final = b"CSL1"
_HEADER: Final = struct.Struct("<4sB3xIIII")


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnDescription(_Message):
    """One column of the rows in binary messages."""

    name: str
    dtype: str = Field(description="As numpy writes it, e.g. '<f4'.")
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
    reason: Literal["finished", "failed", "deleted", "shutting_down"]


ToViewer = Annotated[Opening | Progress | Closing, Field(discriminator="kind")]

COLUMN_DESCRIPTIONS: Final = tuple(
    ColumnDescription(name=c.name, dtype=c.dtype, unit=c.unit, meaning=c.meaning) for c in localizations.COLUMNS
)


class BinaryMessage(NamedTuple):
    """A snapshot or a delta."""

    kind: int
    table: Localizations
    frames_processed: int
    end_frame: int
    left_out: int

    def to_bytes(self) -> bytes:
        header = _HEADER.pack(_MAGIC, self.kind, len(self.table), self.frames_processed, self.end_frame, self.left_out)
        return header + localizations.to_bytes(self.table)

    @classmethod
    def from_bytes(cls, data: bytes) -> BinaryMessage:
        """Inverse of `to_bytes`.

        Raises
        ------
        ValueError
            If `data` is no such message.
        """
        magic, kind, rows, frames_processed, end_frame, left_out = _HEADER.unpack_from(data)
        table = localizations.from_bytes(data[_HEADER.size :])
        if magic != _MAGIC or len(table) != rows:
            raise ValueError("not a binary message of localizations")
        return cls(kind, table, frames_processed, end_frame, left_out)
