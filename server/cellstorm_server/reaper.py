"""Asks again for chunks that nobody works on: their worker was killed, or their job was lost with a queue.

A chunk is pending in the store until it is committed. While a worker has it, the worker renews its claim; one that
nobody has claimed for a while is either still in a queue, where it is left, or lost, and is put there again. Asking once
too often does no harm. Of all gateways one does this at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from cellstorm.acquisitions import State
from cellstorm.errors import AcquisitionNotFound
from cellstorm.jobs import LEASE_S
from cellstorm.store import Store
from cellstorm_server.queueing import JobQueues, job_name

GRACE_S: Final = 1.0
"""Between a claim's end, or the moment in which a chunk is stored, and the question what became of it."""
_LOCK_S: Final = 3.0
_HOUSEKEEPING_S: Final = 5.0
log = structlog.get_logger()


class Reaper:
    """One gateway's; `holder` names the gateway among others. What has failed leaves Redis after `expire_after_s`."""

    def __init__(
        self,
        store: Store,
        queues: JobQueues,
        holder: str,
        expire_after_s: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._queues = queues
        self._holder = holder
        self._expire_after_s = expire_after_s
        self._clock = clock  # for pauses: the other one may be set back
        self._tidied_at = float("-inf")

    def sweep(self, now: float) -> int:
        """Ask again for what is lost at Unix time `now`; how many chunks that were. To be called about once a second."""
        if not self._store.try_lock("reaper", self._holder, _LOCK_S):
            return 0
        if self._clock() - self._tidied_at > _HOUSEKEEPING_S:
            self._tidied_at = self._clock()
            self._queues.forget_dead_workers()
        overdue = self._store.overdue(now - GRACE_S)
        if not overdue:
            return 0
        waiting = self._queues.waiting()
        return sum(self._recover(key, numbers, waiting, now) for key, numbers in overdue.items())

    def _recover(self, acquisition_id: str, numbers: list[int], waiting: set[str], now: float) -> int:
        try:
            acquisition = self._store.get(acquisition_id)
            if acquisition.state is State.FAILED:
                self._queues.withdraw(acquisition_id, numbers)
                # Before its chunks go: they are what it is found by, should this end in between.
                self._store.expire_bulk(acquisition_id, self._expire_after_s)
                self._store.discard_pending(acquisition_id)
                return 0
        except AcquisitionNotFound:  # deleted since the chunks were looked up
            return 0
        live = self._store.field(acquisition_id, "live") == "1"
        lost = [number for number in numbers if job_name(acquisition_id, number) not in waiting]
        # First, so that a worker which begins at once has the last word on when to ask.
        self._store.postpone(acquisition_id, numbers, now + LEASE_S)
        if acquisition.paused:  # asked for when it is resumed
            return 0
        for number in lost:
            self._queues.enqueue(acquisition_id, number, live=live, priority=acquisition.priority)
        if lost:
            log.warning("chunks asked for again", acquisition=acquisition_id, chunks=lost)
        return len(lost)
