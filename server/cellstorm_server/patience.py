"""Ends requests that stall: uvicorn itself waits for ever, so dripped headers and bodies would hold connections for hours."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cellstorm_server.problems import problem

HEADERS_S: Final = 10.0
"""For a request's headers, from their first byte to their last."""
BODY_S: Final = 10.0
UPLOAD_S: Final = 30.0
"""Between two pieces of a body."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with an end to dripped headers. H11Protocol is not uvicorn's public interface: pinned by a test."""

    headers_s = HEADERS_S
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.headers_s, transport.close)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._awaits_headers():
            self._deadline = self.loop.call_later(self.headers_s, self.transport.close)
        super().data_received(data)
        if not self._awaits_headers():
            self._forget_deadline()

    def handle_websocket_upgrade(self, event: object) -> None:
        self._forget_deadline()
        super().handle_websocket_upgrade(event)  # type: ignore[arg-type]  # h11's Request

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _awaits_headers(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class EndStalledBodies:
    """Answers 408 to a request whose body stops coming."""

    def __init__(self, app: ASGIApp, body_s: float = BODY_S, upload_s: float = UPLOAD_S) -> None:
        self._app = app
        self._body_s = body_s
        self._upload_s = upload_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._upload_s if scope["method"] == "PUT" else self._body_s)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.has_stalled:
                raise
        if exchange.has_stalled and not exchange.is_answered:
            response = problem(
                HTTPStatus.REQUEST_TIMEOUT,
                "request-timeout",
                HTTPStatus.REQUEST_TIMEOUT.phrase,
                "the request stopped coming; check the connection and send it again",
                headers={"Connection": "close"},
            )
            await response(scope, receive, send)


class _Exchange:
    """One request and its answer. To the application a stalled request looks like one whose client has gone."""

    def __init__(self, receive: Receive, send: Send, patience_s: float) -> None:
        self._receive = receive
        self._send = send
        self._patience_s = patience_s
        self._is_complete = False
        self.has_stalled = False
        self.is_answered = False

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience_s)
        except TimeoutError:
            self.has_stalled = self._is_complete = True
            return {"type": "http.disconnect"}
        self._is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self.has_stalled and not self.is_answered:
            return
        self.is_answered = True
        await self._send(message)
