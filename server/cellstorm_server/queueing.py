"""Puts jobs on the workers' queues: names and JSON, through RQ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker_registration import clean_worker_registry

from cellstorm.acquisitions import Priority
from cellstorm.jobs import BATCH_QUEUES, LIVE_QUEUE, LOCALIZE_CHUNK, QUEUES, LocalizeChunkJob

_KEPT_S: Final = 24 * 3600
"""A job that no worker has taken for so long leaves Redis; the reaper asks again for what is not done by then."""
_WORKERS_KEY: Final = "rq:workers"
"""RQ's set of all workers' names."""
_NEWEST_FIRST: Final = """
-- KEYS queue; ARGV what the names of an acquisition's jobs begin with
-- Its jobs keep their places among those of others, and change them among themselves.
local places, numbers = {}, {}
for place, name in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local number = string.sub(name, 1, #ARGV[1]) == ARGV[1] and string.match(string.sub(name, #ARGV[1] + 1), '^%d+$')
  if number then
    table.insert(places, place - 1)
    table.insert(numbers, tonumber(number))
  end
end
table.sort(numbers, function(a, b) return a > b end)
for n, place in ipairs(places) do redis.call('LSET', KEYS[1], place, ARGV[1] .. string.format('%d', numbers[n])) end
"""


class JobQueues:
    """The queue `live` and those of recordings. A job holds no data: what became of a chunk is told by the store alone.

    Live acquisitions take turns. Where workers cannot keep up, each one's newest chunk comes first: a live image shows what is
    filmed now, and what was left follows when there is time.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues = {name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}
        self._newest_first = redis.register_script(_NEWEST_FIRST)

    def enqueue(self, acquisition_id: str, chunk: int, *, live: bool, priority: Priority = Priority.NORMAL) -> None:
        """Ask for a chunk to be localized. Asking twice does no harm: it is committed once."""
        job = LocalizeChunkJob(acquisition_id=acquisition_id, chunk=chunk)
        queue = self._queues[LIVE_QUEUE if live else BATCH_QUEUES[priority]]
        queue.enqueue_call(
            LOCALIZE_CHUNK,
            kwargs=job.model_dump(),
            job_id=job_name(acquisition_id, chunk),
            description="",
            timeout=600,
            ttl=_KEPT_S,
        )
        if live:
            self._newest_first(keys=[queue.key], args=[_prefix(acquisition_id)])

    def withdraw(self, acquisition_id: str, chunks: Iterable[int]) -> None:
        """No longer ask for these; what a worker has taken already, it is told by the store."""
        names = [job_name(acquisition_id, chunk) for chunk in chunks]
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                for queue in self._queues.values():
                    pipe.lrem(queue.key, 0, name)
                pipe.delete(f"rq:job:{name}")
            pipe.execute()

    def waiting(self) -> set[str]:
        """Names (`job_name`) of the chunks that are asked for and that no worker has taken yet."""
        return {name for queue in self._queues.values() for name in queue.get_job_ids()}

    def workers(self) -> int:
        """How many there are."""
        return int(self._redis.scard(_WORKERS_KEY))

    def forget_dead_workers(self) -> None:
        """Take workers that were killed off RQ's lists; they have stopped showing themselves."""
        for queue in self._queues.values():
            clean_worker_registry(queue)


def job_name(acquisition_id: str, chunk: int) -> str:
    """What a waiting job is told by: RQ's id of it."""
    return f"{_prefix(acquisition_id)}{chunk}"


def _prefix(acquisition_id: str) -> str:
    return f"{acquisition_id}_"
