"""Routes for batches: many recordings, sent, watched, ended and fetched as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from cellstorm import zoo
from cellstorm.acquisitions import PERMITTED, Acquisition, AcquisitionSettings, Action, CreatedAcquisition, State
from cellstorm.batches import Batch, BatchDetail, CreatedBatch, NewBatch
from cellstorm.errors import AcquisitionNotFound, BatchNotFound, NotAllowed, ResultNotReady, WrongState
from cellstorm.grants import Grant
from cellstorm.store.batches import summary
from cellstorm_server import acquisitions, jobs, once
from cellstorm_server.access import MEMBERS_ONLY, Caller, CurrentCaller
from cellstorm_server.acquisitions import Plan, create_acquisition, created
from cellstorm_server.once import IdempotencyKey, Ticket, part_id
from cellstorm_server.services import Current, Services
from cellstorm_server.tokens import digest, new_token
from cellstorm_server.urls import API, base_url
from cellstorm_server.zipping import zip_pieces

router = APIRouter(prefix="/batches", tags=["batches"])

_SUMMARY: Final = "batch.json"
_MAX_FOLDER_NAME: Final = 80


async def _accessible(batch_id: str, caller: CurrentCaller, services: Current) -> str:
    owner = await asyncio.to_thread(services.batches.field, batch_id, "session")
    if caller.may("manage"):
        if owner is None:
            raise BatchNotFound("there is no batch of that id; it may have been deleted")
    elif owner is None or not _is_own(caller, batch_id, owner):
        raise NotAllowed("what you have does not open this batch; send the token that came with it")
    return batch_id


def _is_own(caller: Caller, batch_id: str, owner: str) -> bool:
    return caller.batch == batch_id or (caller.session is not None and caller.session == owner)


BatchId = Annotated[str, Depends(_accessible)]
"""The id in the path, of a batch that exists and belongs to the caller."""


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[MEMBERS_ONLY])
async def open_batch(
    new: NewBatch,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    services: Current,
    idempotency_key: IdempotencyKey = None,
) -> CreatedBatch:
    """Open a batch, with an acquisition for each of its files; each waits for its upload."""
    ticket = await once.ticket(services, caller, idempotency_key, "open batch", new)
    token = new_token()
    await asyncio.to_thread(_create, services, caller, new, token, ticket)
    if not ticket.is_made:
        await _add_files(services, caller, ticket.id, new)
        await once.settle(services, ticket)
    detail = await asyncio.to_thread(services.batches.get, ticket.id)
    response.headers["Location"] = f"{base_url(services.settings, request)}{API}/batches/{ticket.id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedBatch.model_validate({**detail.model_dump(), "token": token})


def _create(services: Services, caller: Caller, new: NewBatch, token: str, ticket: Ticket) -> None:
    if not ticket.is_made:
        if new.settings.model != AcquisitionSettings().model:
            zoo.entry(new.settings.model, services.settings.zoo)  # raises before there is anything
        services.library.check_room()
        services.batches.create(ticket.id, new, session=caller.session or "")
    services.batches.add_token(ticket.id, digest(token))


async def _add_files(services: Services, caller: Caller, batch_id: str, new: NewBatch) -> None:
    """Again, as by another request with the same key, adds nothing: their ids follow from the batch's."""
    is_named = len(new.files) == 1 and "name" in new.settings.model_fields_set
    made = []
    for place, file in enumerate(new.files):
        settings = new.settings if is_named else new.settings.model_copy(update={"name": Path(file).stem or file})
        plan = Plan(Ticket(part_id(batch_id, place)), new.priority, batch_id)
        acquisition, _ = await create_acquisition(services, settings, plan)
        made.append(acquisition.id)
    await _let_film(services, caller, made)


async def _let_film(services: Services, caller: Caller, acquisition_ids: Iterable[str]) -> None:
    if caller.session is not None:
        own = [Grant(right="film", acquisition_id=key) for key in acquisition_ids]
        if own:
            ends = {grant: time.time() + grant.lifetime_s for grant in own}
            await asyncio.to_thread(services.grants.add, caller.session, ends)


