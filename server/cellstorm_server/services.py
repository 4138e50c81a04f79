"""What the routes work with: built once when the gateway starts, handed to each route that asks for `Current`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection

from cellstorm.errors import Busy
from cellstorm.settings import Settings
from cellstorm.store import Batches, GrantStore, Once, Store
from cellstorm_server.feeder import Feeder
from cellstorm_server.feeding import Feeding
from cellstorm_server.follower import Followers
from cellstorm_server.library import Library
from cellstorm_server.metrics import Metrics
from cellstorm_server.queueing import JobQueues
from cellstorm_server.selected import SelectedTables
from cellstorm_server.viewers import Reason

if TYPE_CHECKING:  # these know Services themselves
    from cellstorm_server.archive import Archiver
    from cellstorm_server.ingest.sessions import Sessions
    from cellstorm_server.last_frame import LastFrames
    from cellstorm_server.tus.service import Tus
    from cellstorm_server.uploads import Uploads

_RENDERS_AT_ONCE: Final = 2
_RENDERS_WAITING: Final = 16


class Renders:
    """Places for images and tables that are made on request: a few at once, some in waiting, the others are told to come back."""

    def __init__(self, at_once: int = _RENDERS_AT_ONCE, waiting: int = _RENDERS_WAITING) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._left = at_once + waiting

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place.

        Raises
        ------
        Busy
            If too many wait already.
        """
        if self._left == 0:
            raise Busy("too many images and tables are being made; try again in a few seconds")
        self._left -= 1
        try:
            async with self._places:
                yield
        finally:
            self._left += 1


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may need."""

    settings: Settings
    admin_digest: str
    installation: str
    store: Store
    grants: GrantStore
    queues: JobQueues
    library: Library
    batches: Batches
    once: Once
    feeder: Feeder
    feeding: Feeding
    sessions: Sessions
    uploads: Uploads
    tus: Tus
    archiver: Archiver
    followers: Followers
    last_frames: LastFrames
    metrics: Metrics
    renders: Renders = field(default_factory=Renders)
    selected: SelectedTables = field(default_factory=SelectedTables)

    async def forget(self, acquisition_id: str, reason: Reason) -> None:
        """What was read and made of an acquisition holds no longer: it was deleted, cancelled, or begins anew."""
        await self.followers.forget(acquisition_id, reason)
        self.selected.forget(acquisition_id)
        self.last_frames.forget(acquisition_id)
        self.feeder.recent.forget(acquisition_id)


def _current(connection: HTTPConnection) -> Services:
    return cast(Services, connection.app.state.services)


Current = Annotated[Services, Depends(_current)]
"""The gateway's services, as a route's parameter."""
