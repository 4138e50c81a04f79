from __future__ import annotations

import asyncio
import errno
import tempfile
from pathlib import Path

import pytest
from fastapi.responses import FileResponse
from starlette.types import Message

from cellstorm.errors import StorageFull
from cellstorm_server.answers import made
from cellstorm_server.patience import GuardExchanges

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


@pytest.mark.parametrize("takes", [1000, 2], ids=["to its end", "in part"])
def test_a_file_that_was_made_for_one_answer_goes_with_it(takes: int) -> None:
    taken: list[Message] = []

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        if len(taken) == takes:
            await asyncio.Event().wait()
        taken.append(message)

    def write(path: Path) -> None:
        path.write_bytes(bytes(2**20))

    def is_there(answer: FileResponse) -> bool:
        return Path(answer.path).exists()

    async def scenario() -> Path:
        answer = await made("table.csv", "text/csv", write)
        assert isinstance(answer, FileResponse)
        assert is_there(answer)
        await GuardExchanges(answer, answer_s=0.05)(SCOPE, receive, send)
        return Path(answer.path).parent

    assert not asyncio.run(scenario()).exists()
    assert len(taken) == min(takes, 1 + 16 + 1)


def test_a_file_that_finds_no_room_is_told_as_a_full_disk_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StorageFull, match="make room"):
        asyncio.run(made("table.csv", "text/csv", write))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_temporary_files_that_takes_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    with pytest.raises(StorageFull, match="temporary files"):
        asyncio.run(made("table.csv", "text/csv", Path.touch))


def test_what_is_wrong_with_the_making_itself_is_no_full_disk() -> None:
    def write(path: Path) -> None:
        (path.parent / "not there").read_bytes()

    with pytest.raises(FileNotFoundError):
        asyncio.run(made("table.csv", "text/csv", write))
