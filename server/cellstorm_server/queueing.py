"""Puts jobs on the workers' queues: names and JSON, through RQ."""

from __future__ import annotations

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from cellstorm.jobs import BATCH_QUEUE, LIVE_QUEUE, LOCALIZE_CHUNK, QUEUES, LocalizeChunkJob


class JobQueues:
    """The queues `live` and `batch`. A job holds no data: what became of a chunk is told by the store alone."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}

    def enqueue(self, acquisition_id: str, chunk: int, *, live: bool) -> None:
        """Ask for a chunk to be localized. Asking twice does no harm: it is committed once."""
        job = LocalizeChunkJob(acquisition_id=acquisition_id, chunk=chunk)
        self._queues[LIVE_QUEUE if live else BATCH_QUEUE].enqueue_call(
            LOCALIZE_CHUNK,
            kwargs=job.model_dump(),
            description=job_name(acquisition_id, chunk),
            timeout=600,
            result_ttl=0,
            failure_ttl=600,
        )

    def waiting(self) -> set[str]:
        """Names (`job_name`) of the chunks that are asked for and that no worker has taken yet."""
        return {job.description for queue in self._queues.values() for job in queue.get_jobs() if job.description}


def job_name(acquisition_id: str, chunk: int) -> str:
    """What a waiting job is told by."""
    return f"{acquisition_id}/{chunk}"
