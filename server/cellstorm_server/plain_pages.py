"""Pages that load nothing, for whoever has not come as far as the page itself: `pages/NAME.html`, filled in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from http import HTTPStatus
from importlib.resources import files
from string import Template

from fastapi import Response
from fastapi.responses import HTMLResponse


def plain_page(name: str, values: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """The page; its one style sheet is within it, and allowed by its hash; so is its (empty) icon."""
    folder = files("cellstorm_server") / "pages"
    style = (folder / "pages.css").read_text(encoding="utf-8")
    known = {key: escape(value) for key, value in values.items()}
    text = Template((folder / name).read_text(encoding="utf-8")).substitute(known, style=style)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    loads = f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:"
    policy = f"{loads}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return HTMLResponse(text, status_code=status, headers={"Content-Security-Policy": policy})
