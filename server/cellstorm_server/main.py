"""Runs the gateway: one process, one event loop; plain HTTP for this machine and proxies, HTTPS for all others."""

from __future__ import annotations

import asyncio
import socket
import sys
from datetime import UTC, datetime
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm_server import stun
from cellstorm_server.allocation import return_what_is_freed
from cellstorm_server.app import check, create_app, say_farewell
from cellstorm_server.https import HttpsListener, listen
from cellstorm_server.patience import ImpatientProtocol
from cellstorm_server.tls import ServerTls, certificate_source
from cellstorm_server.tokens import admin_token

log = structlog.get_logger()

_SHUTDOWN_S: Final = 5
_MAX_CONNECTIONS: Final = 1000
_CERTIFICATE_CHECK_S: Final = 60.0
"""A laptop that has moved to another network is reached under its new address soon after."""


class _Server(uvicorn.Server):
    """uvicorn, with a second listener, and an order of ending: viewers hear of it before their connections are closed.

    What `startup` passes to protocols is not uvicorn's public interface: pinned by tests/integration/test_https.py.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, https: tuple[socket.socket, ServerTls] | None) -> None:
        super().__init__(config)
        self._app = app
        self._https = https
        self._listener: HttpsListener | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._stun: list[asyncio.DatagramTransport] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._https is not None and self.started:
            listener, tls = self._https
            self._listener = HttpsListener(listener, tls.context, self._protocol)
            self._renewing = asyncio.create_task(_keep_fresh(tls), name="certificate")
        await self._answer_stun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await say_farewell(self._app)
        for answering in self._stun:
            answering.close()
        if self._listener is not None and self._renewing is not None:
            self._renewing.cancel()
            await self._listener.close()
        await super().shutdown(sockets)

    async def _answer_stun(self) -> None:
        """Where HTTP is answered, and at the same numbers."""
        listeners = [listener for server in self.servers for listener in server.sockets]
        if self._https is not None:
            listeners.append(self._https[0])
        for listener in listeners if self.started else ():
            host, port, *_ = listener.getsockname()
            if (answering := await stun.listen(host, port)) is not None:
                self._stun.append(answering)

    def _protocol(self) -> asyncio.Protocol:
        return ImpatientProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )


async def _keep_fresh(tls: ServerTls) -> None:
    while True:
        await asyncio.sleep(_CERTIFICATE_CHECK_S)
        try:
            if (files := await asyncio.to_thread(tls.look)) is not None:
                tls.load(files)
        except InvalidSetting as error:
            log.warning("certificate not renewed", reason=str(error))


def run(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    CellstormError
        If the gateway cannot do its work; the message says what is missing.
    """
    return_what_is_freed()
    check(settings)
    admin = admin_token(settings)
    if admin.is_new:
        path = settings.admin_token_file
        print(f"admin token, shown this once and kept in {path}: {admin.token}", file=sys.stderr, flush=True)
    https = None
    if settings.https_port is not None:
        tls = ServerTls(certificate_source(settings, datetime.now(UTC)))
        listener = listen(settings.https_host, settings.https_port)
        settings = settings.model_copy(update={"https_port": listener.getsockname()[1]})  # 0 takes a free one
        https = listener, tls
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=ImpatientProtocol,
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # localizations hardly compress, and the event loop would pay for it
        ws_max_size=64 * 1024,  # viewers have nothing to say
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        server_header=False,
        access_log=False,  # /metrics counts
        log_level="warning",
    )
    log.info("gateway starts", host=settings.host, port=settings.port, https=settings.https_port, model=settings.model)
    _Server(config, app, https).run()
