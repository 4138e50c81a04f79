"""Hands chunks to the store and asks for them to be localized; what the store has no room for waits on disk.

A live chunk is never refused: over the budget, or while Redis is away, it is spooled, and follows in its order when there
is room. A recording waits instead. All calls block; the gateway makes them in threads.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog

from cellstorm.acquisitions import Priority
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, StorageFull, StoreUnavailable
from cellstorm.settings import Settings
from cellstorm.store import STORE_TROUBLE, PutOutcome, Store
from cellstorm_server.kept_video import kept_chunks
from cellstorm_server.library import Library
from cellstorm_server.locks import Locks
from cellstorm_server.queueing import JobQueues
from cellstorm_server.recent_chunks import RecentChunks

log = structlog.get_logger()

_ROOM_CHECK_S = 1.0


class Feeder:
    """One per gateway."""

    def __init__(self, store: Store, queues: JobQueues, library: Library, settings: Settings) -> None:
        self._store = store
        self._queues = queues
        self._library = library
        self._settings = settings
        self._locks = Locks(threading.Lock)
        self.recent = RecentChunks()
        self._has_room = True
        self._room_checked_at = 0.0
        self._workers = 0
        self._workers_counted_at = 0.0

    def put(self, acquisition_id: str, chunk: Chunk) -> None:
        """Take a live chunk, for good: when this returns it is in the store or on disk.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition was deleted.
        StorageFull
            If the chunk must wait and the disk has no room.
        """
        with self._locks.of(acquisition_id):
            if self.spooled(acquisition_id) or not self._offer(acquisition_id, chunk, live=True):
                self._spool(acquisition_id, chunk)

    def put_recorded(self, acquisition_id: str, chunk: Chunk, priority: Priority) -> bool:
        """Take a chunk of a recording if there is room; whether it was taken.

        Raises
        ------
        AcquisitionNotFound
            If the acquisition was deleted or cancelled.
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
        return sorted(path for path in self._library.spool(acquisition_id).glob("*") if path.suffix != ".part")

    def next_position(self, acquisition_id: str) -> tuple[int, int]:
        """Number and first frame of the chunk that comes next."""
        with self._locks.of(acquisition_id):
            if waiting := self.spooled(acquisition_id):
                header = Chunk.from_bytes(waiting[-1].read_bytes()).header
                return header.number + 1, header.next_frame
            chunks = self._store.field(acquisition_id, "chunks_received")
            frames = self._store.field(acquisition_id, "next_frame")
            return int(chunks or 0), int(frames or 0)

    def recover(self) -> None:
        """At start: hand on what an earlier gateway had written to the kept video and not handed on any more."""
        for acquisition_id in self._library.ids():
            if parts := self._library.parts(acquisition_id):
                try:
                    first, _ = self.next_position(acquisition_id)
                    for chunk in kept_chunks(parts, first):
                        self.put(acquisition_id, chunk)
                except AcquisitionNotFound:
                    continue

    def drain(self) -> None:
        """Move what waits on disk into the store, as far as there is room."""
        for acquisition_id in self._library.ids():
            if self.spooled(acquisition_id):
                try:
                    self._drain(acquisition_id)
                except AcquisitionNotFound:
                    continue

    def _drain(self, acquisition_id: str) -> None:
        with self._locks.of(acquisition_id):
            for path in self.spooled(acquisition_id):
                if not self._offer(acquisition_id, Chunk.from_bytes(path.read_bytes()), live=True):
                    return
                path.unlink()
                self._tell_spooled(acquisition_id)

    def _offer(self, acquisition_id: str, chunk: Chunk, *, live: bool, priority: Priority = Priority.NORMAL) -> bool:
        """Whether the store has the chunk now, or had it before."""
        try:
            outcome = self._put(acquisition_id, chunk)
            if outcome == "early" and live:
                self._put_lost(acquisition_id, chunk.header.number)
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
            raise AcquisitionNotFound(f"acquisition {acquisition_id} was deleted or cancelled while it was receiving")
        if outcome == "early":
            raise StoreUnavailable("Redis has lost chunks of this acquisition; they are read again")
        return outcome != "full"

    def _put_lost(self, acquisition_id: str, stop: int) -> None:
        """Redis came back with an older state: what it has lost is still in the kept video."""
        first = int(self._store.field(acquisition_id, "chunks_received") or 0)
        for chunk in kept_chunks(self._library.parts(acquisition_id), first, stop):
            if self._put(acquisition_id, chunk) != "stored":
                return
            self._queues.enqueue(acquisition_id, chunk.header.number, live=True)

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
            part.write_bytes(data)
            part.rename(path)
        except OSError as error:
            raise StorageFull(f"frames cannot be kept ({error.strerror}); make room on the server's disk") from error
        self._tell_spooled(acquisition_id)

    def _tell_spooled(self, acquisition_id: str) -> None:
        try:
            self._store.set_fields(acquisition_id, spooled_chunks=len(self.spooled(acquisition_id)))
        except STORE_TROUBLE:
            return  # told with the next one; the files themselves are what counts
