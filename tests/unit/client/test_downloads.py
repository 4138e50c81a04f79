"""What becomes of a downloaded result folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from cellstorm.results.folder import MAPS_TIFF, REPORT
from cellstorm_client.downloads import unpack_results
from cellstorm_client.errors import Unreachable


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    with httpx.Client(transport=transport) as http:
        unpack_results(http, "http://server/archive.zip", folder)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_files_of_a_result_folder_are_taken_and_no_others(tmp_path: Path) -> None:
    unpack(archive(**{REPORT: b"{}", f"../{MAPS_TIFF}": b"maps", "other.sh": b"ls"}), tmp_path / "out")
    assert names(tmp_path / "out") == {REPORT, MAPS_TIFF}
    assert names(tmp_path) == {"out"}


def test_a_damaged_download_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    unpack(archive(**{REPORT: b"old"}), tmp_path / "out")
    damaged = bytearray(archive(**{"localizations.csv": b"1,2,3", REPORT: b"new"}))
    damaged[damaged.index(b"new")] ^= 1
    for content in (bytes(damaged), b"no archive"):
        with pytest.raises(Unreachable, match="damaged"):
            unpack(content, tmp_path / "out")
    assert names(tmp_path / "out") == {REPORT}
    assert (tmp_path / "out" / REPORT).read_bytes() == b"old"
