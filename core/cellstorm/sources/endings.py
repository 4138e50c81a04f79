"""Whether a file stops before its end, told by its own structure: a recording that was cut off is processed, but not silently.

Containers say how long their parts are. Where a part reaches beyond the file, the rest is missing: boxes of MP4 and MOV
(ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794, 6), chunks of AVI (RIFF). Streams without such lengths
(MPEG-TS, a browser's WebM of unknown length) cannot tell, and count as whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = 0x18538067
_MAX_PARTS: Final = 1_000_000
"""A file of more is not followed any further."""
_BOX_TYPES: Final = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx"})


def ends_early(path: Path) -> bool:
    """Whether the last part of the file is not all there."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(12)
        if head[:4] == _EBML:
            parts = _elements(file, size)
        elif head[:4] == b"RIFF":
            parts = _riffs(file, size)
        elif head[4:8] in _BOX_TYPES:
            parts = _boxes(file, size)
        else:
            return False
        end = 0
        for count, end in enumerate(parts):  # the last one is what is asked for
            if end > size or count > _MAX_PARTS:
                break
        return end > size


def _boxes(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each box at the top level ends."""
    start = 0
    while start < size:
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # up to the end of the file, whatever that is
            return
        start += max(8, length)
        yield start


def _riffs(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each RIFF list ends; AVI of more than a GiB has several."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length == 0:  # zero: the writer never came back to note it
            return
        start += 8 + length + length % 2
        yield start


def _elements(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each element at the top level ends, and within a segment of unknown size each of its own."""
    start = 0
    while start < size:
        file.seek(start)
        head = file.read(12)
        id_length = _vint_length(head[:1])
        length_length = _vint_length(head[id_length : id_length + 1])
        if not id_length or not length_length or len(head) < id_length + length_length:
            yield size + 1
            return
        marked = int.from_bytes(head[id_length : id_length + length_length], "big")
        length = marked - (1 << 7 * length_length)
        body = start + id_length + length_length
        if length == (1 << 7 * length_length) - 1:  # all bits set: unknown
            if int.from_bytes(head[:id_length], "big") != _SEGMENT:
                return
            start = body
            continue
        start = body + length
        yield start


def _vint_length(first: bytes) -> int:
    """Bytes of a variable-length number (RFC 8794, 4), by its first byte; 0 where it is none."""
    return 9 - first[0].bit_length() if first and first[0] else 0
