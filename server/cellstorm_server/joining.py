"""Routes by which a browser comes to what it may do: codes let in, and one cookie remembers.

A code or a token is exchanged for the cookie at once, so that neither stays in an address. Whoever has a right may let others
in to it with a code, for no longer than he has it himself.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Final, Self

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cellstorm.errors import CodeNotFound, NotAllowed, TooManyTries
from cellstorm.grants import OWN_LIFETIME_S, Grant
from cellstorm.store import Invitation
from cellstorm_server.access import (
    Caller,
    CurrentCaller,
    caller_with_cookie,
    caller_with_token,
    cookie_name,
    is_secure,
    require_on_acquisition,
    require_own_origin,
)
from cellstorm_server.codes import as_meant, join_url, new_code, qr_svg
from cellstorm_server.services import Current, Services
from cellstorm_server.tokens import digest, new_token
from cellstorm_server.urls import phone_base_url

router = APIRouter(tags=["joining"])

_WRONG_TRIES: Final = 20
"""Within a minute from one address: enough for who mistypes, hopeless against 40 bits."""
_CODES_MADE: Final = 120
"""Likewise: a page that shows a fresh one after each scan needs far fewer."""
_DAY_S: Final = 24 * 3600


class Key(BaseModel):
    """What lets in: a code or a token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str | None = Field(default=None, max_length=64, description="As scanned or typed.")
    token: str | None = Field(default=None, max_length=256, description="The admin's, or an acquisition's own.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.code is None) == (self.token is None):
            raise ValueError("give either a code or a token")
        return self


class BrowserSession(BaseModel):
    """What this browser may do."""

    grants: list[Grant]
    expires_at: datetime = Field(description="When the last of them ends.")


class CodeRequest(Grant):
    """What a new code is to let in to."""

    uses: int = Field(default=1, ge=1, le=1000, description="How many browsers it lets in.")
    valid_s: int = Field(default=600, ge=10, le=_DAY_S, description="How long.")


class JoinCode(BaseModel):
    """A code, and how others come by it."""

    code: str
    join_url: str = Field(description="Opened on another device, it joins.")
    qr_svg: str = Field(description="The same to be scanned: one SVG element.")
    uses_left: int = Field(description="At 0 it is time for another one.")
    expires_at: datetime


@router.post("/session")
async def enter(key: Key, request: Request, response: Response, services: Current) -> BrowserSession:
    """Exchange a code or a token for the cookie `cellstorm_session_…`; what the cookie opened before stays open."""
    if "origin" in request.headers:  # else another site could let this browser in to something that is not its own
        require_own_origin(services, request)
    known = await caller_with_cookie(services, request)
    gained = await _admitted(services, key, request)
    cookie = request.cookies[cookie_name(services.installation, request)] if known is not None else new_token()
    await asyncio.to_thread(services.grants.add, digest(cookie), gained)
    session = Caller({**(known.grants if known is not None else {}), **gained})
    response.set_cookie(
        cookie_name(services.installation, request),
        cookie,
        max_age=OWN_LIFETIME_S,  # longer than a class lasts: what a member films with it he may come back for
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return _as_told(session.grants)


@router.get("/session")
async def read_session(request: Request, response: Response, services: Current) -> BrowserSession:
    """What this browser's cookie opens."""
    response.headers["Cache-Control"] = "no-store"
    caller = await caller_with_cookie(services, request)
    if caller is None:
        raise NotAllowed("this browser has not joined, or what it had has ended; scan a join code")
    return _as_told(caller.grants)


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT)
async def leave(request: Request, services: Current) -> Response:
    """Forget what this browser may do; again is no error."""
    caller = await caller_with_cookie(services, request)
    if caller is not None and caller.session is not None:
        await asyncio.to_thread(services.grants.end, caller.session)
    response = Response(status_code=status.HTTP_204_NO_CONTENT)
    response.delete_cookie(
        cookie_name(services.installation, request), secure=is_secure(request), httponly=True, samesite="strict"
    )
    return response


@router.post("/codes", status_code=status.HTTP_201_CREATED)
async def make_code(
    wanted: CodeRequest, caller: CurrentCaller, request: Request, response: Response, services: Current
) -> JoinCode:
    """A code that lets others in to what the caller may do himself, or to less."""
    grant = Grant(right=wanted.right, acquisition_id=wanted.acquisition_id)
    await _require(services, caller, grant)
    if await asyncio.to_thread(services.grants.count_try, "codes", _address(request)) > _CODES_MADE:
        raise TooManyTries("too many codes are being made; use those that are there, or wait a minute")
    ends_at = math.inf if caller.may("manage") else caller.until(grant.right, grant.acquisition_id)
    invitation = Invitation(
        grant=grant,
        uses_left=wanted.uses,
        expires_at=min(time.time() + wanted.valid_s, ends_at),
        grant_ends_at=None if math.isinf(ends_at) else ends_at,
    )
    code = new_code()
    await asyncio.to_thread(services.grants.invite, code, invitation)
    response.headers["Cache-Control"] = "no-store"
    return _shown(services, request, code, invitation)


@router.get("/codes/{code}")
async def read_code(code: str, caller: CurrentCaller, request: Request, services: Current) -> JoinCode:
    """How often a code can still be used, for whoever might have made it."""
    meant = as_meant(code)
    invitation = await asyncio.to_thread(services.grants.invitation, meant)
    if invitation is None or not caller.may(invitation.grant.right, invitation.grant.acquisition_id):
        raise CodeNotFound("there is no such code, or it has expired; make another one")
    return _shown(services, request, meant, invitation)


async def _require(services: Services, caller: Caller, grant: Grant) -> None:
    if grant.acquisition_id is None:
        caller.require(grant.right)
    else:
        await require_on_acquisition(services, caller, grant.right, grant.acquisition_id)


async def _admitted(services: Services, key: Key, request: Request) -> Mapping[Grant, float]:
    """What the key opens, and until when. Codes alone are limited: nobody finds one of a token's 256 bits by trying."""
    if key.code is not None:
        gained = await _by_code(services, key.code, _address(request))
    else:
        gained = dict((await caller_with_token(services, key.token or "")).grants)
        if not gained:
            raise NotAllowed("the token opens nothing here; open the link that came with it again")
    now = time.time()
    return {grant: min(now + grant.lifetime_s, end) for grant, end in gained.items()}


async def _by_code(services: Services, code: str, address: str) -> dict[Grant, float]:
    """Wrong ones are counted before they are tried, right ones forgiven."""
    if await asyncio.to_thread(services.grants.count_try, "keys", address) > _WRONG_TRIES:
        raise TooManyTries("too many wrong codes came from here; wait a minute, then scan or type the code again")
    invitation = await asyncio.to_thread(services.grants.spend, as_meant(code))
    if invitation is None:
        raise NotAllowed("the code is wrong, used up or too old; scan the one that is shown now")
    await asyncio.to_thread(services.grants.forgive_try, "keys", address)
    return {invitation.grant: math.inf if invitation.grant_ends_at is None else invitation.grant_ends_at}


def _shown(services: Services, request: Request, code: str, invitation: Invitation) -> JoinCode:
    url = join_url(phone_base_url(services.settings, request), code)
    return JoinCode(
        code=code,
        join_url=url,
        qr_svg=qr_svg(url),
        uses_left=invitation.uses_left,
        expires_at=datetime.fromtimestamp(invitation.expires_at, UTC),
    )


def _as_told(grants: Mapping[Grant, float]) -> BrowserSession:
    return BrowserSession(grants=list(grants), expires_at=datetime.fromtimestamp(max(grants.values()), UTC))


def _address(request: Request) -> str:
    """Whoever tries; of IPv6 the network, of which each machine has addresses without number."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else host
