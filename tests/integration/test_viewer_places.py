"""A gateway's places for viewers, taken and left by many at once, on the real application and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.types import Message

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.settings import Settings
from cellstorm_server import follower
from cellstorm_server.app import create_app
from cellstorm_server.services import Services
from tests.gateway import ADMIN_TOKEN

PLACES = 5
ID = "acquisition-1"

Check = Callable[[FastAPI], Awaitable[None]]


class Client:
    """Asks for one part of the acquisition's address, and takes nothing of the answer but its first line until it leaves."""

    def __init__(self, app: FastAPI, what: str) -> None:
        self._app = app
        self._what = what
        self._asked = False
        self._leaves = asyncio.Event()
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asking = asyncio.create_task(self._ask())

    async def leave(self) -> None:
        self._leaves.set()
        await self._asking

    async def _ask(self) -> None:
        headers = [(b"authorization", f"Bearer {ADMIN_TOKEN}".encode()), (b"host", b"localhost")]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/v1/acquisitions/{ID}/{self._what}",
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status.set_result(message["status"])
        if self.status.result() == 200:  # he was let in
            await asyncio.Event().wait()


@pytest.fixture
def run(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Check], None]:
    """Runs a check on an application with few places and one acquisition."""
    monkeypatch.setattr(follower, "MAX_VIEWERS", PLACES)
    settings = Settings(data=tmp_path, redis_url=redis_url, admin_token=ADMIN_TOKEN)

    async def within(check: Check) -> None:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            services: Services = app.state.services
            services.library.create(ID)
            services.store.create(ID, AcquisitionSettings(), owner="test", token_digest="")
            await check(app)

    return lambda check: asyncio.run(within(check))


async def crowd(app: FastAPI, size: int, *what: str) -> tuple[list[Client], list[int]]:
    """So many clients at once, who ask for these by turns, and what each is answered."""
    clients = [Client(app, what[number % len(what)]) for number in range(size)]
    return clients, sorted(await asyncio.gather(*(client.status for client in clients)))


def test_of_many_who_come_at_once_no_more_are_let_in_than_there_are_places(run: Callable[[Check], None]) -> None:
    async def check(app: FastAPI) -> None:
        clients, answers = await crowd(app, 60, "live", "events")
        assert answers == [200] * PLACES + [503] * (60 - PLACES)
        for client in clients:
            await client.leave()

    run(check)


def test_whoever_has_gone_before_the_first_row_leaves_his_place_to_others(run: Callable[[Check], None]) -> None:
    async def check(app: FastAPI) -> None:
        for _ in range(3):
            clients, answers = await crowd(app, PLACES, "live", "events")
            assert answers == [200] * PLACES
            for client in clients:
                await client.leave()

    run(check)
