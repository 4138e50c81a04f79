"""The routes of tus: any tus client uploads here (tus-js-client, Uppy, tuspy, `cellstorm submit`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.errors import CellstormError
from cellstorm_server.access import Caller, CurrentCaller, require_on_acquisition
from cellstorm_server.acquisitions import let_film
from cellstorm_server.problems import MEDIA_TYPE, as_problem
from cellstorm_server.services import Current, Services
from cellstorm_server.tus import protocol
from cellstorm_server.tus.destination import ACQUISITION, Recordings
from cellstorm_server.tus.override import PATH
from cellstorm_server.tus.service import Tus
from cellstorm_server.tus.storage import UploadInfo
from cellstorm_server.urls import API, base_url

_ACQUISITION_HEADER: Final = "Cellstorm-Acquisition"


class TusRoute(APIRoute):
    """Checks the version before anything else, and says it with every answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def in_tus(request: Request) -> Response:
            try:
                if (
                    request.method not in ("OPTIONS", "GET")
                    and request.headers.get("tus-resumable") != protocol.VERSION
                ):
                    raise protocol.wrong_version()
                response = await handle(request)
            except CellstormError as error:
                response = as_problem(error)
            response.headers["Tus-Resumable"] = protocol.VERSION
            if response.status_code == status.HTTP_412_PRECONDITION_FAILED:
                response.headers["Tus-Version"] = protocol.VERSION
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return in_tus


router = APIRouter(prefix=PATH, tags=["upload"], route_class=TusRoute)


class Upload(BaseModel):
    """An upload at one moment."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: Literal["receiving", "taken", "refused", "expired"] = Field(
        description="A file that was taken is the acquisition's; of one that was refused nothing is kept."
    )
    offset: int
    length: int | None = Field(description="Null where it is told later.")
    expires_at: datetime
    acquisition_id: str | None = Field(
        description="Where the file goes; of one that names none, null until it is whole."
    )
    problem: dict[str, object] | None = Field(description="Why it was refused.")


@router.options("", include_in_schema=False)
@router.options("/{upload_id}", include_in_schema=False)
async def abilities(services: Current) -> Response:
    """What this server can do."""
    headers = {
        "Tus-Version": protocol.VERSION,
        "Tus-Extension": protocol.EXTENSIONS,
        "Tus-Max-Size": str(services.settings.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(protocol.CHECKSUMS),
    }
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=headers)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(request: Request, services: Current, caller: CurrentCaller) -> Response:
    """Begin an upload (tus creation, and creation-with-upload)."""
    creation = protocol.read_creation(request.headers, services.settings.max_upload_bytes)
    acquisition_id = creation.metadata.get(ACQUISITION)
    await _require_film(services, caller, acquisition_id)
    recordings = _recordings(services, caller)
    await recordings.check(creation.metadata)
    info = await services.tus.create(creation, acquisition_id)
    location = f"{base_url(services.settings, request)}{API}{PATH}/{info.id}"
    if request.headers.get("content-type") == protocol.CONTENT_TYPE or creation.length == 0:
        headers = {**request.headers, "upload-offset": "0", "content-type": protocol.CONTENT_TYPE}
        info = await services.tus.append(info.id, headers, request.stream(), recordings)
    answer = await _answer(services.tus, info, status.HTTP_201_CREATED)
    answer.headers["Location"] = location
    return answer


@router.head("/{upload_id}")
async def read_offset(upload_id: str, services: Current, caller: CurrentCaller) -> Response:
    """How much has come. A request that is still sending is stopped: whoever asks will go on."""
    await _require_upload(services, caller, upload_id)
    info, _ = await services.tus.offset(upload_id)
    answer = await _answer(services.tus, info, status.HTTP_200_OK)
    if info.length is None:
        answer.headers["Upload-Defer-Length"] = "1"
    else:
        answer.headers["Upload-Length"] = str(info.length)
    if info.metadata_header:
        answer.headers["Upload-Metadata"] = info.metadata_header
    return answer


@router.get("/{upload_id}")
async def read_upload(upload_id: str, services: Current, caller: CurrentCaller) -> Upload:
    """How an upload stands; not tus, and it disturbs nobody."""
    info = await _require_upload(services, caller, upload_id)
    return await asyncio.to_thread(_upload, services.tus, info)


@router.patch("/{upload_id}", status_code=status.HTTP_204_NO_CONTENT)
async def append(upload_id: str, request: Request, services: Current, caller: CurrentCaller) -> Response:
    """Append to an upload. With its last byte the file is looked into and goes to its acquisition."""
    await _require_upload(services, caller, upload_id)
    info = await services.tus.append(upload_id, request.headers, request.stream(), _recordings(services, caller))
    return await _answer(services.tus, info, status.HTTP_204_NO_CONTENT)


@router.delete("/{upload_id}", status_code=status.HTTP_204_NO_CONTENT)
async def terminate(upload_id: str, services: Current, caller: CurrentCaller) -> Response:
    """Remove an upload (tus termination). What an acquisition has taken stays with it."""
    await _require_upload(services, caller, upload_id)
    await services.tus.terminate(upload_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


async def _require_film(services: Services, caller: Caller, acquisition_id: str | None) -> None:
    if acquisition_id is None:
        caller.require("film")
    else:
        await require_on_acquisition(services, caller, "film", acquisition_id)


async def _require_upload(services: Services, caller: Caller, upload_id: str) -> UploadInfo:
    """The upload, for whoever may send it; uploads that name no acquisition are open to all who may make one."""
    info = await asyncio.to_thread(services.tus.storage.read, upload_id)
    await _require_film(services, caller, info.metadata.get(ACQUISITION))
    return info


def _recordings(services: Services, caller: Caller) -> Recordings:
    return Recordings(services, partial(let_film, services, caller))


async def _answer(tus: Tus, info: UploadInfo, status_code: int) -> Response:
    if info.outcome is not None and info.outcome.problem is not None:
        told = info.outcome.problem
        return JSONResponse(told, status_code=int(str(told["status"])), media_type=MEDIA_TYPE)
    offset, expires_at = await asyncio.to_thread(lambda: (tus.storage.offset(info), tus.expires_at(info)))
    headers = {"Upload-Offset": str(offset), "Upload-Expires": protocol.http_date(expires_at)}
    if info.acquisition_id is not None:
        headers[_ACQUISITION_HEADER] = info.acquisition_id
    return Response(status_code=status_code, headers=headers)


def _upload(tus: Tus, info: UploadInfo) -> Upload:
    return Upload(
        id=info.id,
        state=info.outcome.kind if info.outcome else "receiving",
        offset=tus.storage.offset(info),
        length=info.length,
        expires_at=datetime.fromtimestamp(tus.expires_at(info), UTC),
        acquisition_id=info.acquisition_id,
        problem=info.outcome.problem if info.outcome else None,
    )
