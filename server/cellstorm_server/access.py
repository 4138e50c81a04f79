"""Who may do what: the admin's token opens everything, an acquisition's token opens that acquisition.

Of an acquisition's token only the SHA-256 is kept. Tokens are random and long, so a plain hash is enough.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cellstorm.errors import AcquisitionNotFound, InvalidSetting, NotAllowed
from cellstorm.settings import Settings
from cellstorm_server.services import Current, Services

SUBPROTOCOL: Final = "cellstorm"
_BEARER_SUBPROTOCOL: Final = "bearer."
"""Browsers cannot set a WebSocket's headers: they offer `cellstorm` and `bearer.TOKEN` as subprotocols."""


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The admin's token and whether it has just been made, and so must be shown once."""

    token: str
    is_new: bool


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept in place of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def admin_token(settings: Settings) -> AdminToken:
    """From the settings, else from the data directory, else made now and kept there for its owner alone.

    Raises
    ------
    InvalidSetting
        If the file cannot be read or written, or is empty.
    """
    if settings.admin_token is not None:
        return AdminToken(settings.admin_token, is_new=False)
    path = settings.admin_token_file
    try:
        return _read_or_make(path)
    except OSError as error:
        raise InvalidSetting(
            f"{path} cannot be used ({error.strerror}); mend its permissions or set CELLSTORM_ADMIN_TOKEN"
        ) from error


def _read_or_make(path: Path) -> AdminToken:
    path.parent.mkdir(parents=True, exist_ok=True)
    token = new_token()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept = path.read_text(encoding="ascii").strip()
        if not kept:
            raise InvalidSetting(f"{path} is empty; delete it, and a new token is made") from None
        return AdminToken(kept, is_new=False)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return AdminToken(token, is_new=True)


def bearer(connection: HTTPConnection) -> str:
    """The token that came with a request or with the opening of a WebSocket.

    Raises
    ------
    NotAllowed
        If there is none.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if connection.scope["type"] == "websocket":
        for offered in connection.scope.get("subprotocols", []):
            if offered.startswith(_BEARER_SUBPROTOCOL):
                return str(offered).removeprefix(_BEARER_SUBPROTOCOL)
    raise NotAllowed("this needs a token; send the header Authorization: Bearer TOKEN")


def is_admin(services: Services, token: str) -> bool:
    return hmac.compare_digest(digest(token), services.admin_digest)


async def require_admin(services: Services, connection: HTTPConnection) -> None:
    """Nothing, for the admin.

    Raises
    ------
    NotAllowed
        For anybody else.
    """
    if not is_admin(services, bearer(connection)):
        raise NotAllowed("this needs the admin's token; it was printed when the server was first started")


async def require_access(services: Services, acquisition_id: str, connection: HTTPConnection) -> None:
    """Nothing, for the admin and for whoever has this acquisition's token.

    Raises
    ------
    NotAllowed
        For anybody else; also where there is no such acquisition, so that ids cannot be found by trying.
    AcquisitionNotFound
        For the admin, where there is none.
    """
    token = bearer(connection)
    kept = await asyncio.to_thread(services.store.field, acquisition_id, "token_digest")
    if is_admin(services, token):
        if kept is None:
            raise AcquisitionNotFound("there is no acquisition of that id; it may have been deleted")
        return
    if not hmac.compare_digest(digest(token), kept or ""):
        raise NotAllowed("the token does not fit this acquisition; open the link that came with it again")


_Declared = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="The admin's token, or the acquisition's own.")),
]
"""Says in OpenAPI that a token is needed; `bearer` is what reads it."""


async def _admin(services: Current, connection: HTTPConnection, _: _Declared) -> None:
    await require_admin(services, connection)


async def _accessible(acquisition_id: str, services: Current, connection: HTTPConnection, _: _Declared) -> str:
    await require_access(services, acquisition_id, connection)
    return acquisition_id


ADMIN_ONLY: Final = Depends(_admin)
AcquisitionId = Annotated[str, Depends(_accessible)]
"""The id in the path, of an acquisition that exists and that the caller may see."""
