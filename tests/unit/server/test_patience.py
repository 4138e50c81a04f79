from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from cellstorm_server.patience import BodyLimits, GuardExchanges, ImpatientProtocol


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


async def answer_first(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def exchange(
    app: Callable[[Scope, Receive, Send], Awaitable[None]],
    parts: list[bytes],
    *,
    is_whole: bool,
    method: str = "POST",
    path: str = "/",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> list[Message]:
    """What `app`, guarded, answers to a body of `parts`, after which nothing comes unless it `is_whole`."""

    async def scenario() -> list[Message]:
        coming = [
            {"type": "http.request", "body": part, "more_body": not is_whole or place < len(parts) - 1}
            for place, part in enumerate(parts)
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            if coming:
                return coming.pop(0)
            return await asyncio.Future()

        async def send(message: Message) -> None:
            sent.append(message)

        guarded = GuardExchanges(app, BodyLimits(piece_s=0.05, whole_s=0.5, max_bytes=20), upload_s=0.05)
        scope = {"type": "http", "method": method, "path": path, "headers": headers or []}
        await guarded(scope, receive, send)
        return sent

    return asyncio.run(scenario())


def test_a_whole_body_passes() -> None:
    start, body = exchange(echo, [b"one ", b"two"], is_whole=True)
    assert (start["status"], body["body"]) == (200, b"one two")


def test_a_body_that_stops_coming_is_answered_408() -> None:
    start, body = exchange(echo, [b"one "], is_whole=False)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["type"] == "urn:cellstorm:problem:request-timeout"


def test_an_answer_that_needs_no_body_passes() -> None:
    start, _ = exchange(answer_first, [], is_whole=False)
    assert start["status"] == 413


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"24")]], ids=["counted", "announced"])
def test_a_body_that_is_too_large_is_answered_413(headers: list[tuple[bytes, bytes]]) -> None:
    start, body = exchange(echo, [bytes(12), bytes(12)], is_whole=True, headers=headers)
    assert start["status"] == 413
    assert json.loads(body["body"])["type"] == "urn:cellstorm:problem:too-large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/acquisitions/one/video"),
        ("PATCH", "/api/v1/uploads/one"),
        ("POST", "/api/v1/uploads"),
    ],
)
def test_an_upload_may_be_larger(method: str, path: str) -> None:
    start, body = exchange(echo, [bytes(12), bytes(12)], is_whole=True, method=method, path=path)
    assert (start["status"], len(body["body"])) == (200, 24)


@pytest.mark.parametrize("path", ["/api/v1/acquisitions/one/camera-report", "/whip/one/sessions/two/gap"])
def test_what_is_put_and_is_no_recording_may_not_be_larger(path: str) -> None:
    start, _ = exchange(echo, [bytes(12), bytes(12)], is_whole=True, method="PUT", path=path)
    assert start["status"] == 413


@pytest.mark.parametrize("is_slow", [True, False], ids=["drips", "pours"])
def test_a_body_that_comes_for_ever_is_answered_408(is_slow: bool) -> None:
    """Each piece comes in time; all of them together do not."""

    async def scenario() -> tuple[int, int]:
        received = 0
        statuses: list[int] = []

        async def receive() -> Message:
            nonlocal received
            received += 1
            if is_slow:
                await asyncio.sleep(0)
            return {"type": "http.request", "body": b"", "more_body": True}

        async def send(message: Message) -> None:
            statuses.append(message.get("status", 0))

        guarded = GuardExchanges(echo, BodyLimits(piece_s=60.0, whole_s=0.05))
        await guarded({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)
        return received, statuses[0]

    received, status = asyncio.run(scenario())
    assert status == 408
    assert received > 1


def test_an_answer_that_took_long_to_make_is_not_cut_short() -> None:
    """Whoever makes it looks for the client's leaving only when he begins to send it."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.1)
        assert (await receive())["type"] == "http.request"
        await PlainTextResponse("late")(scope, receive, send)

    async def scenario() -> list[Message]:
        sent: list[Message] = []
        coming = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            await asyncio.sleep(0.001)
            return next(coming)

        async def send(message: Message) -> None:
            sent.append(message)

        guarded = GuardExchanges(late, BodyLimits(whole_s=0.05))
        await guarded({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
        return sent

    start, body = asyncio.run(scenario())
    assert (start["status"], body["body"]) == (200, b"late")


class _QuicklyImpatient(ImpatientProtocol):
    headers_s = 0.2


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_stop_coming_end_the_connection(beginning: bytes) -> None:
    """Also on a connection that has served a request before."""

    async def scenario() -> None:
        config = uvicorn.Config(echo, port=0, http=_QuicklyImpatient, lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(beginning)
        assert await reader.read() == b""
        writer.close()
        server.should_exit = True
        await serving

    asyncio.run(scenario())
