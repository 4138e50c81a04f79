"""Follows an acquisition's commits and hands what is new to everybody who watches.

One follower per watched acquisition reads each commit once, however many watch; each viewer has its own place in what was
read (viewers.py). All methods that are not said to block run on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, cast

import structlog

from cellstorm.acquisitions import OVER, Acquisition, State
from cellstorm.errors import AcquisitionNotFound, Busy
from cellstorm.localizations import LOCALIZATION
from cellstorm.messages import COLUMN_DESCRIPTIONS, Opening
from cellstorm.reconstruction import Method, Snapshot
from cellstorm.store import Commit, Store
from cellstorm.store.store import STORE_TROUBLE
from cellstorm_server.growing import GrowingImage, GrowingImages, blank_image
from cellstorm_server.viewers import Outgoing, Parts, Reason, View, Viewer, Wish

log = structlog.get_logger()

POLL_S: Final = 0.15
IDLE_S: Final = 60.0
MAX_FOLLOWERS: Final = 64
MAX_VIEWERS: Final = 500
"""Of one gateway."""
MAX_FOLLOWED_BYTES: Final = 2**30
"""Of all rows that were read together: beyond, nothing further is followed until something is let go."""
_TELL_LAG_S: Final = 1.0
_BATCH_COMMITS: Final = 200
"""Read at once; viewers are sent what came before the next ones are read."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where followers read."""

    store: Store
    archived: Callable[[Acquisition], Commit]
    """All localizations of a finished acquisition that Redis no longer holds. Blocks."""


class Follower:
    """Of one acquisition. Polls only while somebody watches."""

    def __init__(self, acquisition_id: str, sources: Sources, images: GrowingImages) -> None:
        self._id = acquisition_id
        self._sources = sources
        self._images = images
        self._view: View | None = None
        self._told: Acquisition | None = None
        self._told_at = 0.0
        self._viewers: set[Viewer] = set()
        self._parts = Parts()
        self._polling: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self.used_at = time.monotonic()

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    @property
    def nbytes(self) -> int:
        """Of the rows that were read."""
        return 0 if self._view is None else self._view.rows * LOCALIZATION.itemsize

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches, and something has been read."""
        return bool(self._viewers) and self._view is not None

    def view(self) -> View:
        """As of the last reading."""
        assert self._view is not None, "read before"
        return self._view

    async def begin(self) -> None:
        """Read the first rows, unless that has been done.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition is gone.
        ResultNotReady
            If another gateway has the rows.
        """
        async with self._reading:
            self.used_at = time.monotonic()
            if self._view is None:
                await self._read_batch()

    async def read(self, max_age_s: float = 0.0) -> View:
        """The view, brought up to date unless it is young enough; viewers are told what is new.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition is gone.
        """
        async with self._reading:
            self.used_at = time.monotonic()
            if self._view is not None and self.used_at - self._read_at < max_age_s:
                return self._view
            while await self._read_batch():
                pass
            self._read_at = time.monotonic()
            return self.view()

    @asynccontextmanager
    async def watch(self, wish: Wish | None = None) -> AsyncIterator[tuple[str, AsyncIterator[Outgoing]]]:
        """A new viewer's first message and those that follow, for as long as the context lasts."""
        await self.begin()
        viewer = Viewer(wish or Wish())
        self._viewers.add(viewer)
        opening = Opening(columns=COLUMN_DESCRIPTIONS, acquisition=self.view().acquisition).model_dump_json()
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name=f"follow {self._id}")
        try:
            yield opening, viewer.messages(self.view, self._newest_told, self._parts)
        finally:
            self._viewers.discard(viewer)
            self.used_at = time.monotonic()

    async def snapshot(self, method: Method, output_pixel_nm: float, *, keep: bool) -> Snapshot:
        """The image as of the last reading; where it is kept, the next one costs by what is new.

        Raises
        ------
        ResultNotReady
            Before the first frame.
        InvalidSetting
            If the image would be too large.
        """
        view = self.view()
        if keep:
            return await asyncio.to_thread(self._images.of(view, method, output_pixel_nm).caught_up_with, view)
        once = GrowingImage(blank_image(view, method, output_pixel_nm))
        return await asyncio.to_thread(once.caught_up_with, view, grows_on=False)

    async def close(self, reason: Reason) -> None:
        """Say farewell to all viewers and stop polling."""
        self._close_viewers(reason)
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    async def _read_batch(self) -> bool:
        """Read on; whether there is more. Viewers are told."""
        known = self._view
        new, is_more = await asyncio.to_thread(self._next, known)
        self._view = new
        self._tell(known, new)
        return is_more

    def _next(self, known: View | None) -> tuple[View, bool]:
        """Blocks. The acquisition first: then its commits, once all are read, are at least those that it counts."""
        store = self._sources.store
        acquisition = store.get(self._id)
        event = store.last_event(self._id)
        known = known or View(acquisition, (), event)
        batch = store.commits_after(self._id, known.position, limit=_BATCH_COMMITS)
        if known.has_chunk_of(batch):
            log.warning("commits were lost and made anew: all are read again", acquisition=self._id)
            known = View(acquisition, (), event, renewals=known.renewals + 1)
            batch = store.commits_after(self._id, known.position, limit=_BATCH_COMMITS)
        if acquisition.state is State.FINISHED and acquisition.localizations and not known.commits and not batch:
            batch = [self._sources.archived(acquisition)]
        rows = known.rows + sum(len(commit.table) for commit in batch)
        view = View(acquisition, (*known.commits, *batch), event, rows, known.renewals)
        return view, len(batch) == _BATCH_COMMITS

    def _tell(self, known: View | None, new: View) -> None:
        now = time.monotonic()
        has_more = known is None or new.rows > known.rows or new.beginning != known.beginning
        lag_matters = new.acquisition.lag_s is not None and now - self._told_at > _TELL_LAG_S
        if not (has_more or lag_matters or _without_clocks(self._newest_told()) != _without_clocks(new.acquisition)):
            return
        self._told, self._told_at = new.acquisition, now
        for viewer in self._viewers:
            viewer.wake()

    def _newest_told(self) -> Acquisition:
        """The acquisition as viewers should know it."""
        return self._told or self.view().acquisition

    def _close_viewers(self, reason: Reason) -> None:
        for viewer in self._viewers:
            viewer.close(reason)

    async def _poll(self) -> None:
        while self._viewers:
            try:
                state = (await self.read()).acquisition.state
            except AcquisitionNotFound:
                self._close_viewers("deleted")
                return
            except STORE_TROUBLE as error:
                log.warning("store away", acquisition=self._id, error=str(error))
                await asyncio.sleep(1.0)
                continue
            if state in OVER:
                self._close_viewers(cast(Reason, state.value))
                return
            await asyncio.sleep(POLL_S)


