"""The live view: a WebSocket of localizations, and server-sent events of progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, WebSocket, WebSocketDisconnect
from fastapi.sse import EventSourceResponse, ServerSentEvent

from cellstorm.acquisitions import OVER, State
from cellstorm.errors import AcquisitionNotFound, CellstormError
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.access import SUBPROTOCOL, AcquisitionId
from cellstorm_server.follower import Follower
from cellstorm_server.problems import as_problem
from cellstorm_server.services import Current
from cellstorm_server.viewers import Wish

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["live view"])

EVENT_POLL_S: Final = 0.25
_STORE_AWAY_S: Final = 1.0


@router.websocket("/live")
async def live(
    acquisition_id: AcquisitionId,
    websocket: WebSocket,
    services: Current,
    history: Annotated[int, Query(ge=0)] = 0,
    rows: Annotated[int, Query(ge=0)] = 0,
    newest: Annotated[int | None, Query(gt=0)] = None,
) -> None:
    """All localizations so far, then what is new as it comes (cellstorm.messages).

    Whoever comes back tells the `history` and how many `rows` it has of it, and is sent what follows them. Whoever cannot
    hold everything asks for the `newest` rows.
    """
    try:
        services.followers.require_place()
        follower = services.followers.of(acquisition_id)
        await follower.begin()
    except CellstormError as error:
        await websocket.send_denial_response(as_problem(error))
        return
    chosen = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", []) else None
    await websocket.accept(subprotocol=chosen)
    sending = asyncio.create_task(_send(websocket, follower, Wish(history, rows, newest)))
    leaving = asyncio.create_task(_until_left(websocket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
    if sending.done() and not sending.cancelled():
        sending.result()


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


def _watched(acquisition_id: AcquisitionId, services: Current) -> Follower:
    return services.followers.of(acquisition_id)


Watched = Annotated[Follower, Depends(_watched)]


@router.get("/events", response_class=EventSourceResponse)
async def events(
    follower: Watched, services: Current, last_event_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[ServerSentEvent]:
    """The acquisition whenever it has changed; `state` where its state is another, `progress` otherwise.

    Each event tells all there is to know, so that resuming after `Last-Event-ID` needs the newest one only. The stream ends
    with the acquisition; a client that is told `finished`, `failed` or `cancelled` need not come back.
    """
    seen: str | None = last_event_id
    state: State | None = None
    while state not in OVER and not services.followers.is_closed:
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
