"""The probe, as the gateway starts it: whatever becomes of that process, the gateway gets an answer."""

from __future__ import annotations

import asyncio
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm.errors import InvalidVideo
from cellstorm_server.probing import Prober
from tests.fakes import encode_h264, numbered_frames
from tests.unit.core.test_sources import STACK_16, mux_units


def test_a_readable_file_is_told_of(tmp_path: Path) -> None:
    path = mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(30)))
    found = asyncio.run(Prober().probe(path))
    assert (found.width, found.height, found.frame_count_estimate) == (96, 64, 30)


def test_a_refusal_comes_with_its_own_words_and_the_name_that_the_sender_knows(tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"Dear reader,\n" * 100)
    with pytest.raises(InvalidVideo, match=r"^the file is not a video"):
        asyncio.run(Prober().probe(tmp_path / "letter"))
    tifffile.imwrite(tmp_path / "picture", np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    (tmp_path / "nothing").touch()
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    for file in ("letter", "picture", "nothing", "archive"):
        with pytest.raises(InvalidVideo, match=r"^day 3/ä\ufffd\.mov (is|holds)"):
            asyncio.run(Prober().probe(tmp_path / file, name="day 3/ä\0.mov"))


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")  # nobody ever writes to it
    with pytest.raises(InvalidVideo, match="too long"):
        asyncio.run(Prober(patience_s=0.5).probe(tmp_path / "endless"))


def test_a_process_that_dies_is_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # a module of that name is found first, and ends the process
    (tmp_path / "cellstorm").mkdir()
    (tmp_path / "cellstorm" / "__init__.py").write_text("import os; os.abort()")
    with pytest.raises(InvalidVideo, match="cannot be read"):
        asyncio.run(Prober().probe(tmp_path / "video.mp4"))


def test_a_rate_is_handed_on(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK_16)
    assert asyncio.run(Prober().probe(tmp_path / "stack.tif", 12.5)).description.fps == 12.5


def test_the_process_gets_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "environment"
    (tmp_path / "cellstorm").mkdir()
    (tmp_path / "cellstorm" / "__init__.py").write_text(f"import os; open({str(told)!r}, 'w').write(str(os.environ))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CELLSTORM_ADMIN_TOKEN", "a-secret-of-the-gateway")
    with pytest.raises(InvalidVideo):
        asyncio.run(Prober().probe(tmp_path / "video.mp4"))
    assert "PATH" in told.read_text()
    assert "a-secret" not in told.read_text()
