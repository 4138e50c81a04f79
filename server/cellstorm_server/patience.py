"""Ends requests that stall or swell, and answers that nobody takes: uvicorn itself waits for ever, so they would stay for hours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cellstorm.errors import TooLarge
from cellstorm_server.problems import as_problem, problem
from cellstorm_server.tus.override import is_upload_path
from cellstorm_server.urls import VIDEO

HEADERS_S: Final = 10.0
"""For a request's headers, from their first byte to their last."""
BODY_S: Final = 10.0
UPLOAD_S: Final = 30.0
"""Between two pieces of a body."""
WHOLE_BODY_S: Final = 30.0
"""From a body's first piece to its last, of all requests but uploads: who may do what is asked only then."""
MAX_BODY_BYTES: Final = 256 * 1024
"""Of all requests but uploads."""
ANSWER_S: Final = 30.0
"""For a client to take something of its answer, once as much as buffers hold lies before it."""


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


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Of one body: seconds between two pieces, seconds and bytes in all. None is no limit."""

    piece_s: float = BODY_S
    whole_s: float | None = WHOLE_BODY_S
    max_bytes: int | None = MAX_BODY_BYTES


class GuardExchanges:
    """Answers 408 to a request whose body stops coming or drips, and 413 to one whose body is too large; gives an answer up
    of which its client takes nothing.

    Uploads may take longer between two pieces, take as long as they like in all, and know their own limit. FastAPI has a
    limit too, but answers it with plain text.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: BodyLimits = BodyLimits(),
        upload_s: float = UPLOAD_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._app = app
        self._limits = limits
        self._answer_s = answer_s
        self._upload_limits = BodyLimits(piece_s=upload_s, whole_s=None, max_bytes=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits = self._upload_limits if _is_upload(scope) else self._limits
        exchange = _Exchange(receive, send, limits, self._answer_s)
        exchange.check_length(Headers(scope=scope).get("content-length", ""))
        if exchange.refusal is None:
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except Exception:
                if exchange.refusal is None and not exchange.is_given_up:
                    raise
        if exchange.refusal is not None and not exchange.is_answered:
            await exchange.refusal(scope, receive, send)


class _Exchange:
    """One request and its answer. To the application a refused request looks like one whose client has gone."""

    def __init__(self, receive: Receive, send: Send, limits: BodyLimits, answer_s: float) -> None:
        self._receive = receive
        self._send = send
        self._answer_s = answer_s
        self._piece_s = limits.piece_s
        self._bytes_left = limits.max_bytes
        self._clock = asyncio.get_running_loop().time
        self._whole_s = limits.whole_s
        self._deadline: float | None = None
        self._is_complete = False
        self.refusal: Response | None = None
        self.is_answered = False
        self.is_given_up = False

    def check_length(self, announced: str) -> None:
        """Refuse a body that is announced as too large."""
        if self._bytes_left is not None and announced.isdecimal() and int(announced) > self._bytes_left:
            self._refuse(_too_large())

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()
        patience_s = self._patience_s()
        if patience_s <= 0:  # what has come already is taken without a wait, and so without a timeout
            return self._refuse(_stalled())
        try:
            async with asyncio.timeout(patience_s):
                message = await self._receive()
        except TimeoutError:
            return self._refuse(_stalled())
        if self._bytes_left is not None:
            self._bytes_left -= len(message.get("body", b""))
            if self._bytes_left < 0:
                return self._refuse(_too_large())
        self._is_complete = not message.get("more_body", False)
        return message

    def _patience_s(self) -> float:
        """From when the application first asks: what it does before, such as to make an answer, is not the client's delay."""
        if self._whole_s is None:
            return self._piece_s
        if self._deadline is None:
            self._deadline = self._clock() + self._whole_s
        return min(self._piece_s, self._deadline - self._clock())

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.is_answered:
            return
        self.is_answered = True
        try:
            async with asyncio.timeout(self._answer_s):
                await self._send(message)
        except TimeoutError as error:
            self.is_given_up = True
            raise BrokenPipeError("the client took nothing of its answer") from error

    def _refuse(self, refusal: Response) -> Message:
        refusal.headers["Connection"] = "close"
        self.refusal = refusal
        self._is_complete = True
        return {"type": "http.disconnect"}


def _is_upload(scope: Scope) -> bool:
    """Not every PUT: a body of JSON is held in memory, before anybody asks who has sent it."""
    path = scope["path"]
    return (scope["method"] == "PUT" and path.endswith(VIDEO)) or is_upload_path(path)


def _stalled() -> Response:
    status = HTTPStatus.REQUEST_TIMEOUT
    detail = "the request stopped coming; check the connection and send it again"
    return problem(status, "request-timeout", status.phrase, detail)


def _too_large() -> Response:
    return as_problem(TooLarge("the request's body is too large; only uploads may be long"))
