"""Who asks, and whether he may: each route states the right that it needs by one of the dependencies at the end.

Programs send a token, browsers a cookie that a code or a token was exchanged for (cellstorm_server.joining). A cookie comes
along whoever made the browser send it, so with one, what changes something must come from this gateway's own page.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from cellstorm.errors import AcquisitionNotFound, Forbidden, NotAllowed
from cellstorm.grants import EVERYTHING, Grant, Right
from cellstorm_server.services import Current, Services
from cellstorm_server.tokens import digest
from cellstorm_server.urls import is_own_origin

SUBPROTOCOL: Final = "cellstorm"
_BEARER_SUBPROTOCOL: Final = "bearer."
"""Browsers cannot set a WebSocket's headers: programs in them offer `cellstorm` and `bearer.TOKEN` as subprotocols."""

_COOKIE: Final = "cellstorm_session"
"""And the installation's name: cookies do not keep ports apart (RFC 6265, 8.5), and a host may have several installations."""
_SECURE: Final = "__Host-"
"""Over HTTPS: browsers let nobody but this very host set it (RFC 6265bis, 4.1.3.2), and not over plain HTTP."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_NOBODY: Final = "this needs a code or a token; scan a join code, or send the header Authorization: Bearer TOKEN"
_LACKS: Final[Mapping[Right, str]] = {
    "manage": "this is for the admin; open the link that was printed when the server started",
    "film": "you may watch here, not film; join the class with a code, or film an acquisition of your own",
    "watch": "what you have does not open this; scan a join code, or open the link that came with it again",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks for something.

    Attributes
    ----------
    grants
        What he may do, and until when (Unix time).
    session
        Of a browser, the digest of its cookie; None for a program.
    batch
        Of a program with a batch's token, the batch's id.
    """

    grants: Mapping[Grant, float]
    session: str | None = None
    batch: str | None = None

    def may(self, right: Right, acquisition_id: str | None = None) -> bool:
        """Whether he has a right on an acquisition, or (None) on the whole server."""
        return any(grant.covers(right, acquisition_id) for grant in self.grants)

    def until(self, right: Right, acquisition_id: str | None = None) -> float:
        """How long he has it (Unix time); infinity where it does not end."""
        return max(end for grant, end in self.grants.items() if grant.covers(right, acquisition_id))

    def require(self, right: Right, acquisition_id: str | None = None) -> None:
        """Nothing, if he has it.

        Raises
        ------
        NotAllowed
            If he may not even watch.
        Forbidden
            If he may watch, and this is more.
        """
        if self.may(right, acquisition_id):
            return
        if self.may("watch", acquisition_id):
            raise Forbidden(_LACKS[right])
        raise NotAllowed(_LACKS["manage" if right == "manage" else "watch"])


def bearer(connection: HTTPConnection) -> str | None:
    """The token that came with a request or with the opening of a WebSocket; None where there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if connection.scope["type"] == "websocket":
        for offered in connection.scope.get("subprotocols", []):
            if offered.startswith(_BEARER_SUBPROTOCOL):
                return str(offered).removeprefix(_BEARER_SUBPROTOCOL)
    return None


def is_secure(connection: HTTPConnection) -> bool:
    """Whether it came over TLS, to here or to a proxy that says so."""
    return connection.url.scheme in ("https", "wss")


def cookie_name(installation: str, connection: HTTPConnection) -> str:
    """Of the cookie that holds a browser's session."""
    return f"{_SECURE if is_secure(connection) else ''}{_COOKIE}_{installation}"


async def caller_with_token(services: Services, token: str) -> Caller:
    """Whoever has that token; without grants where it opens nothing."""
    if hmac.compare_digest(digest(token), services.admin_digest):
        return Caller({EVERYTHING: math.inf})
    return await asyncio.to_thread(_opened_by, services, digest(token))


def _opened_by(services: Services, token_digest: str) -> Caller:
    if (acquisition_id := services.store.opened_by(token_digest)) is not None:
        return Caller({Grant(right="film", acquisition_id=acquisition_id): math.inf})
    if (batch_id := services.batches.opened_by(token_digest)) is not None:
        members = services.batches.members(batch_id)
        return Caller({Grant(right="film", acquisition_id=key): math.inf for key in members}, batch=batch_id)
    return Caller({})


