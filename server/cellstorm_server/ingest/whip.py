"""WHIP (RFC 9725): an encoder publishes with one POST and stops with one DELETE."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response, status

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.errors import CellstormError, InvalidOffer, NotAllowed, SessionNotFound, TooLarge
from cellstorm_server.access import ADMIN_ONLY, AcquisitionId, bearer, is_admin, require_access
from cellstorm_server.acquisitions import create_acquisition
from cellstorm_server.ingest.offers import MAX_OFFER_BYTES
from cellstorm_server.services import Current, Services
from cellstorm_server.urls import base_url

router = APIRouter(prefix="/whip", tags=["whip"])

SDP = "application/sdp"


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[ADMIN_ONLY])
async def publish_anew(request: Request, services: Current, content_type: Annotated[str, Header()] = "") -> Response:
    """Open an acquisition with default settings and publish to it, for encoders that know only one address."""
    offer = await _offer(request, content_type)
    created, _ = await create_acquisition(
        services, AcquisitionSettings(name="published", model=services.settings.model)
    )
    try:
        return await _publish(created.id, offer, request, services)
    except CellstormError:
        await asyncio.to_thread(services.store.delete, created.id)
        await asyncio.to_thread(services.library.delete, created.id)
        raise


@router.post("/{acquisition_id}", status_code=status.HTTP_201_CREATED)
async def publish(
    acquisition_id: AcquisitionId, request: Request, services: Current, content_type: Annotated[str, Header()] = ""
) -> Response:
    """Publish to an acquisition; a session that it has already is replaced, and the same image continued."""
    return await _publish(acquisition_id, await _offer(request, content_type), request, services)


@router.delete("/sessions/{session_id}", status_code=status.HTTP_200_OK)
async def stop(session_id: str, request: Request, services: Current) -> Response:
    """End a session. All that it has sent is kept when this answers; the acquisition stays open for another."""
    await _require_session(session_id, request, services)
    await services.sessions.close(session_id)
    return Response()


@router.patch("/sessions/{session_id}")
async def restart(session_id: str, request: Request, services: Current) -> Response:
    """Trickled candidates and ICE restarts are not supported (RFC 9725, 4.3): publish again instead."""
    await _require_session(session_id, request, services)
    return Response(status_code=status.HTTP_501_NOT_IMPLEMENTED)


async def _require_session(session_id: str, request: Request, services: Services) -> None:
    token = bearer(request)
    if is_admin(services, token):
        return
    try:
        acquisition_id = services.sessions.acquisition_of(session_id)
    except SessionNotFound as error:
        raise NotAllowed("the token does not fit this session; it may have ended") from error
    await require_access(services, acquisition_id, request)


async def _offer(request: Request, content_type: str) -> str:
    if content_type.partition(";")[0].strip().lower() != SDP:
        raise InvalidOffer(f"a WebRTC offer must be sent as {SDP}, not {content_type or 'without a type'}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_OFFER_BYTES:
            raise TooLarge(f"the offer is larger than {MAX_OFFER_BYTES // 1024} KiB; offer the camera's track alone")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidOffer("the offer is not text; send the SDP that createOffer() made") from error


async def _publish(acquisition_id: str, offer: str, request: Request, services: Services) -> Response:
    client = request.client.host if request.client else ""
    session_id, answer = await services.sessions.open(acquisition_id, offer, client)
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    headers = {
        # Absolute: with several gateways behind one name, the session lives on this one.
        "Location": f"{base_url(services.settings, request)}/whip/sessions/{session_id}",
        "ETag": f'"{session_id}"',
        "Cellstorm-Acquisition": acquisition.id,
    }
    return Response(answer, status.HTTP_201_CREATED, headers, media_type=SDP)