@router.get("")
async def list_batches(
    caller: CurrentCaller, services: Current, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[Batch]:
    """The newest batches, newest first: all for the admin, else the caller's own."""
    if not caller.grants and caller.batch is None:
        raise NotAllowed("the token opens nothing here; send the one that came with the batch")
    return await asyncio.to_thread(_newest, services, caller, limit)


def _newest(services: Services, caller: Caller, limit: int) -> list[Batch]:
    found: list[Batch] = []
    for batch_id in services.batches.ids():
        owner = services.batches.field(batch_id, "session")
        if owner is None or not (caller.may("manage") or _is_own(caller, batch_id, owner)):
            continue
        found.append(summary(services.batches.get(batch_id)))
        if len(found) == limit:
            break
    return found


@router.get("/{batch_id}")
async def read_batch(batch_id: BatchId, services: Current) -> BatchDetail:
    """How far a batch has come: counts by state, sums, and each acquisition with its error."""
    return await asyncio.to_thread(services.batches.get, batch_id)


@router.post("/{batch_id}/acquisitions", status_code=status.HTTP_201_CREATED)
async def join_batch(
    batch_id: BatchId,
    chosen: AcquisitionSettings,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    services: Current,
    idempotency_key: IdempotencyKey = None,
) -> CreatedAcquisition:
    """Open an acquisition in the batch; what is not chosen is as the batch has it."""
    usual, priority = await asyncio.to_thread(services.batches.settings, batch_id)
    settings = usual.model_copy(update={name: getattr(chosen, name) for name in chosen.model_fields_set})
    ticket = await once.ticket(services, caller, idempotency_key, f"join batch {batch_id}", chosen)
    acquisition, token = await create_acquisition(services, settings, Plan(ticket, priority, batch_id))
    await once.settle(services, ticket)
    await _let_film(services, caller, [acquisition.id])
    return created(services, request, response, acquisition, token)


@router.post("/{batch_id}/pause")
async def pause_batch(batch_id: BatchId, services: Current) -> BatchDetail:
    """Pause all of its acquisitions that are not over."""
    return await _each(services, batch_id, Action.PAUSE, jobs.pause)


@router.post("/{batch_id}/resume")
async def resume_batch(batch_id: BatchId, services: Current) -> BatchDetail:
    """Go on with all that are paused."""
    return await _each(services, batch_id, Action.RESUME, jobs.resume)


@router.post("/{batch_id}/retry-failed")
async def retry_failed(batch_id: BatchId, services: Current) -> BatchDetail:
    """Localize the kept videos of all failed acquisitions again; those without one stay failed."""
    return await _each(services, batch_id, Action.RETRY, jobs.retry)


@router.post("/{batch_id}/cancel")
async def cancel_batch(batch_id: BatchId, services: Current) -> BatchDetail:
    """Cancel all acquisitions that are not over; those that are finished keep their results."""
    detail = await asyncio.to_thread(services.batches.get, batch_id)
    going = [member.id for member in detail.acquisitions if member.state in PERMITTED[Action.CANCEL]]
    await jobs.cancel_all(services, going)
    return await asyncio.to_thread(services.batches.get, batch_id)


@router.delete("/{batch_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_batch(batch_id: BatchId, services: Current) -> Response:
    """Remove a batch with all its acquisitions and their data, whatever is going on."""
    await cancel_batch(batch_id, services)
    for acquisition_id in await asyncio.to_thread(services.batches.members, batch_id):
        await acquisitions.delete(services, acquisition_id)
    await asyncio.to_thread(services.batches.delete, batch_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/{batch_id}/archive.zip", response_class=StreamingResponse)
async def archive(batch_id: BatchId, services: Current) -> Response:
    """The result folders of all finished acquisitions, and the batch itself as `batch.json`."""
    detail = await asyncio.to_thread(services.batches.get, batch_id)
    files = await asyncio.to_thread(_result_files, services, detail)
    if not files:
        raise ResultNotReady("none of the batch's acquisitions has finished yet; wait for the first results")
    return StreamingResponse(
        zip_pieces(files, {_SUMMARY: detail.model_dump_json(indent=2).encode()}),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="cellstorm-batch-{batch_id}.zip"'},
    )


def _result_files(services: Services, detail: BatchDetail) -> dict[str, Path]:
    """By their names in the archive: a folder for each acquisition, in their order."""
    files = {}
    for place, member in enumerate(detail.acquisitions, start=1):
        if member.state is State.FINISHED:
            folder = f"{place:04d}-{_safe(member.name)}"
            for path in sorted(services.library.results(member.id).glob("[!.]*")):
                files[f"{folder}/{path.name}"] = path
    return files


def _safe(name: str) -> str:
    """As part of a path on any system."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:_MAX_FOLDER_NAME]


async def _each(
    services: Services, batch_id: str, action: Action, do: Callable[[Services, str], Awaitable[Acquisition]]
) -> BatchDetail:
    """Do it with all members whose state permits it; one that has changed meanwhile, or has nothing kept, is passed over."""
    detail = await asyncio.to_thread(services.batches.get, batch_id)
    for member in detail.acquisitions:
        if member.state in PERMITTED[action]:
            try:
                await do(services, member.id)
            except (AcquisitionNotFound, WrongState):
                continue
    return await asyncio.to_thread(services.batches.get, batch_id)
