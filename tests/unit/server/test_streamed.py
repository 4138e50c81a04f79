"""Answers that are made while they are sent, to clients that leave or fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import Message

from cellstorm_server.patience import GuardExchanges
from cellstorm_server.streamed import StreamedResponse

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "headers": [],
    "asgi": {"spec_version": "2.3"},
}  # as uvicorn has it


class Source:
    """Pieces without end, and whether somebody is still owed them."""

    is_open = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        self.is_open = True
        try:
            while True:
                yield b"piece"
        finally:
            self.is_open = False


class Client:
    """Takes so many messages, then nothing more; it leaves when it is told to."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.taken: list[Message] = []
        self.is_full = asyncio.Event()
        self.leaves = asyncio.Event()

    async def send(self, message: Message) -> None:
        if len(self.taken) == self._takes:
            self.is_full.set()
            await asyncio.Event().wait()
        self.taken.append(message)

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


def test_a_client_that_leaves_ends_what_was_made_for_it_at_once() -> None:
    async def scenario() -> None:
        source, client = Source(), Client(takes=4)
        answer = StreamedResponse(source.pieces(), "text/plain")
        answering = asyncio.create_task(answer(SCOPE, client.receive, client.send))
        await client.is_full.wait()
        assert source.is_open
        client.leaves.set()
        await answering
        assert not source.is_open

    asyncio.run(scenario())


def test_a_client_that_takes_nothing_is_given_up() -> None:
    async def scenario() -> None:
        source, client = Source(), Client(takes=4)
        answer = StreamedResponse(source.pieces(), "text/plain")
        await GuardExchanges(answer, answer_s=0.01)(SCOPE, client.receive, client.send)
        assert not source.is_open
        assert [message["type"] for message in client.taken] == ["http.response.start"] + ["http.response.body"] * 3

    asyncio.run(scenario())
