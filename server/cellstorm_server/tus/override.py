"""Clients that cannot send PATCH or DELETE send POST with X-HTTP-Method-Override, to uploads alone."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cellstorm_server.urls import API

PATH: Final = "/uploads"


class MethodOverride:
    """Stands before everything that looks at a request's method."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and is_upload_path(scope["path"]):
            wanted = dict(scope["headers"]).get(b"x-http-method-override", b"").upper()
            if wanted in (b"PATCH", b"DELETE"):
                scope["method"] = wanted.decode()
        await self._app(scope, receive, send)


def is_upload_path(path: str) -> bool:
    """Whether tus is spoken there."""
    return path == API + PATH or path.startswith(f"{API}{PATH}/")
