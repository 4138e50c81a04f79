"""HTTPS beside the plain HTTP of the same server: one more listener, the same application, the same end.

Its port also answers who has typed http://: the first byte tells (a TLS client begins with a handshake record), and such
requests are sent on to https://. Only the pages that explain the certificate are there without it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cellstorm.errors import Busy
from cellstorm_server.ca_page import WITHOUT_TLS
from cellstorm_server.problems import problem

log = structlog.get_logger()

_TLS_HANDSHAKE: Final = b"\x16"
"""RFC 8446, 5.1: the type of the first record."""
_GREETING_S: Final = 10.0
"""For the first byte, and again for the handshake."""
_GOODBYE_S: Final = 2.0
_MAX_GREETINGS: Final = 256
"""Connections that have not come so far; of more, the oldest gives way."""
_BACKLOG: Final = 512
_NO_FILES_S: Final = 0.2


def listen(host: str, port: int) -> socket.socket:
    """A socket on which connections wait.

    Raises
    ------
    Busy
        If the port is taken.
    """
    try:
        listener = socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        raise Busy(
            f"HTTPS cannot be served on {host} port {port} ({error.strerror}); choose another CELLSTORM_HTTPS_PORT"
        ) from error
    listener.setblocking(False)
    return listener


class HttpsListener:
    """Hands connections to protocols that `make_protocol` makes, until it is closed; they outlive it."""

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext, make_protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listener = listener
        self._context = context
        self._make_protocol = make_protocol
        self._greetings: dict[asyncio.Task[None], None] = {}  # oldest first
        self._accepting = asyncio.create_task(self._accept(), name="https")

    async def close(self) -> None:
        """Take no more connections; those that have come in stay."""
        tasks = [self._accepting, *self._greetings]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # too many open files, or the peer has gone
                log.warning("connection not taken", reason=str(error))
                await asyncio.sleep(_NO_FILES_S)
                continue
            if len(self._greetings) >= _MAX_GREETINGS:
                next(iter(self._greetings)).cancel()
            task = asyncio.create_task(self._greet(connection))
            self._greetings[task] = None
            task.add_done_callback(self._greetings.pop)

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_GREETING_S):
                first = await _first_byte(connection)
            if first == _TLS_HANDSHAKE:
                await loop.connect_accepted_socket(
                    self._make_protocol,
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=_GREETING_S,
                    ssl_shutdown_timeout=_GOODBYE_S,
                )
            elif first:
                await loop.connect_accepted_socket(self._make_protocol, connection)
            else:
                connection.close()
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError; a phone that does not trust us ends like this
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise


async def _first_byte(connection: socket.socket) -> bytes:
    """The first one that came, left where it is; b"" when the peer has gone."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            with suppress(BlockingIOError):
                return connection.recv(1, socket.MSG_PEEK)
    finally:
        loop.remove_reader(connection)


class SendToHttps:
    """Sends plain requests on the port of HTTPS on to https://, but for the pages that explain the certificate."""

    def __init__(self, app: ASGIApp, https_port: int | None) -> None:
        self._app = app
        self._https_port = https_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._is_plain(scope) or scope["path"] in WITHOUT_TLS:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _sent_on(scope)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _is_plain(self, scope: Scope) -> bool:
        _, port = scope.get("server") or (None, None)
        return port is not None and port == self._https_port and scope["scheme"] in ("http", "ws")


def _sent_on(scope: Scope) -> Response:
    host = Headers(scope=scope).get("host")
    if host is None or scope["method"] not in ("GET", "HEAD"):
        status = HTTPStatus.BAD_REQUEST
        return problem(status, "https-needed", status.phrase, "this port speaks HTTPS; begin the address with https://")
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return RedirectResponse(f"https://{host}{path}{query}", HTTPStatus.TEMPORARY_REDIRECT)
