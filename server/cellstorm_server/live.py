"""The live view: localizations so far as one answer, a WebSocket of them as they come, and server-sent events of progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from cellstorm.acquisitions import OVER, State
from cellstorm.errors import AcquisitionNotFound
from cellstorm.messages import framed
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.access import SUBPROTOCOL, AcquisitionId, may_still_watch
from cellstorm_server.follower import Follower
from cellstorm_server.services import Current, Services
from cellstorm_server.streamed import StreamedResponse
from cellstorm_server.viewers import Wish

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["live view"])

EVENT_POLL_S: Final = 0.25
_RIGHTS_POLL_S: Final = 5.0
"""How long somebody goes on watching after he has left, or his right has ended."""
_NO_LONGER_ALLOWED: Final = 1008  # RFC 6455, 7.4.1: against the server's policy
_STORE_AWAY_S: Final = 1.0


def _wish(
    history: Annotated[int, Query(ge=0, description="Of the last message that is known already.")] = 0,
    rows: Annotated[int, Query(ge=0, description="How many rows are known already.")] = 0,
    newest: Annotated[int | None, Query(gt=0, description="Of the rows that there are, at most so many.")] = None,
) -> Wish:
    """Whoever comes back tells how many `rows` it has and the `history` of the last message, and is sent what follows them. Whoever
    cannot hold everything asks for the `newest` rows.
    """
    return Wish(history, rows, newest)


Wished = Annotated[Wish, Depends(_wish)]


async def watched(acquisition_id: AcquisitionId, services: Current) -> AsyncIterator[Follower]:
    """The follower of an acquisition, and a viewer's place.

    FastAPI ends this when the answer was sent or the connection has ended, also where the body was never begun.
    """
    with services.followers.place():
        yield services.followers.of(acquisition_id)


Watched = Annotated[Follower, Depends(watched)]


async def joined(follower: Watched) -> Follower:
    """Likewise, of an acquisition of which there are rows to send."""
    await follower.begin()
    return follower


Joined = Annotated[Follower, Depends(joined)]


@router.get("/live", response_class=StreamingResponse)
async def so_far(follower: Joined, wish: Wished) -> Response:
    """All localizations so far, as the WebSocket beside it would send them; that goes on where this ends.

    Browsers take one answer many times as fast as messages: Chromium 44 MB in 0.1 s, over a WebSocket in 0.3 to 2.7 s.
    """
    return StreamedResponse(
        _until_told(follower, wish), media_type="application/octet-stream", headers={"Cache-Control": "no-store"}
    )


async def _until_told(follower: Follower, wish: Wish) -> AsyncGenerator[bytes]:
    async with follower.watch(wish) as (opening, messages):
        yield framed(opening)
        async for message in messages:
            yield framed(message)
            if isinstance(message, str):  # progress: there are no more rows
                return


@router.websocket("/live")
async def live(
    acquisition_id: AcquisitionId, follower: Joined, websocket: WebSocket, services: Current, wish: Wished
) -> None:
    """All localizations so far, then what is new as it comes (cellstorm.messages)."""
    chosen = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", []) else None
    await websocket.accept(subprotocol=chosen)
    sending = asyncio.create_task(_send(websocket, follower, wish))
    leaving = asyncio.create_task(_until_left(websocket))
    barred = asyncio.create_task(_until_barred(services, websocket, acquisition_id))
    tasks = {sending, leaving, barred}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if sending in done:
        sending.result()
    elif leaving not in done:
        barred.result()
        with suppress(WebSocketDisconnect, RuntimeError):  # it may have gone meanwhile
            await websocket.close(_NO_LONGER_ALLOWED)


async def _send(websocket: WebSocket, follower: Follower, wish: Wish) -> None:
    with suppress(WebSocketDisconnect):
        async with follower.watch(wish) as (opening, messages):
            await websocket.send_text(opening)
            async for message in messages:
                if isinstance(message, bytes):
                    await websocket.send_bytes(message)
                else:
                    await websocket.send_text(message)
            await websocket.close()


async def _until_left(websocket: WebSocket) -> None:
    """A viewer has nothing to say; what it sends is read to notice its leaving."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _until_barred(services: Services, connection: HTTPConnection, acquisition_id: str) -> None:
    while True:
        await asyncio.sleep(_RIGHTS_POLL_S)
        with suppress(*STORE_TROUBLE):  # nobody is let out because Redis is away
            if not await may_still_watch(services, connection, acquisition_id):
                return


@router.get("/events", response_class=EventSourceResponse)
async def events(
    acquisition_id: AcquisitionId,
    follower: Watched,
    request: Request,
    services: Current,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """The acquisition whenever it has changed; `state` where its state is another, `progress` otherwise.

    Each event tells all there is to know, so that resuming after `Last-Event-ID` needs the newest one only. The stream ends
    with the acquisition; a client that is told `finished`, `failed` or `cancelled` need not come back. It ends too when whoever
    listens may no longer watch.
    """
    barred = asyncio.create_task(_until_barred(services, request, acquisition_id))
    try:
        async for event in _changes(
            follower, last_event_id, lambda: not (barred.done() or services.followers.is_closed)
        ):
            yield event
    finally:
        barred.cancel()


async def _changes(follower: Follower, seen: str | None, goes_on: Callable[[], bool]) -> AsyncIterator[ServerSentEvent]:
    state: State | None = None
    while state not in OVER and goes_on():
        try:
            view = await follower.read(max_age_s=EVENT_POLL_S)
        except AcquisitionNotFound:
            return
        except STORE_TROUBLE:  # the stream stays, and goes on when Redis is back
            await asyncio.sleep(_STORE_AWAY_S)
            continue
        acquisition = view.acquisition
        is_over = acquisition.state in OVER
        if view.event != seen or is_over:
            kind = "progress" if acquisition.state is state else "state"
            yield ServerSentEvent(data=acquisition, event=kind, id=view.event)
        seen, state = view.event, acquisition.state
        if not is_over:
            await asyncio.sleep(EVENT_POLL_S)
