"""WHIP (RFC 9725): an encoder publishes with one POST and stops with one DELETE."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response, status

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.errors import InvalidOffer, TooLarge
from cellstorm.gaps import LinkGap
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.access import MEMBERS_ONLY, CurrentCaller, FilmedAcquisitionId
from cellstorm_server.acquisitions import create_acquisition, delete, let_film
from cellstorm_server.ingest.offers import MAX_OFFER_BYTES
from cellstorm_server.models import live_model
from cellstorm_server.services import Current, Services
from cellstorm_server.urls import base_url

router = APIRouter(prefix="/whip", tags=["whip"])

SDP = "application/sdp"
_ENDPOINT: Final = {"Allow": "OPTIONS, POST", "Accept-Post": SDP}
_SESSION: Final = {"Allow": "DELETE, OPTIONS, PATCH"}


@router.options("", status_code=status.HTTP_204_NO_CONTENT)
@router.options("/{acquisition_id}", status_code=status.HTTP_204_NO_CONTENT)
async def describe_endpoint() -> Response:
    """What may be sent here (RFC 9725, 4.2). No token needed."""
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=_ENDPOINT)


@router.options("/{acquisition_id}/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def describe_session() -> Response:
    """What may be done to a session. No token needed."""
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=_SESSION)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[MEMBERS_ONLY])
async def publish_anew(
    caller: CurrentCaller, request: Request, services: Current, content_type: Annotated[str, Header()] = ""
) -> Response:
    """Open an acquisition with default settings and publish to it, for encoders that know only one address."""
    offer = await _offer(request, content_type)
    model = await asyncio.to_thread(live_model, services.settings)
    created, _ = await create_acquisition(services, AcquisitionSettings(name="published", model=model))
    try:
        published = await _publish(created.id, offer, request, services)
        await let_film(services, caller, created.id)
    except BaseException:  # also when the request is given up: nobody would know of it
        with suppress(*STORE_TROUBLE):
            await asyncio.shield(delete(services, created.id))
        raise
    return published


@router.post("/{acquisition_id}", status_code=status.HTTP_201_CREATED)
async def publish(
    acquisition_id: FilmedAcquisitionId,
    request: Request,
    services: Current,
    content_type: Annotated[str, Header()] = "",
) -> Response:
    """Publish to an acquisition; a session that it has already is replaced, and the same image continued."""
    return await _publish(acquisition_id, await _offer(request, content_type), request, services)


@router.delete("/{acquisition_id}/sessions/{session_id}", status_code=status.HTTP_200_OK)
async def stop(acquisition_id: FilmedAcquisitionId, session_id: str, services: Current) -> Response:
    """End a session. All that it has sent is kept when this answers; the acquisition stays open for another.

    Again is no error, nor is a session that has ended by itself: a phone that lost its link cannot know.
    """
    await services.sessions.close(acquisition_id, session_id)
    return Response()


@router.put("/{acquisition_id}/sessions/{session_id}/gap", status_code=status.HTTP_204_NO_CONTENT)
async def tell_gap(acquisition_id: FilmedAcquisitionId, session_id: str, gap: LinkGap, services: Current) -> Response:
    """What a phone has missed since its link was lost; to be told on its return, before the session's first frame.

    Those frames count as lost, and the session's frames are numbered behind them. Again is no error.
    """
    await services.sessions.tell_gap(acquisition_id, session_id, gap)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.patch("/{acquisition_id}/sessions/{session_id}")
async def restart(acquisition_id: FilmedAcquisitionId, session_id: str) -> Response:
    """Trickled candidates and ICE restarts are not supported (RFC 9725, 4.3): publish again instead."""
    return Response(status_code=status.HTTP_501_NOT_IMPLEMENTED)


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
        "Location": f"{base_url(services.settings, request)}/whip/{acquisition_id}/sessions/{session_id}",
        "ETag": f'"{session_id}"',
        "Cellstorm-Acquisition": acquisition.id,
    }
    return Response(answer, status.HTTP_201_CREATED, headers, media_type=SDP)
