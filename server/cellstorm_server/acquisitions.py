"""Routes for acquisitions: open, look at, end, delete."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from cellstorm import zoo
from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.errors import AcquisitionNotFound, WrongState
from cellstorm.store import DiskTroubleError, Store
from cellstorm_server.access import ADMIN_ONLY, AcquisitionId, digest, new_token
from cellstorm_server.services import Current, Services
from cellstorm_server.urls import API, acquisition_urls, base_url

router = APIRouter(prefix="/acquisitions", tags=["acquisitions"])

_REDIS_RECOVERS_S: Final = 2.0
"""It tries again each second to write its file."""


class CreatedAcquisition(Acquisition):
    """A new acquisition, and what is needed to publish to it and to watch it."""

    token: str = Field(description="Opens this acquisition alone; shown this once.")
    whip_url: str = Field(description="For a phone or any other WHIP client.")
    upload_url: str = Field(description="PUT a video or a TIFF stack here.")
    live_url: str = Field(description="WebSocket of the growing image.")
    viewer_url: str = Field(description="Page that shows it; holds the token.")


async def create_acquisition(services: Services, settings: AcquisitionSettings) -> tuple[Acquisition, str]:
    """A new acquisition, and its token.

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
    return await asyncio.to_thread(_create, services, settings, token), token


def _create(services: Services, settings: AcquisitionSettings, token: str) -> Acquisition:
    generator = zoo.entry(settings.model, services.settings.zoo).spec
    services.library.check_room()
    acquisition_id = secrets.token_urlsafe(12)
    services.library.create(acquisition_id)
    services.store.create(acquisition_id, settings, owner=socket.gethostname(), token_digest=digest(token))
    services.store.set_fields(acquisition_id, generator=generator.model_dump_json())
    return services.store.get(acquisition_id)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[ADMIN_ONLY])
async def open_acquisition(
    settings: AcquisitionSettings, request: Request, response: Response, services: Current
) -> CreatedAcquisition:
    """Open an acquisition. It waits for a phone or for an upload."""
    acquisition, token = await create_acquisition(services, settings)
    base = base_url(services.settings, request)
    response.headers["Location"] = f"{base}{API}/acquisitions/{acquisition.id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedAcquisition.model_validate(
        {**dict(acquisition), "token": token, **acquisition_urls(base, acquisition.id, token)}
    )


@router.get("", dependencies=[ADMIN_ONLY])
async def list_acquisitions(services: Current, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Acquisition]:
    """The newest acquisitions, newest first."""
    return await asyncio.to_thread(_newest, services.store, limit)


def _newest(store: Store, limit: int) -> list[Acquisition]:
    found = []
    for acquisition_id in store.ids()[:limit]:
        try:
            found.append(store.get(acquisition_id))
        except AcquisitionNotFound:  # deleted just now
            continue
    return found


@router.get("/{acquisition_id}")
async def read_acquisition(acquisition_id: AcquisitionId, services: Current) -> Acquisition:
    """How far an acquisition has come."""
    return await asyncio.to_thread(services.store.get, acquisition_id)


@router.post("/{acquisition_id}/finish")
async def finish_acquisition(acquisition_id: AcquisitionId, services: Current) -> Acquisition:
    """End an acquisition: nothing more is received, what waits is localized, then the results are written. Again is no error."""
    return await finish(services, acquisition_id)


@router.delete("/{acquisition_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_acquisition(acquisition_id: AcquisitionId, services: Current) -> Response:
    """Remove an acquisition with all its data, whatever is going on."""
    await services.sessions.close_acquisition(acquisition_id)
    await services.uploads.cancel(acquisition_id)
    await services.followers.forget(acquisition_id)
    await asyncio.to_thread(_delete, services, acquisition_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def _delete(services: Services, acquisition_id: str) -> None:
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
    if acquisition.state in (State.PROCESSING, State.FINISHED, State.FAILED):
        return acquisition
    if await asyncio.to_thread(services.library.upload(acquisition_id).exists):
        raise WrongState("the upload is still coming in and ends by itself; wait for it, or delete the acquisition")
    await services.sessions.close_acquisition(acquisition_id)
    return await asyncio.to_thread(_end_input, services, acquisition_id)


def _end_input(services: Services, acquisition_id: str) -> Acquisition:
    acquisition = services.store.get(acquisition_id)
    if not acquisition.chunks_received and not services.feeder.spooled(acquisition_id):
        raise WrongState("nothing was received yet; start the phone or upload a video first, or delete the acquisition")
    services.store.transition(acquisition_id, State.PROCESSING)
    return services.store.get(acquisition_id)