async def caller_with_cookie(services: Services, connection: HTTPConnection) -> Caller | None:
    """Whoever has the cookie that came along; None where none came, or one that is no longer good.

    Raises
    ------
    Forbidden
        If it would change something, or open a WebSocket, and does not come from this gateway's page.
    """
    cookie = connection.cookies.get(cookie_name(services.installation, connection))
    if not cookie:
        return None
    session = digest(cookie)
    grants = await asyncio.to_thread(services.grants.session, session)
    if not grants:
        return None
    if connection.scope.get("method") not in _SAFE_METHODS:  # a WebSocket has none
        require_own_origin(services, connection)
    return Caller(grants, session)


def require_own_origin(services: Services, connection: HTTPConnection) -> None:
    """Nothing, if a browser says that this gateway's page has sent it.

    Raises
    ------
    Forbidden
        Otherwise.
    """
    if not is_own_origin(services.settings, connection):
        raise Forbidden(
            "with a cookie this must come from the server's own page; reload the page, or send a token instead"
        )


async def _caller(
    services: Current,
    connection: HTTPConnection,
    _token: Annotated[
        HTTPAuthorizationCredentials | None,
        Depends(HTTPBearer(auto_error=False, description="The admin's token, or the acquisition's own.")),
    ],
    _cookie: Annotated[
        str | None,
        Depends(
            APIKeyCookie(
                name=_COOKIE, auto_error=False, description="From POST /session, which tells the rest of its name."
            )
        ),
    ],
) -> Caller:
    """The last two say in OpenAPI what may be sent; `bearer` and `cookie_name` are what reads it."""
    if (token := bearer(connection)) is not None:
        return await caller_with_token(services, token)
    caller = await caller_with_cookie(services, connection)
    if caller is None:
        raise NotAllowed(_NOBODY)
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""Whoever asks, with a token or a cookie that may open something or nothing."""


@dataclass(frozen=True, slots=True)
class NeedsOnServer:
    """The right on the whole server that a route needs."""

    right: Right

    async def __call__(self, caller: CurrentCaller) -> None:
        caller.require(self.right)


@dataclass(frozen=True, slots=True)
class NeedsOnAcquisition:
    """The right that a route needs on the acquisition in its path; it gets the id of one that exists."""

    right: Right

    async def __call__(self, acquisition_id: str, caller: CurrentCaller, services: Current) -> str:
        await require_on_acquisition(services, caller, self.right, acquisition_id)
        return acquisition_id


async def require_on_acquisition(services: Services, caller: Caller, right: Right, acquisition_id: str) -> None:
    """Nothing, if the caller has a right on an acquisition that exists.

    Raises
    ------
    NotAllowed
        If he may not even watch it; also where there is none, so that ids cannot be found by trying.
    Forbidden
        If he may watch it, and this is more.
    AcquisitionNotFound
        If he might, but there is none.
    """
    may_watch = caller.may("watch", acquisition_id)
    if may_watch and await asyncio.to_thread(services.store.field, acquisition_id, "state") is None:
        raise AcquisitionNotFound("there is no acquisition of that id; it may have been deleted")
    caller.require(right, acquisition_id)


async def may_still_watch(services: Services, connection: HTTPConnection, acquisition_id: str) -> bool:
    """Whether who opened a connection that stays open would be let in again: he may have left, or his time be over."""
    token = bearer(connection)
    if token is not None:
        caller: Caller | None = await caller_with_token(services, token)
    else:
        caller = await caller_with_cookie(services, connection)
    return caller is not None and caller.may("watch", acquisition_id)


MEMBERS_ONLY: Final = Depends(NeedsOnServer("film"))
"""For who may open acquisitions."""
SPECTATORS_ONLY: Final = Depends(NeedsOnServer("watch"))
"""For who may watch all."""
AcquisitionId = Annotated[str, Depends(NeedsOnAcquisition("watch"))]
"""The id in the path, of an acquisition that exists and that the caller may see."""
FilmedAcquisitionId = Annotated[str, Depends(NeedsOnAcquisition("film"))]
"""Likewise, where the caller may publish, upload, finish and delete too."""
