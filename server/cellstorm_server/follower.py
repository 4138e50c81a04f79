"""Follows an acquisition's commits and hands what is new to everybody who watches.

One follower per watched acquisition reads each commit once, however many watch. Each viewer has a bounded mailbox; one
that is too slow loses what waits in it, is told how much that was, and gets a new snapshot in its place. All methods
that are not said to block run on the event loop, which is what makes a snapshot and the deltas after it fit together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from cellstorm import localizations
from cellstorm.acquisitions import Acquisition, State
from cellstorm.errors import AcquisitionNotFound, Busy, ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.messages import COLUMN_DESCRIPTIONS, DELTA, SNAPSHOT, BinaryMessage, Closing, Opening, Progress
from cellstorm.reconstruction import Method, Reconstruction, Snapshot
from cellstorm.store import Commit, Store
from cellstorm.store.store import STORE_TROUBLE

log = structlog.get_logger()

POLL_S: Final = 0.15
MAILBOX_MESSAGES: Final = 64
"""Deltas and progress of about five seconds."""
IDLE_S: Final = 60.0
MAX_FOLLOWERS: Final = 64
MAX_VIEWERS: Final = 500
"""Of one gateway."""
_TELL_LAG_S: Final = 1.0
_OVER: Final = (State.FINISHED, State.FAILED)

Outgoing = str | bytes
"""A JSON text or a binary message."""


@dataclass(frozen=True, slots=True)
class View:
    """What a follower has read, at one moment; safe to hand to another thread."""

    acquisition: Acquisition
    commits: tuple[Commit, ...]
    event: str
    """Position of the newest event in it."""

    @property
    def position(self) -> str:
        """Of the newest commit in it."""
        return self.commits[-1].position if self.commits else "0"

    def table(self) -> Localizations:
        """By chunk: the same table whatever the order in which chunks were committed."""
        return localizations.concatenate(c.table for c in sorted(self.commits, key=lambda commit: commit.chunk))

    def message(self, kind: int, since: int, left_out: int) -> bytes:
        """The binary message of the commits from the `since`-th on."""
        return BinaryMessage(
            kind=kind,
            table=localizations.concatenate(commit.table for commit in self.commits[since:]),
            frames_processed=sum(commit.frame_count for commit in self.commits),
            end_frame=max((commit.end_frame for commit in self.commits), default=0),
            left_out=left_out,
        ).to_bytes()


class Viewer:
    """One viewer's mailbox."""

    def __init__(self, count_left_out: Callable[[int], object], capacity: int = MAILBOX_MESSAGES) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._count_left_out = count_left_out
        self._capacity = capacity
        self._changed = asyncio.Event()
        self._needs_snapshot = True
        self._left_out = 0
        self._closing: str | None = None

    def put(self, *messages: Outgoing) -> None:
        """Queue them; a viewer that has not taken what came before gets a snapshot of everything instead."""
        if self._closing is not None:
            return
        if not self._needs_snapshot:
            self._waiting.extend(messages)
            if len(self._waiting) > self._capacity:
                self._left_out += len(self._waiting)
                self._count_left_out(len(self._waiting))
                self._waiting.clear()
                self._needs_snapshot = True
        self._changed.set()

    def close(self, reason: Literal["finished", "failed", "deleted", "shutting_down"]) -> None:
        """After what waits, nothing but the farewell."""
        if self._closing is None:
            self._closing = Closing(reason=reason).model_dump_json()
            self._changed.set()

    async def messages(self, view: Callable[[], View]) -> AsyncIterator[Outgoing]:
        """What the viewer is to be sent, first of all a snapshot of what `view` tells then."""
        while True:
            if self._needs_snapshot:
                now, left_out = view(), self._left_out
                self._needs_snapshot, self._left_out = False, 0
                yield await asyncio.to_thread(now.message, SNAPSHOT, 0, left_out)
                yield _progress(now.acquisition)
            while self._waiting and not self._needs_snapshot:
                yield self._waiting.popleft()
            if self._needs_snapshot:
                continue
            if self._closing is not None:
                yield self._closing
                return
            self._changed.clear()
            await self._changed.wait()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where followers read, and whom they tell what slow viewers miss."""

    store: Store
    archived: Callable[[Acquisition], Commit]
    """All localizations of a finished acquisition that Redis no longer holds. Blocks."""
    count_left_out: Callable[[int], object]


class Follower:
    """Of one acquisition. Polls only while somebody watches."""

    def __init__(self, acquisition_id: str, sources: Sources) -> None:
        self._id = acquisition_id
        self._sources = sources
        self._view: View | None = None
        self._viewers: set[Viewer] = set()
        self._polling: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._told_at = 0.0
        self._images: dict[tuple[Method, float], _Image] = {}
        self.used_at = time.monotonic()

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def view(self) -> View:
        """As of the last reading."""
        assert self._view is not None, "read before"
        return self._view

    async def read(self, max_age_s: float = 0.0) -> View:
        """The view, brought up to date unless it is young enough; viewers are told what is new.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition is gone.
        """
        async with self._reading:
            self.used_at = time.monotonic()
            known = self._view
            if known is not None and self.used_at - self._read_at < max_age_s:
                return known
            new = await asyncio.to_thread(self._read, known)
            self._view, self._read_at = new, time.monotonic()
            if known is not None:
                self._tell(known, new)
            return new

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[tuple[Viewer, str]]:
        """A new viewer and its first message, for as long as the context lasts."""
        view = await self.read()
        viewer = Viewer(self._sources.count_left_out)
        opening = Opening(columns=COLUMN_DESCRIPTIONS, acquisition=view.acquisition).model_dump_json()
        self._viewers.add(viewer)
        if view.acquisition.state in _OVER:
            viewer.close("finished" if view.acquisition.state is State.FINISHED else "failed")
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), name=f"follow {self._id}")
        try:
            yield viewer, opening
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
        key = (method, output_pixel_nm)
        image = self._images.get(key) or _Image(_empty_image(view.acquisition, method, output_pixel_nm))
        if keep:
            self._images[key] = image
        return await asyncio.to_thread(image.caught_up_with, view.commits)

    async def close(self, reason: Literal["deleted", "shutting_down"]) -> None:
        """Say farewell to all viewers and stop polling."""
        for viewer in self._viewers:
            viewer.close(reason)
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    def _read(self, known: View | None) -> View:
        """Blocks. The acquisition first: then its commits are at least those that it counts."""
        store = self._sources.store
        acquisition = store.get(self._id)
        event = store.last_event(self._id)
        commits = known.commits if known is not None else ()
        while batch := store.commits_after(self._id, commits[-1].position if commits else "0"):
            commits = (*commits, *batch)
        if acquisition.state is State.FINISHED and acquisition.localizations and not commits:
            commits = (self._sources.archived(acquisition),)
        return View(acquisition, commits, event)

    def _tell(self, known: View, new: View) -> None:
        now = time.monotonic()
        messages: list[Outgoing] = []
        if len(new.commits) > len(known.commits):
            messages.append(new.message(DELTA, len(known.commits), 0))
        lag_matters = new.acquisition.lag_s is not None and now - self._told_at > _TELL_LAG_S
        if messages or lag_matters or _without_clocks(known.acquisition) != _without_clocks(new.acquisition):
            messages.append(_progress(new.acquisition))
            self._told_at = now
        if not messages:
            return
        for viewer in self._viewers:
            viewer.put(*messages)
            if new.acquisition.state in _OVER:
                viewer.close("finished" if new.acquisition.state is State.FINISHED else "failed")

    async def _poll(self) -> None:
        while self._viewers:
            await asyncio.sleep(POLL_S)
            try:
                view = await self.read()
            except AcquisitionNotFound:
                for viewer in self._viewers:
                    viewer.close("deleted")
                return
            except STORE_TROUBLE as error:
                log.warning("store away", acquisition=self._id, error=str(error))
                await asyncio.sleep(1.0)
                continue
            if view.acquisition.state in _OVER:
                return


class _Image:
    """A reconstruction that remembers how many commits are drawn in it."""

    def __init__(self, reconstruction: Reconstruction) -> None:
        self._reconstruction = reconstruction
        self._drawn = 0
        self._lock = threading.Lock()

    def caught_up_with(self, commits: tuple[Commit, ...]) -> Snapshot:
        """Blocks. The image of `commits`, or of more if another thread was quicker."""
        with self._lock:
            for commit in commits[self._drawn :]:
                self._reconstruction.add(commit.table)
                self._drawn += 1
            return self._reconstruction.snapshot()


class Followers:
    """All followers of this gateway; those that nobody has asked for in a minute are dropped."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._followers: dict[str, Follower] = {}
        self.is_closed = False

    @property
    def viewers(self) -> int:
        return sum(follower.viewers for follower in self._followers.values())

    def of(self, acquisition_id: str) -> Follower:
        """The acquisition's follower.

        Raises
        ------
        Busy
            If too many acquisitions are watched.
        """
        if acquisition_id not in self._followers:
            if len(self._followers) >= MAX_FOLLOWERS:
                self.drop_idle(idle_s=0.0)
            if len(self._followers) >= MAX_FOLLOWERS:
                raise Busy("too many acquisitions are watched at once; try again in a minute")
            self._followers[acquisition_id] = Follower(acquisition_id, self._sources)
        return self._followers[acquisition_id]

    def require_place(self) -> None:
        """Nothing, if there is a place for another viewer.

        Raises
        ------
        Busy
            Otherwise.
        """
        if self.is_closed:
            raise Busy("the server is about to stop; try again in a minute")
        if self.viewers >= MAX_VIEWERS:
            raise Busy("too many viewers are watching; try again in a minute")

    def drop_idle(self, idle_s: float = IDLE_S) -> None:
        """Forget what nobody watches and nobody has asked for of late."""
        now = time.monotonic()
        for acquisition_id, follower in list(self._followers.items()):
            if not follower.viewers and now - follower.used_at > idle_s:
                del self._followers[acquisition_id]

    async def forget(self, acquisition_id: str) -> None:
        """The acquisition is being deleted."""
        if follower := self._followers.pop(acquisition_id, None):
            await follower.close("deleted")

    async def shutdown(self) -> None:
        """Say farewell to everybody."""
        self.is_closed = True
        for follower in self._followers.values():
            await follower.close("shutting_down")
        self._followers.clear()


def _empty_image(acquisition: Acquisition, method: Method, output_pixel_nm: float) -> Reconstruction:
    if acquisition.roi is None:
        raise ResultNotReady("no frame has come yet; the image is there with the first ones")
    roi, pixel_size_nm = acquisition.roi, acquisition.settings.pixel_size_nm
    return Reconstruction(roi.width, roi.height, pixel_size_nm, output_pixel_nm, method)


def _progress(acquisition: Acquisition) -> str:
    return Progress(acquisition=acquisition).model_dump_json()


def _without_clocks(acquisition: Acquisition) -> Acquisition:
    """Without what changes by itself."""
    return acquisition.model_copy(update={"lag_s": None, "eta_s": None, "fps": None})
