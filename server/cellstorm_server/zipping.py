"""A ZIP of files, piece by piece, while it is sent: neither memory nor disk holds it whole."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_PIECE_BYTES: Final = 2**18
_COMPRESSIBLE: Final = (".csv", ".json", ".yaml", ".html")
_LEVEL: Final = 1
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""That ZIP can note; a machine without a clock, as a Raspberry Pi, begins in 1970."""


class _Sink(io.RawIOBase):
    """What was written since it was last asked. It cannot seek, so sizes follow their files (APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes only
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def zip_pieces(files: Mapping[str, Path], texts: Mapping[str, bytes] | None = None) -> Iterator[bytes]:
    """The ZIP of `texts` and `files`, by their names in it; images and video are stored as they are: they are compressed."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, text in (texts or {}).items():
            entry = zipfile.ZipInfo(name, max(time.localtime(time.time())[:6], _EARLIEST))
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED, _LEVEL)
        for name, path in files.items():
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            entry.compress_type = zipfile.ZIP_DEFLATED if path.suffix in _COMPRESSIBLE else zipfile.ZIP_STORED
            entry._compresslevel = _LEVEL  # type: ignore[attr-defined]  # public since Python 3.13; the archive's own reaches no such entry
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(_PIECE_BYTES):
                    target.write(piece)
                    yield sink.take()
    yield sink.take()
