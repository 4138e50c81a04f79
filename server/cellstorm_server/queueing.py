"""Puts jobs on the workers' queues: names and JSON, through RQ."""

from __future__ import annotations

from typing import Final

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import clean_worker_registry

from cellstorm.jobs import BATCH_QUEUE, LIVE_QUEUE, LOCALIZE_CHUNK, QUEUES, LocalizeChunkJob

_KEPT_S: Final = 24 * 3600
"""A job that no worker has taken for so long leaves Redis; the reaper asks again for what is not done by then."""


class JobQueues:
    """The queues `live` and `batch`. A job holds no data: what became of a chunk is told by the store alone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}

    def enqueue(self, acquisition_id: str, chunk: int, *, live: bool) -> None:
        """Ask for a chunk to be localized. Asking twice does no harm: it is committed once."""
        job = LocalizeChunkJob(acquisition_id=acquisition_id, chunk=chunk)
        self._queues[LIVE_QUEUE if live else BATCH_QUEUE].enqueue_call(
            LOCALIZE_CHUNK,
            kwargs=job.model_dump(),
            description=job_name(acquisition_id, chunk),
            timeout=600,
            ttl=_KEPT_S,
        )

    def waiting(self) -> set[str]:
        """Names (`job_name`) of the chunks that are asked for and that no worker has taken yet."""
        ids = [job_id for queue in self._queues.values() for job_id in queue.get_job_ids()]
        jobs = Job.fetch_many(ids, connection=self._redis, serializer=JSONSerializer)
        return {job.description for job in jobs if job is not None and job.description}

    def forget_dead_workers(self) -> None:
        """Take workers that were killed off RQ's lists; they have stopped showing themselves."""
        for queue in self._queues.values():
            clean_worker_registry(queue)


def job_name(acquisition_id: str, chunk: int) -> str:
    """What a waiting job is told by."""
    return f"{acquisition_id}/{chunk}"
