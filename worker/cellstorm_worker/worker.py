"""An RQ worker that runs the functions it was given, by their names, and nothing else of what a job says.

RQ imports whatever a job names: its function, its callbacks, its serializer's payload. Here RQ is a queue and no more.
A job is taken off Redis whole, its name is looked up in a table, and its arguments are JSON. No job is ever retried or
recorded as failed by RQ: the store knows which chunks are not done, and the gateway's reaper asks for them again.

Private seams of RQ 3.0, pinned by tests/integration/test_worker.py: which methods `BaseWorker.work` calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from redis import Redis
from redis.client import Pipeline
from rq import Queue, SimpleWorker
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker import WorkerStatus
from rq.worker_registration import register

from cellstorm.jobs import ALLOWED, LEASE_S, LIVE_QUEUE, QUEUES
from cellstorm.store import STORE_TROUBLE

JobFunction = Callable[[Mapping[str, object], Callable[[], None]], None]
"""Takes a job's keyword arguments and something to call about once a second while it works."""

_SILENT_S: Final = 600
"""A job that has given no sign of life for so long is ended."""
_HEARTBEAT_S: Final = 5
_REGISTERED_S: Final = 20
"""A worker that has not shown itself for so long is no longer listed."""
_LIVE_TURN_S: Final = LEASE_S / 3
"""So long live chunks may hold up a batch chunk, whose claim must not run out meanwhile."""
log = structlog.get_logger()


class NamedFunctionsWorker(SimpleWorker):
    """Serves the queue `live`, then those of recordings by their priority, in this process.

    It outlives a Redis that restarts. On SIGTERM it finishes the job at hand.
    """

    max_connection_wait_time = 2.0

    def __init__(self, functions: Mapping[str, JobFunction], connection: Redis) -> None:
        assert functions.keys() <= ALLOWED
        # RQ waits for jobs for 15 s less than `worker_ttl`, and shows itself whenever it begins to wait.
        super().__init__(
            list(QUEUES),
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=15 + _HEARTBEAT_S,
            log_job_description=False,
        )
        self._functions = functions

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Take the job off Redis, then do it. Whatever goes wrong, the next job is not concerned."""
        self.set_state(WorkerStatus.BUSY)
        try:
            self.connection.delete(job.key)
            self._perform(job, between=_nothing if queue.name == LIVE_QUEUE else self._serve_live)
        except STORE_TROUBLE as error:
            log.warning("redis went away during a job", job=job.id, error=str(error))
        except JobTimeoutException:
            log.error("job took too long", job=job.id)
        except Exception:  # the edge of the process: one bad job must not end it
            log.exception("job failed", job=job.id)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def _serve_live(self) -> None:
        """A recording's chunk may take many seconds: what comes live in the meantime is done in the midst of it."""
        until = time.monotonic() + _LIVE_TURN_S
        # Twice: of one queue alone RQ would keep a second list, which its own maintenance would have to clean.
        live = 2 * [queue for queue in self.queues if queue.name == LIVE_QUEUE]
        while time.monotonic() < until:
            waiting = self.queue_class.dequeue_any(
                live, None, connection=self.connection, job_class=self.job_class, serializer=self.serializer
            )
            if waiting is None:
                return
            self.execute_job(*waiting)

    def _perform(self, job: Job, between: Callable[[], None]) -> None:
        """`between` is called with each sign of life, when the job can be interrupted."""
        try:
            function = self._functions.get(job.func_name or "")
            plain = job.instance is None and not job.args
            arguments = job.kwargs
        except DeserializationError:
            function, plain, arguments = None, False, {}
        if function is None or not plain:
            log.warning("job refused: it is not one that workers do", job=job.id, queue=job.origin)
            return
        limit_s = min(job.timeout or _SILENT_S, _SILENT_S)
        penalty = self.death_penalty_class(limit_s, JobTimeoutException, job_id=job.id)

        def still_alive() -> None:
            # The limit is on silence, since a long chunk of large frames may well take longer.
            penalty.cancel_death_penalty()  # type: ignore[no-untyped-call]  # RQ is annotated in part
            between()
            self.set_state(WorkerStatus.BUSY)
            penalty.setup_death_penalty()  # type: ignore[no-untyped-call]  # RQ is annotated in part
            self.heartbeat()

        with penalty:
            function(arguments, still_alive)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Show that this worker lives; it is registered anew where Redis has forgotten it."""
        self.last_heartbeat = now()
        with suppress(*STORE_TROUBLE), self.connection.pipeline() as pipe:
            register(self, pipe)
            pipe.hset(self.key, mapping={**self.serialize(), "state": self.get_state()})
            pipe.expire(self.key, _REGISTERED_S)
            pipe.execute()

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """What the worker does; told with the next heartbeat."""
        self._state = state

    def register_death(self) -> None:
        """Leave the list of workers, if Redis is there to be told."""
        with suppress(*STORE_TROUBLE):
            super().register_death()  # type: ignore[no-untyped-call]  # RQ is annotated in part

    def set_shutdown_requested_date(self) -> None:
        """Not told to Redis: this runs in a signal handler, in the middle of whatever the worker does."""

    def check_for_suspension(self, burst: bool) -> None:
        """Workers are stopped by ending them."""

    def subscribe(self) -> None:
        """Workers take no commands over Redis."""

    def run_maintenance_tasks(self) -> None:
        """Left to the gateway's reaper; RQ's own would import the callbacks that abandoned jobs name."""


def _nothing() -> None:
    """Between a live job's signs of life."""
