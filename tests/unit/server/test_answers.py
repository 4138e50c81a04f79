from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi.responses import FileResponse
from starlette.types import Message

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
