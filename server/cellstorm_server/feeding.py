"""Hands recordings to the workers, chunk by chunk, as fast as these take them.

A few threads read all files that are to be localized, by turns (cellstorm_server.turns): each turn is one chunk of one
file, which is then left open where it is. A file of which the process dies is read again from its beginning by whichever
gateway comes next; the store knows the chunks that it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Any, Final, Literal

import structlog

from cellstorm.acquisitions import OVER, Priority, State
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, CellstormError, InvalidVideo, StoreUnavailable
from cellstorm.settings import Settings
from cellstorm.sources import Source, open_source
from cellstorm.store import STORE_TROUBLE, Store
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.library import Library
from cellstorm_server.probing import NAMELESS
from cellstorm_server.turns import Line, Member

log = structlog.get_logger()

_THREADS: Final = 4
_POLL_S: Final = 0.05
"""So long a group whose share of the queue is full waits before it looks again."""
_PAUSED_S: Final = 10.0
"""So long a paused recording rests, unless it is resumed here: another gateway may have done that."""
_SHARE_PER_WORKER: Final = 4
_SMALLEST_SHARE: Final = 16
"""Chunks of one group in the queue: enough that no worker runs dry between two looks."""
_HELD_BYTES: Final = 256 * 2**20
"""Of all chunks that were read and that the store has no room for; with so many, no more is read. Each thread may add one."""
_REMEMBERED_GROUPS: Final = 256
_UNREADABLE: Final = "the file could not be read to its end; the server's log tells more"

Outcome = Literal["handed on", "no room", "paused", "done", "stopped"]


@dataclass(slots=True, eq=False)
class _Feed:
    """A recording on its way."""

    acquisition_id: str
    source: Source | None = None
    chunks: Iterator[Chunk] | None = None
    held: Chunk | None = None
    """Read, and not yet taken by the store."""
    fed: int = 0
    is_woken: bool = False
    """It was resumed, perhaps in the midst of a turn that still saw it paused."""
    stop: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def held_bytes(self) -> int:
        held = self.held  # another thread may have it taken
        return 0 if held is None else sum(held.header.payload_sizes)

    def put_down(self, chunks_received: int) -> None:
        """Close the file; when it is its turn again, it is read from its beginning to the chunk that comes next."""
        self.source = self.chunks = self.held = None
        self.fed = chunks_received


class Share:
    """How much of the queue each group has. Everything here blocks."""

    def __init__(self, store: Store, feeder: Feeder) -> None:
        self._store = store
        self._feeder = feeder
        self._members: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def is_full(self, group: str, acquisition_id: str) -> bool:
        """Whether as many of a group's chunks wait as may, before another of this acquisition; paused ones do not count."""
        if len(self._members) > _REMEMBERED_GROUPS:
            self._forget_the_done()
        with self._lock:
            members = self._members.setdefault(group, set()) | {acquisition_id}
        waiting = self._store.waiting_chunks(members)
        with self._lock:
            known = self._members.get(group, set())
            self._members[group] = {key for key in known if waiting.get(key, 1)} | {acquisition_id}
        return sum(waiting.values()) >= max(_SMALLEST_SHARE, _SHARE_PER_WORKER * self._feeder.workers())

    def _forget_the_done(self) -> None:
        """Groups of which nothing waits any more."""
        with self._lock:
            groups = {group: set(members) for group, members in self._members.items()}
        waiting = self._store.waiting_chunks(set().union(*groups.values()))
        with self._lock:
            for group, members in groups.items():
                if self._members.get(group) == members and not any(waiting[key] for key in members):
                    del self._members[group]


