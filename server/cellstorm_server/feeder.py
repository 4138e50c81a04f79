"""Hands chunks to the store and asks for them to be localized; what the store has no room for waits on disk.

A live chunk is never refused: over the budget, or while Redis is away, it is spooled, and follows in its order when there
is room. A recording waits instead. What of a live one neither the spool nor Redis has (the disk was full, or Redis came back
older) is read back from the kept video, which gets every chunk first; numbers go on behind its last one. All calls block; the
gateway makes them in threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from cellstorm.acquisitions import Priority
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, CellstormError, InvalidChunk, StorageFull, StoreUnavailable
from cellstorm.settings import Settings
from cellstorm.store import STORE_TROUBLE, PutOutcome, Store
from cellstorm_server.kept_video import kept_chunks
from cellstorm_server.library import Library
from cellstorm_server.locks import Locks
from cellstorm_server.queueing import JobQueues
from cellstorm_server.recent_chunks import RecentChunks

log = structlog.get_logger()

_ROOM_CHECK_S: Final = 1.0
_REREAD_S: Final = 10.0
"""A kept video is read from its beginning each time, which takes long; so often at most."""

Position = tuple[int, int]
"""Number and first frame of a chunk that comes next."""


class Feeder:
    """One per gateway."""

    def __init__(self, store: Store, queues: JobQueues, library: Library, settings: Settings) -> None:
        self._store = store
        self._queues = queues
        self._library = library
        self._settings = settings
        self._locks = Locks(threading.Lock)
        self._kept_ends: dict[str, Position] = {}
        self._reread_at: dict[str, float] = {}
        self.recent = RecentChunks()
        self._has_room = True
        self._room_checked_at = 0.0
        self._workers = 0
        self._workers_counted_at = 0.0

    def put(self, acquisition_id: str, chunk: Chunk) -> None:
        """Take a live chunk that the kept video has: when this returns it is in the store or in the spool besides.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition has failed, or was deleted or cancelled.
        StorageFull
            If the chunk must wait and the disk has no room; the kept video alone has it then, and it follows from there.
        """
        with self._locks.of(acquisition_id):
            self._kept_ends[acquisition_id] = _after(chunk)
            if self.spooled(acquisition_id) or not self._offer(acquisition_id, chunk, live=True):
                self._spool(acquisition_id, chunk)

    def put_recorded(self, acquisition_id: str, chunk: Chunk, priority: Priority) -> bool:
        """Take a chunk of a recording if there is room; whether it was taken.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition has failed, or was deleted or cancelled.
        StoreUnavailable
            If the store has lost earlier chunks: read the recording from its beginning again.
        """
        return self._offer(acquisition_id, chunk, live=False, priority=priority)

    def workers(self) -> int:
        """How many there are, as of a second ago."""
        if time.monotonic() - self._workers_counted_at > _ROOM_CHECK_S:
            self._workers = self._queues.workers()
            self._workers_counted_at = time.monotonic()
        return self._workers

    def spooled(self, acquisition_id: str) -> list[Path]:
        """Chunks that wait on disk, oldest first."""
        return sorted(path for path in self._library.spool(acquisition_id).glob("*") if not path.suffix)

    def is_behind(self, acquisition_id: str) -> bool:
        """Whether chunks wait on disk, in the spool or in the kept video alone."""
        with self._locks.of(acquisition_id):
            received, _ = self._received(acquisition_id)
            return bool(self.spooled(acquisition_id)) or received < self._kept_end(acquisition_id)[0]

    def next_position(self, acquisition_id: str) -> Position:
        """Number and first frame of the chunk that comes next."""
        with self._locks.of(acquisition_id):
            return max(self._received(acquisition_id), self._kept_end(acquisition_id), self._spool_end(acquisition_id))

    def recover(self) -> None:
        """At start: see how far each kept video goes, and hand on what an earlier gateway did not hand on any more."""
        for acquisition_id in self._library.ids():
            with self._holding_up_no_other(acquisition_id), self._locks.of(acquisition_id):
                self._kept_end(acquisition_id)
        self.drain()

    def drain(self) -> None:
        """Move what waits on disk into the store, as far as there is room."""
        for acquisition_id in sorted({*self._library.ids(), *tuple(self._kept_ends)}):
            if acquisition_id in self._kept_ends or self.spooled(acquisition_id):
                with self._holding_up_no_other(acquisition_id):
                    self._reread(acquisition_id)
                    self._drain(acquisition_id)

    def drop(self, acquisition_id: str) -> None:
        """Nobody takes what waits on disk: the acquisition is over. The kept video has it, should it be tried again."""
        with self._locks.of(acquisition_id):
            self._kept_ends.pop(acquisition_id, None)
            shutil.rmtree(self._library.spool(acquisition_id), ignore_errors=True)
            with contextlib.suppress(AcquisitionNotFound):
                self._tell_spooled(acquisition_id)

    @contextlib.contextmanager
    def _holding_up_no_other(self, acquisition_id: str) -> Iterator[None]:
        try:
            yield
        except AcquisitionNotFound:
            self.drop(acquisition_id)
        except (CellstormError, *STORE_TROUBLE, OSError) as error:
            log.warning("chunks wait on", acquisition=acquisition_id, error=str(error))

    def _drain(self, acquisition_id: str) -> None:
        with self._locks.of(acquisition_id):
            for path in self.spooled(acquisition_id):
                chunk = _read_spooled(path)
                if chunk is not None:
                    if not self._offer(acquisition_id, chunk, live=True):
                        return
                    path.unlink()
                self._tell_spooled(acquisition_id)

    def _reread(self, acquisition_id: str) -> None:
        """Hand on what the kept video alone has; a phone may go on meanwhile, for the store takes chunks in their order."""
        first, stop = self._missing(acquisition_id)
        if first >= stop or time.monotonic() < self._reread_at.get(acquisition_id, 0.0):
            return
        for chunk in kept_chunks(self._library.parts(acquisition_id), first, stop):
            if not self._offer(acquisition_id, chunk, live=True):
                break
            first = chunk.header.number + 1
        else:
            if first < stop:
                log.error("the kept video lacks a chunk", acquisition=acquisition_id, number=first)
        self._reread_at[acquisition_id] = time.monotonic() + _REREAD_S

    def _missing(self, acquisition_id: str) -> tuple[int, int]:
        """The first chunk that Redis lacks, and the first behind it that the spool has, or nothing has."""
        with self._locks.of(acquisition_id):
            first, _ = self._received(acquisition_id)
            waiting = self.spooled(acquisition_id)
            return first, int(waiting[0].name) if waiting else self._kept_end(acquisition_id)[0]

    def _received(self, acquisition_id: str) -> Position:
        chunks = self._store.field(acquisition_id, "chunks_received")
        frames = self._store.field(acquisition_id, "next_frame")
        return int(chunks or 0), int(frames or 0)

    def _kept_end(self, acquisition_id: str) -> Position:
        """What comes behind the kept video, which is read for that once; (0, 0) where chunks do not come from one.

        An acquisition that was begun anew has its kept video still, and is fed from an upload.
        """
        parts = self._library.parts(acquisition_id)
        if not parts or self._library.upload(acquisition_id).exists():
            self._kept_ends.pop(acquisition_id, None)
            self._reread_at.pop(acquisition_id, None)
            return 0, 0
        if acquisition_id not in self._kept_ends:
            self._kept_ends[acquisition_id] = max(map(_after, kept_chunks(parts, 0)), default=(0, 0))
        return self._kept_ends[acquisition_id]

    def _spool_end(self, acquisition_id: str) -> Position:
        chunks = map(_read_spooled, reversed(self.spooled(acquisition_id)))
        return next((_after(chunk) for chunk in chunks if chunk is not None), (0, 0))

    def _offer(self, acquisition_id: str, chunk: Chunk, *, live: bool, priority: Priority = Priority.NORMAL) -> bool:
        """Whether the store has the chunk now, or had it before."""
        try:
            outcome = self._put(acquisition_id, chunk)
            if outcome == "stored":
                self.recent.keep(acquisition_id, chunk)
                self._queues.enqueue(acquisition_id, chunk.header.number, live=live, priority=priority)
        except STORE_TROUBLE as error:
            # The chunk may be in the store all the same; offering it again tells ("known").
            log.warning("store away", acquisition=acquisition_id, error=str(error))
            self._room_checked_at = 0.0
            return False
        if outcome == "gone":
            raise AcquisitionNotFound(
                f"acquisition {acquisition_id} has failed, or was deleted or cancelled, while it was receiving"
            )
        if outcome == "early" and not live:
            raise StoreUnavailable("Redis has lost chunks of this acquisition; they are read again")
        return outcome in ("stored", "known")

    def _put(self, acquisition_id: str, chunk: Chunk) -> PutOutcome:
        if not self._room_in_all():
            return "full"
        return self._store.put_chunk(acquisition_id, chunk, budget_bytes=self._settings.chunk_budget_bytes)

    def _room_in_all(self) -> bool:
        """Whether all waiting chunks together are within their budget, as of a second ago."""
        if time.monotonic() - self._room_checked_at > _ROOM_CHECK_S:
            waiting = self._store.waiting_bytes(self._store.ids())
            self._has_room = waiting < self._settings.total_chunk_budget_bytes
            self._room_checked_at = time.monotonic()
        return self._has_room

    def _spool(self, acquisition_id: str, chunk: Chunk) -> None:
        data = chunk.to_bytes()
        self._library.check_room(len(data))
        path = self._library.spool(acquisition_id) / f"{chunk.header.number:08d}"
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # else a power cut can leave the name without its content
            part.rename(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise StorageFull(f"frames cannot be kept ({error.strerror}); make room on the server's disk") from error
        self._tell_spooled(acquisition_id)

    def _tell_spooled(self, acquisition_id: str) -> None:
        try:
            self._store.set_fields(acquisition_id, spooled_chunks=len(self.spooled(acquisition_id)))
        except STORE_TROUBLE:
            return  # told with the next one; the files themselves are what counts


def _after(chunk: Chunk) -> Position:
    return chunk.header.number + 1, chunk.header.next_frame


def _read_spooled(path: Path) -> Chunk | None:
    """None where it is torn: it is set aside then, for the kept video has the chunk too."""
    try:
        return Chunk.from_bytes(path.read_bytes())
    except InvalidChunk as error:
        aside = path.with_suffix(".unreadable")
        log.error("spooled chunk set aside", file=str(aside), error=str(error))
        path.rename(aside)
        return None
