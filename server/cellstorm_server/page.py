"""Serves the page that phones and viewers open."""

from __future__ import annotations

from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cellstorm.settings import Settings
from cellstorm_server.page_files import PageFiles
from cellstorm_server.plain_pages import plain_page

_INDEX: Final = "index.html"

_FOR_ALL: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    # Isolated from all other pages, so that the generator may run on several cores of the phone.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob: mediastream:; "
        "worker-src 'self' blob:; style-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
}


def page_folder(settings: Settings) -> Path | None:
    """Where the built page lies: as configured, in the installed package, or in the checkout; None where it is not built."""
    package = Path(str(files("cellstorm_server")))
    candidates = [settings.page] if settings.page else [package / "page", package.parents[1] / "phone_client" / "dist"]
    return next((folder for folder in candidates if (folder / _INDEX).is_file()), None)


def mount(app: FastAPI, settings: Settings) -> None:
    """Serve the page at `/`, behind all other routes."""
    folder = page_folder(settings)
    if folder is not None:
        app.mount("/", PageFiles(directory=folder, html=True), name="page")
        return

    @app.get("/", include_in_schema=False)
    async def not_built() -> Response:
        return plain_page("not_built.html", {}, HTTPStatus.SERVICE_UNAVAILABLE)


class SafeHeaders:
    """Headers that keep other sites and stray content away from the page, on every answer that has not its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _FOR_ALL.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
