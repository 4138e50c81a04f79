"""Routes for acquisitions: open, look at, end, delete."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response, status

from cellstorm import zoo
from cellstorm.acquisitions import (
    OVER,
    Acquisition,
    AcquisitionSettings,
    CreatedAcquisition,
    NewAcquisition,
    Priority,
    State,
)
from cellstorm.errors import WrongState
from cellstorm.grants import Grant
from cellstorm.store import DiskTroubleError, Store
from cellstorm_server import jobs, once
from cellstorm_server.access import (
    MEMBERS_ONLY,
    SPECTATORS_ONLY,
    AcquisitionId,
    Caller,
    CurrentCaller,
    FilmedAcquisitionId,
)
from cellstorm_server.once import IdempotencyKey, Ticket, new_id
from cellstorm_server.services import Current, Services
from cellstorm_server.tokens import digest, new_token
from cellstorm_server.urls import API, acquisition_urls, base_url

router = APIRouter(prefix="/acquisitions", tags=["acquisitions"])

_REDIS_RECOVERS_S: Final = 2.0
"""It tries again each second to write its file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a new acquisition is to be treated, beside its settings."""

    ticket: Ticket
    priority: Priority = Priority.NORMAL
    batch_id: str | None = None


async def create_acquisition(
    services: Services, settings: AcquisitionSettings, plan: Plan | None = None
) -> tuple[Acquisition, str]:
    """A new acquisition, and a token that opens it; again with the same id it is the same one, with a further token.

    Raises
    ------
    ModelUnavailable
        If there is no such model.
    StorageFull
        If the disk has no room for another.
    """
    if settings.model == AcquisitionSettings().model:
        settings = settings.model_copy(update={"model": services.settings.model})
    token = new_token()
    return await asyncio.to_thread(_create, services, settings, token, plan or Plan(Ticket(new_id()))), token


def _create(services: Services, settings: AcquisitionSettings, token: str, plan: Plan) -> Acquisition:
    key = plan.ticket.id
    if not plan.ticket.is_made:
        generator = zoo.entry(settings.model, services.settings.zoo).spec
        services.library.check_room()
        if plan.batch_id is not None:
            services.batches.join(plan.batch_id, key)
        services.library.create(key)
        services.store.create(
            key,
            settings,
            owner=socket.gethostname(),
            token_digest=digest(token),
            priority=plan.priority,
            batch_id=plan.batch_id,
        )
        services.store.set_fields(key, generator=generator.model_dump_json())
    services.store.add_token(key, digest(token))
    return services.store.get(key)


async def let_film(services: Services, caller: Caller, acquisition_id: str) -> None:
    """Whoever has opened an acquisition in a browser may film it there; a program has its token."""
    if caller.session is not None:
        own = Grant(right="film", acquisition_id=acquisition_id)
        await asyncio.to_thread(services.grants.add, caller.session, {own: time.time() + own.lifetime_s})


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[MEMBERS_ONLY])
async def open_acquisition(
    new: NewAcquisition,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    services: Current,
    idempotency_key: IdempotencyKey = None,
) -> CreatedAcquisition:
    """Open an acquisition. It waits for a phone or for an upload."""
    ticket = await once.ticket(services, caller, idempotency_key, "open acquisition", new)
    acquisition, token = await create_acquisition(services, new.settings, Plan(ticket, new.priority))
    await once.settle(services, ticket)
    await let_film(services, caller, acquisition.id)
    return created(services, request, response, acquisition, token)


def created(
    services: Services, request: Request, response: Response, acquisition: Acquisition, token: str
) -> CreatedAcquisition:
    """What is answered to whoever has opened an acquisition."""
    base = base_url(services.settings, request)
    response.headers["Location"] = f"{base}{API}/acquisitions/{acquisition.id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedAcquisition.model_validate(
        {**dict(acquisition), "token": token, **acquisition_urls(base, acquisition.id)}
    )


@router.get("", dependencies=[SPECTATORS_ONLY])
async def list_acquisitions(services: Current, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Acquisition]:
    """The newest acquisitions, newest first."""
    return await asyncio.to_thread(_newest, services.store, limit)


def _newest(store: Store, limit: int) -> list[Acquisition]:
    return store.get_all(store.ids()[:limit])


@router.get("/{acquisition_id}")
async def read_acquisition(acquisition_id: AcquisitionId, services: Current) -> Acquisition:
    """How far an acquisition has come."""
    return await asyncio.to_thread(services.store.get, acquisition_id)


@router.post("/{acquisition_id}/finish")
async def finish_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Acquisition:
    """End an acquisition: nothing more is received, what waits is localized, then the results are written. Again is no error."""
    return await finish(services, acquisition_id)


@router.post("/{acquisition_id}/pause")
async def pause_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Acquisition:
    """Let nothing of it be localized until it is resumed; what comes in is kept. Again is no error."""
    return await jobs.pause(services, acquisition_id)


@router.post("/{acquisition_id}/resume")
async def resume_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Acquisition:
    """Go on where it was paused. Again is no error."""
    return await jobs.resume(services, acquisition_id)


@router.post("/{acquisition_id}/cancel")
async def cancel_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Acquisition:
    """End it at once and remove its video and localizations; an entry stays that says so. Again is no error."""
    return await jobs.cancel(services, acquisition_id)


@router.post("/{acquisition_id}/retry")
async def retry_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Acquisition:
    """Localize a failed acquisition's kept video again, from its beginning."""
    return await jobs.retry(services, acquisition_id)


@router.delete("/{acquisition_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_acquisition(acquisition_id: FilmedAcquisitionId, services: Current) -> Response:
    """Remove an acquisition with all its data, whatever is going on."""
    await delete(services, acquisition_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


async def delete(services: Services, acquisition_id: str) -> None:
    """As `delete_acquisition`."""
    await services.sessions.close_acquisition(acquisition_id)
    await services.uploads.cancel(acquisition_id)
    await services.archiver.cancel(acquisition_id)
    await asyncio.to_thread(_delete, services, acquisition_id)
    await services.forget(acquisition_id, "deleted")  # last: what is read of it from now on is nothing


def _delete(services: Services, acquisition_id: str) -> None:
    services.queues.withdraw(acquisition_id, services.store.pending(acquisition_id))
    try:
        # The store first: without it nobody writes into the folder any more.
        services.store.delete(acquisition_id)
    except DiskTroubleError:
        # On a full disk Redis forgets nothing either, until there is room again.
        services.library.delete(acquisition_id)
        time.sleep(_REDIS_RECOVERS_S)
        services.store.delete(acquisition_id)
    services.library.delete(acquisition_id)


async def finish(services: Services, acquisition_id: str) -> Acquisition:
    """End what comes in; what came is processed and archived.

    Raises
    ------
    WrongState
        If an upload is still coming, or nothing has come at all.
    """
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    if acquisition.state in OVER or acquisition.state is State.PROCESSING:
        return acquisition
    if await asyncio.to_thread(services.library.upload(acquisition_id).exists):
        raise WrongState("the upload is still coming in and ends by itself; wait for it, or delete the acquisition")
    await services.sessions.close_acquisition(acquisition_id)
    return await asyncio.to_thread(_end_input, services, acquisition_id)


def _end_input(services: Services, acquisition_id: str) -> Acquisition:
    acquisition = services.store.get(acquisition_id)
    if not acquisition.chunks_received and not services.feeder.is_behind(acquisition_id):
        raise WrongState("nothing was received yet; start the phone or upload a video first, or delete the acquisition")
    services.store.transition(acquisition_id, State.PROCESSING)
    return services.store.get(acquisition_id)
