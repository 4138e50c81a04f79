"""Kept video again, with other settings, as an acquisition of its own; and two acquisitions side by side."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, status
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from cellstorm import mp4
from cellstorm.acquisitions import LONGEST_NAME, Acquisition, AcquisitionSettings, CreatedAcquisition, State
from cellstorm.analysis.selection import Selection
from cellstorm.comparison import CommonComparison, Origin, Part, check_comparable, compare_parts, draw_both
from cellstorm.errors import CellstormError, InvalidSetting, WrongState, in_words
from cellstorm.rendering import difference_png
from cellstorm.results.folder import VIDEO
from cellstorm.scoring import DEFAULT_TOLERANCE_NM
from cellstorm_server import once
from cellstorm_server.access import AcquisitionId, CurrentCaller, FilmedAcquisitionId, require_on_acquisition
from cellstorm_server.acquisitions import Plan, create_acquisition, created, delete, let_film
from cellstorm_server.once import IdempotencyKey, Ticket
from cellstorm_server.selected import Selected
from cellstorm_server.services import Current, Services

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["reprocessing"])

_AsOfNew = Annotated[
    Any,  # checked with the other settings, so that all are refused in one manner
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "As of a new acquisition."},
    ),
]


class Changes(BaseModel):
    """What is to be otherwise; what is left out stays as it was, and null means what it means for a new acquisition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(default=None, description="Left out, it is the old one's with `, again` after it.")
    model: str | None = None
    roi: _AsOfNew = None
    frames: _AsOfNew = None
    camera: _AsOfNew = None
    threshold: float | None = Field(default=None, description="Of the generator's probability.")
    pixel_size_nm: float | None = None

    def applied_to(self, settings: AcquisitionSettings) -> AcquisitionSettings:
        """The settings with these changes.

        Raises
        ------
        InvalidSetting
            Naming the first that cannot be.
        """
        changed = {name: getattr(self, name) for name in self.model_fields_set}
        changed = {name: value for name, value in changed.items() if value is not None or name in _MAY_BE_NULL}
        changed.setdefault("name", settings.name[: LONGEST_NAME - len(_AGAIN)] + _AGAIN)
        try:
            return AcquisitionSettings.model_validate({**dict(settings), **changed})
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidSetting(f"{first['loc'][0]}: {in_words(first['msg'])}") from error


_AGAIN: Final = ", again"
_MAY_BE_NULL: Final = ("roi", "frames", "camera", "threshold")


@router.post("/reprocess", status_code=status.HTTP_201_CREATED)
async def reprocess(
    acquisition_id: FilmedAcquisitionId,
    changes: Changes,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    services: Current,
    idempotency_key: IdempotencyKey = None,
) -> CreatedAcquisition:
    """A new acquisition from the kept video of one that is over; each can be deleted without the other."""
    old = await asyncio.to_thread(services.store.get, acquisition_id)
    settings = changes.applied_to(old.settings)
    ticket = await once.ticket(services, caller, idempotency_key, f"reprocess {acquisition_id}", changes)
    if ticket.is_made:
        made, token = await create_acquisition(services, settings, Plan(ticket))
    else:
        made, token = await _made_again(services, old, settings, ticket)
        await once.settle(services, ticket)
    await let_film(services, caller, made.id)
    return created(services, request, response, made, token)


async def _made_again(
    services: Services, old: Acquisition, settings: AcquisitionSettings, ticket: Ticket
) -> tuple[Acquisition, str]:
    """The new acquisition, with the video of the old one; and a token that opens it."""
    _check_has_frames(old, settings)
    video = await asyncio.to_thread(_linked_video, services, old.id, old.state)
    try:
        made, token = await create_acquisition(services, settings, Plan(ticket))
        try:
            await asyncio.to_thread(services.store.set_fields, made.id, reprocessed_from=old.id)
            await services.uploads.take(made.id, video)
        except WrongState:
            if ticket.name is None:
                raise
            # Another request with the same key has given it the video, or is about to.
        except CellstormError:
            await delete(services, made.id)
            raise
    finally:
        await asyncio.to_thread(video.unlink, missing_ok=True)
    return await asyncio.to_thread(services.store.get, made.id), token


