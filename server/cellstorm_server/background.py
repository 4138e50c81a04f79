"""What a gateway does by itself: each part about twice a second, and an error in one round does not end the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from cellstorm.acquisitions import OVER, Acquisition, State
from cellstorm.errors import AcquisitionNotFound, CellstormError, WrongState
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.claims import Claims
from cellstorm_server.measuring import Measuring
from cellstorm_server.reaper import Reaper
from cellstorm_server.services import Services
from cellstorm_server.tus.destination import Recordings

log = structlog.get_logger()

_ROUND_S: Final = 0.5
_SILENT_FACTOR: Final = 3


class Background:
    """All rounds of one gateway."""

    def __init__(self, services: Services, claims: Claims) -> None:
        reaper = Reaper(services.store, services.queues, claims.holder, services.settings.expire_after_s)
        upkeep = Upkeep(services)
        measuring = Measuring(services.store, services.followers)
        self._rounds: dict[str, Callable[[], Awaitable[object]]] = {
            "reap": lambda: asyncio.to_thread(reaper.sweep, time.time()),
            "drain": partial(asyncio.to_thread, services.feeder.drain),
            "claims": partial(asyncio.to_thread, claims.renew),
            "upkeep": upkeep.round,
            "measuring": measuring.round,
            "idle": partial(_drop_idle, services),
            "uploads": partial(services.tus.sweep, Recordings(services)),
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin all rounds."""
        self._tasks = [asyncio.create_task(_repeat(name, do), name=name) for name, do in self._rounds.items()]

    async def stop(self) -> None:
        """End them, after the round that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _repeat(name: str, do: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await do()
        except (CellstormError, *STORE_TROUBLE) as error:
            log.warning("round put off", round=name, error=str(error))
        except Exception:  # the edge of a background task: the service goes on, and the log tells
            log.exception("round failed", round=name)
        await asyncio.sleep(_ROUND_S)


async def _drop_idle(services: Services) -> None:
    services.followers.drop_idle()
    services.selected.drop_idle()


class Upkeep:
    """Looks after the acquisitions whose files lie here: ends what is forgotten, resumes what was left, archives what is done."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settled: set[str] = set()

    async def round(self) -> None:
        """Once over all acquisitions that are not settled."""
        for acquisition in await asyncio.to_thread(self._unsettled):
            try:
                await self._look_after(acquisition)
            except (AcquisitionNotFound, WrongState):  # deleted meanwhile, or it has become something else
                continue

    def _unsettled(self) -> list[Acquisition]:
        there = set(self._services.library.ids())
        self._settled &= there
        return self._services.store.get_all(sorted(there - self._settled))

    async def _look_after(self, acquisition: Acquisition) -> None:
        services = self._services
        if acquisition.state in OVER:
            services.feeder.recent.forget(acquisition.id)  # from now on its frames are read from its kept video
            if acquisition.state is not State.FAILED:  # which may be tried again
                self._settled.add(acquisition.id)
        elif acquisition.state is State.PROCESSING:
            await services.archiver.consider(acquisition)
        elif acquisition.state is State.WAITING and not acquisition.chunks_received:
            return  # for its first frame, and a batch may have a thousand of them
        elif await asyncio.to_thread(services.store.field, acquisition.id, "live") == "1":
            await self._look_after_live(acquisition)
        elif acquisition.state is State.RECEIVING:
            await services.uploads.resume(acquisition)

    async def _look_after_live(self, acquisition: Acquisition) -> None:
        services = self._services
        if any(session.acquisition_id == acquisition.id for session in services.sessions.active):
            return
        idle_s = await asyncio.to_thread(self._idle_s, acquisition.id)
        if acquisition.chunks_received and idle_s > services.settings.finish_after_s:
            log.info("finished, for no phone has come back", acquisition=acquisition.id)
            await asyncio.to_thread(services.store.transition, acquisition.id, State.PROCESSING)
        elif acquisition.state is State.RECEIVING and idle_s > _SILENT_FACTOR * services.settings.freed_after_s:
            # Its gateway was killed: no session is left that could tell.
            await asyncio.to_thread(services.store.transition, acquisition.id, State.WAITING)

    def _idle_s(self, acquisition_id: str) -> float:
        """Since something was last heard of it; a stream's positions begin with Unix milliseconds."""
        milliseconds = int(self._services.store.last_event(acquisition_id).split("-")[0])
        return time.time() - milliseconds / 1000 if milliseconds else 0.0
