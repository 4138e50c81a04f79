from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from cellstorm_server.zipping import zip_pieces


def test_a_zip_that_is_made_while_it_is_sent_holds_every_file(tmp_path: Path) -> None:
    contents = {"table.csv": b"1,2,3\n" * 200_000, "image.png": os.urandom(700_000), "empty.json": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    pieces = list(zip_pieces({path.name: path for path in tmp_path.iterdir()}))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == contents
    assert max(len(piece) for piece in pieces) < 2**19
    assert archive.getinfo("table.csv").compress_size < len(contents["table.csv"]) / 10


def test_what_a_machine_without_a_clock_wrote_is_packed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_bytes(b"1,2,3\n")
    os.utime(tmp_path / "table.csv", (3600, 3600))
    monkeypatch.setattr(time, "time", lambda: 3600.0)
    pieces = zip_pieces({"table.csv": tmp_path / "table.csv"}, {"summary.json": b"{}"})
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert {name: archive.read(name) for name in archive.namelist()} == {"table.csv": b"1,2,3\n", "summary.json": b"{}"}
    assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