class Followers:
    """All followers of this gateway; those that nobody has asked for in a minute are dropped."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._images = GrowingImages()
        self._followers: dict[str, Follower] = {}
        self._places = 0
        self.is_closed = False

    @property
    def viewers(self) -> int:
        return sum(follower.viewers for follower in self._followers.values())

    def watched(self) -> dict[str, Follower]:
        """Those with a viewer, by acquisition."""
        return {name: follower for name, follower in self._followers.items() if follower.is_watched}

    def of(self, acquisition_id: str) -> Follower:
        """The acquisition's follower.

        Raises
        ------
        Busy
            If too many acquisitions are watched.
        """
        if acquisition_id not in self._followers:
            if self._is_full:
                self.drop_idle(idle_s=0.0)
            if self._is_full:
                raise Busy("too many acquisitions are watched at once; try again in a minute")
            self._followers[acquisition_id] = Follower(acquisition_id, self._sources, self._images)
        return self._followers[acquisition_id]

    @property
    def _is_full(self) -> bool:
        followers = self._followers.values()
        return len(followers) >= MAX_FOLLOWERS or sum(each.nbytes for each in followers) >= MAX_FOLLOWED_BYTES

    @contextmanager
    def place(self) -> Iterator[None]:
        """A viewer's place, for as long as the context lasts: taken at once, before anything of the acquisition is read.

        Raises
        ------
        Busy
            If there is none.
        """
        if self.is_closed:
            raise Busy("the server is about to stop; try again in a minute")
        if self._places >= MAX_VIEWERS:
            raise Busy("too many viewers are watching; try again in a minute")
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    def drop_idle(self, idle_s: float = IDLE_S) -> None:
        """Forget what nobody watches and nobody has asked for of late."""
        now = time.monotonic()
        for acquisition_id, follower in list(self._followers.items()):
            if not follower.viewers and now - follower.used_at > idle_s:
                del self._followers[acquisition_id]
                self._images.forget(acquisition_id)

    async def forget(self, acquisition_id: str, reason: Reason) -> None:
        """What was read of the acquisition holds no longer: it was deleted, cancelled, or begins anew."""
        if follower := self._followers.pop(acquisition_id, None):
            self._images.forget(acquisition_id)
            await follower.close(reason)

    async def shutdown(self) -> None:
        """Say farewell to everybody."""
        self.is_closed = True
        for follower in list(self._followers.values()):  # requests that are still answered may open further ones
            await follower.close("shutting_down")
        self._followers.clear()


def _without_clocks(acquisition: Acquisition) -> Acquisition:
    """Without what changes by itself."""
    return acquisition.model_copy(update={"lag_s": None, "eta_s": None, "fps": None})
