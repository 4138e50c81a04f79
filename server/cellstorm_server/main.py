"""Runs the gateway: one process, one event loop."""

from __future__ import annotations

import socket
import sys
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from cellstorm.settings import Settings
from cellstorm_server.access import admin_token
from cellstorm_server.app import check, create_app, say_farewell
from cellstorm_server.patience import ImpatientProtocol

log = structlog.get_logger()

_SHUTDOWN_S: Final = 5
_MAX_CONNECTIONS: Final = 1000


class _Server(uvicorn.Server):
    """uvicorn, which closes connections before it ends the application: viewers hear of it first."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await say_farewell(self._app)
        await super().shutdown(sockets)


def run(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    CellstormError
        If the gateway cannot do its work; the message says what is missing.
    """
    check(settings)
    admin = admin_token(settings)
    if admin.is_new:
        path = settings.admin_token_file
        print(f"admin token, shown this once and kept in {path}: {admin.token}", file=sys.stderr, flush=True)
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
    log.info("gateway starts", host=settings.host, port=settings.port, model=settings.model)
    _Server(config, app).run()