class Feeding:
    """All recordings that this gateway hands to the workers."""

    def __init__(self, store: Store, feeder: Feeder, library: Library, settings: Settings, claims: Claims) -> None:
        self._store = store
        self._feeder = feeder
        self._share = Share(store, feeder)
        self._library = library
        self._settings = settings
        self._claims = claims
        self._line: Line[_Feed] = Line()
        self._members: dict[str, Member[_Feed]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="feed")
        self._changed = asyncio.Event()
        self._serving: list[asyncio.Task[None]] = []

    def __contains__(self, acquisition_id: str) -> bool:
        return acquisition_id in self._members

    async def start(self, acquisition_id: str) -> None:
        """Begin with an acquisition whose file lies whole in the library, or go on where another process has left it.

        Raises
        ------
        AcquisitionNotFound
            If it is gone.
        """
        acquisition = await asyncio.to_thread(self._store.get, acquisition_id)
        if acquisition_id in self._members:
            return
        if not self._serving:
            self._serving = [asyncio.create_task(self._serve(), name=f"feed {place}") for place in range(_THREADS)]
        group = acquisition.batch_id or acquisition_id
        member = Member(group, acquisition.priority, _Feed(acquisition_id, fed=acquisition.chunks_received))
        self._members[acquisition_id] = member
        self._line.add(member)
        self._changed.set()

    def wake(self, acquisition_id: str) -> None:
        """Go on with one that was resumed."""
        if member := self._members.get(acquisition_id):
            member.work.is_woken = True
            member.rests_until_s = 0.0
            self._changed.set()

    async def stop(self, acquisition_id: str) -> None:
        """Hand nothing more of it on; when this returns, its file is no longer read."""
        member = self._members.get(acquisition_id)
        if member is None:
            return
        member.work.stop.set()
        if not member.is_busy:
            self._forget(member)
        await member.work.done.wait()

    async def shutdown(self) -> None:
        """Leave the rest to whoever comes next."""
        for member in self._members.values():
            member.work.stop.set()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    # -- turns

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            member = self._line.next(time.monotonic())
            if member is None:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S if self._members else None):
                        await self._changed.wait()
                continue
            outcome = await loop.run_in_executor(self._threads, self._turn, member)
            member.is_busy = False
            if outcome == "no room":
                self._line.rest(member.group, time.monotonic() + _POLL_S)
            elif outcome == "paused":
                member.rests_until_s = 0.0 if member.work.is_woken else time.monotonic() + _PAUSED_S
                member.work.is_woken = False
                member.is_open = False  # many that are paused must not hold up those that are not
            elif outcome in ("done", "stopped") or member.work.stop.is_set():
                self._forget(member)
            self._changed.set()

    def _forget(self, member: Member[_Feed]) -> None:
        self._line.remove(member)
        del self._members[member.work.acquisition_id]
        self._claims.release(feed_claim(member.work.acquisition_id))
        member.work.done.set()

    def _turn(self, member: Member[_Feed]) -> Outcome:
        """Blocks. Hand one chunk on, if there is room for it."""
        feed = member.work
        try:
            return self._hand_on(feed, member.group, member.priority)
        except AcquisitionNotFound:
            log.info("feeding stopped: failed, deleted or cancelled", acquisition=feed.acquisition_id)
        except (StoreUnavailable, *STORE_TROUBLE) as error:
            log.warning("feeding interrupted", acquisition=feed.acquisition_id, error=str(error))  # resumed by upkeep
        except CellstormError as error:
            self._fail(feed.acquisition_id, str(error))
        except Exception:  # the edge of a background task: else the acquisition would hang
            log.exception("feeding failed", acquisition=feed.acquisition_id)
            self._fail(feed.acquisition_id, _UNREADABLE)
        return "stopped"

    def _hand_on(self, feed: _Feed, group: str, priority: Priority) -> Outcome:
        acquisition = self._store.get(feed.acquisition_id)
        if acquisition.state in OVER or feed.stop.is_set():
            return "stopped"
        if acquisition.paused:
            feed.put_down(acquisition.chunks_received)
            return "paused"
        if self._share.is_full(group, feed.acquisition_id):
            return "no room"
        if feed.held is None and sum(member.work.held_bytes for member in list(self._members.values())) >= _HELD_BYTES:
            return "no room"
        chunk = feed.held or self._next_chunk(feed)
        if chunk is None:
            self._note_what_was_read(feed)
            self._store.transition(feed.acquisition_id, State.PROCESSING)
            return "done"
        feed.held = None if self._feeder.put_recorded(feed.acquisition_id, chunk, priority) else chunk
        return "handed on" if feed.held is None else "no room"

    def _next_chunk(self, feed: _Feed) -> Chunk | None:
        if feed.chunks is None:
            path = self._library.upload(feed.acquisition_id)
            frame_rate = self._store.get(feed.acquisition_id).settings.frame_rate
            name = self._known_source(feed).get("file", NAMELESS)
            feed.source = open_source(path, frame_rate=frame_rate, name=name)
            feed.chunks = self._after_what_is_fed(feed, feed.source.chunks())
        return next(feed.chunks, None)

    def _note_what_was_read(self, feed: _Feed) -> None:
        """What is known of a recording only when it was read to its end: which of its files are damaged."""
        assert feed.source is not None
        description = feed.source.description
        if description.notice:
            told = self._known_source(feed) | description.model_dump(mode="json", exclude_none=True)
            self._store.set_fields(feed.acquisition_id, source=json.dumps(told), notice=description.notice)

    def _known_source(self, feed: _Feed) -> dict[str, Any]:
        """What was noted when the file was taken."""
        known: dict[str, Any] = json.loads(self._store.field(feed.acquisition_id, "source") or "{}")
        return known

    def _after_what_is_fed(self, feed: _Feed, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Those that the store has not had yet.

        Raises
        ------
        InvalidVideo
            If it had them cut elsewhere, as an older version may have done it: frames would be lost, or counted twice.
        """
        fed, fed_frames = feed.fed, self._store.field(feed.acquisition_id, "next_frame")

        def is_fed(chunk: Chunk) -> bool:
            if chunk.header.number == fed - 1 and str(chunk.header.next_frame) != fed_frames:
                raise InvalidVideo(
                    "another version of this service began with the recording; try it again from its start"
                )
            return chunk.header.number < fed

        # A generator that rests would keep the chunk alive that it has handed on: dozens of files, each a large one.
        return dropwhile(is_fed, chunks)

    def _fail(self, acquisition_id: str, reason: str) -> None:
        """The file stays, so that it can be tried again."""
        log.warning("recording refused", acquisition=acquisition_id, error=reason)
        try:
            self._store.transition(acquisition_id, State.FAILED, error=reason)
            self._store.discard_pending(acquisition_id)
            self._store.expire_bulk(acquisition_id, self._settings.expire_after_s)
        except (CellstormError, *STORE_TROUBLE) as error:
            log.warning("failure not told", acquisition=acquisition_id, error=str(error))


def feed_claim(acquisition_id: str) -> str:
    """Held by the gateway that takes a recording in and hands it on."""
    return f"upload:{acquisition_id}"
