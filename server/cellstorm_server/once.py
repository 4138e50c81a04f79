"""Idempotency-Key: a request that makes something may be sent again, and makes it once.

The answer is never kept: whoever asks again is told of the same thing as it is now, with a fresh token that opens it too.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Header
from pydantic import BaseModel

from cellstorm_server.access import Caller
from cellstorm_server.services import Services

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Chosen by the client, new for each new thing; kept for 24 h.",
    ),
]

_ID_BYTES: Final = 12


def new_id() -> str:
    """96 random bits."""
    return secrets.token_urlsafe(_ID_BYTES)


def part_id(whole_id: str, place: int) -> str:
    """Of what is made together with another thing: the same whenever that is made again."""
    digest = hashlib.sha256(f"{whole_id} {place}".encode()).digest()
    return urlsafe_b64encode(digest[:_ID_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request is to make: the id, and whether an earlier request with the same key has made it already."""

    id: str
    is_made: bool = False
    name: str | None = None


async def ticket(services: Services, caller: Caller, key: str | None, purpose: str, request: BaseModel) -> Ticket:
    """For a request of `caller` to do `purpose`.

    Raises
    ------
    KeyReused
        If the key came with another request before.
    """
    if key is None:
        return Ticket(new_id())
    name = _digest(f"{purpose}\n{key}\n{_who(caller)}")
    said = request.model_dump_json(exclude_unset=True)  # to say null may mean another thing than to say nothing
    found = await asyncio.to_thread(services.once.reserve, name, _digest(said), new_id())
    return Ticket(found.id, found.is_made, name)


async def settle(services: Services, done: Ticket) -> None:
    """To be called when the thing is made."""
    if done.name is not None and not done.is_made:
        await asyncio.to_thread(services.once.settle, done.name)


def _who(caller: Caller) -> str:
    """The same for each request of the same caller, also after what he has made has given him further rights."""
    return caller.session or caller.batch or "\n".join(sorted(grant.model_dump_json() for grant in caller.grants))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
