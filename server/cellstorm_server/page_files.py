"""The built page's files, as phones on a lecture hall's Wi-Fi want them: compressed once by the build, and kept by browsers.

Names in `assets/` hold a digest of their content, so a browser never asks for them twice; it asks for all others each
time, and is told in a few bytes that they have not changed.
"""

from __future__ import annotations

import mimetypes
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from cellstorm_server.plain_pages import plain_page

_ASSETS: Final = "assets"
_COMPRESSED: Final = ".gz"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


class PageFiles(StaticFiles):
    """Serves `NAME.gz`, which the build puts beside a file, to whoever takes it; a page of its own where there is no file."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or what says that it has not changed; to a person who asks for a page that is not there, one that says so.

        Raises
        ------
        HTTPException
            If there is no such file, and a program asks.
        """
        try:
            response = await self._compressed(path, scope) or await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != HTTPStatus.NOT_FOUND or "text/html" not in Headers(scope=scope).get("accept", ""):
                raise
            return plain_page("nothing_here.html", {}, HTTPStatus.NOT_FOUND)
        is_asset = PurePosixPath(path).parts[:1] == (_ASSETS,)
        response.headers["Cache-Control"] = _FOR_GOOD if is_asset else _ASK_AGAIN
        return response

    async def _compressed(self, path: str, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # Parts of a file are parts of what it is, not of how it travels.
        if "gzip" not in headers.get("accept-encoding", "") or "range" in headers:
            return None
        name = "index.html" if path in ("", ".") else path
        try:
            response = await super().get_response(name + _COMPRESSED, scope)
        except HTTPException:
            return None
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        if "content-type" in response.headers:
            response.headers["Content-Type"] = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return response