def _check_has_frames(old: Acquisition, settings: AcquisitionSettings) -> None:
    """One that failed may have more frames than were received."""
    frame_count = old.frames_received + old.frames_lost
    if old.state is State.FINISHED and settings.frames is not None and settings.frames.start >= frame_count:
        raise InvalidSetting(
            f"frames: the recording has no frames {settings.frames}: it ends at {frame_count}; choose earlier ones"
        )


class Tolerance(BaseModel):
    """How far apart two localizations of one molecule may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance_nm: float = Field(default=DEFAULT_TOLERANCE_NM, gt=0, le=1000)


@router.get("/compare/{other_id}")
async def compare_acquisitions(
    acquisition_id: AcquisitionId,
    other_id: str,
    caller: CurrentCaller,
    services: Current,
    wanted: Annotated[Tolerance, Query()],
) -> CommonComparison:
    """What two acquisitions of the same video have found in common; first is the one that stands first in the path.

    Where one has a part of the other's region or frames, what lies in that of both is compared alone; the answer's `roi`
    and `frames` tell what it is.
    """
    first, second = await _both(services, caller, acquisition_id, other_id)
    async with services.renders.place():
        return await asyncio.to_thread(
            compare_parts, _part(first), _part(second), first.info.pixel_size_nm, wanted.tolerance_nm
        )


@router.get("/compare/{other_id}/difference.png", response_class=Response)
async def difference_image(
    acquisition_id: AcquisitionId, other_id: str, caller: CurrentCaller, services: Current
) -> Response:
    """Both images in one, all of both: where only the first is bright it is orange, the second blue, both grey."""
    first, second = await _both(services, caller, acquisition_id, other_id)
    async with services.renders.place():
        png = await asyncio.to_thread(lambda: difference_png(*_images(first, second)))
    return Response(png, media_type="image/png")


async def _both(
    services: Services, caller: CurrentCaller, acquisition_id: str, other_id: str
) -> tuple[Selected, Selected]:
    await require_on_acquisition(services, caller, "watch", other_id)
    views = [await services.followers.of(each).read() for each in (acquisition_id, other_id)]
    first, second = [await asyncio.to_thread(services.selected.of, view, Selection()) for view in views]
    check_comparable(first.info.pixel_size_nm, second.info.pixel_size_nm)
    return first, second


def _part(selected: Selected) -> Part:
    acquisition = selected.acquisition
    assert acquisition.roi is not None  # no table without
    ids = {acquisition.id, *([acquisition.reprocessed_from] if acquisition.reprocessed_from else [])}
    origin = Origin(frozenset(ids), acquisition.video_sha256)
    return Part(selected.table, acquisition.roi, acquisition.settings.frames, origin)


def _images(first: Selected, second: Selected) -> tuple[NDArray[Any], NDArray[Any]]:
    return draw_both(_part(first), _part(second), first.info.pixel_size_nm)


def _linked_video(services: Services, acquisition_id: str, state: State) -> Path:
    """A link to the kept video under a name of its own: whichever is deleted first, the other stays."""
    if state not in (State.FINISHED, State.FAILED):
        raise WrongState(f"the acquisition is {state}; reprocess it when it is finished")
    library = services.library
    folder = library.folder(acquisition_id)
    target = folder / f".reprocess-{secrets.token_hex(4)}"
    kept = [
        path for path in (library.upload(acquisition_id), library.results(acquisition_id) / VIDEO) if path.is_file()
    ]
    if kept:
        try:
            os.link(kept[0], target)
        except OSError:  # a file system without links
            library.check_room(kept[0].stat().st_size)
            shutil.copyfile(kept[0], target)
    elif parts := library.parts(acquisition_id):
        library.check_room(sum(part.stat().st_size for part in parts))
        mp4.join(parts, target)
    else:
        raise WrongState("its video is not kept here; ask the gateway that received it, or send the video again")
    return target
