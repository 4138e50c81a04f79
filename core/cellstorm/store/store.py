"""The store: acquisitions, their waiting chunks and their localizations, in Redis.

A chunk is pending from the moment it is put until it is committed or given up; both happen once, whatever workers do:
a commit of a chunk that is not pending changes nothing. All calls block; the gateway makes them in threads.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from redis import Redis
from redis._parsers.base import BaseParser
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from cellstorm import localizations
from cellstorm.chunks import Chunk
from cellstorm.errors import StoreUnavailable
from cellstorm.localizations import Localizations
from cellstorm.roi import RegionOfInterest
from cellstorm.store import keys, reading, scripts
from cellstorm.store.acquisitions import Acquisitions

PutOutcome = Literal["stored", "known", "early", "full", "gone"]
CommitOutcome = Literal["committed", "duplicate", "conflict"]


_SHAPE: Final = struct.Struct("<2I")


class DiskTroubleError(ResponseError):
    """Redis cannot write its files (MISCONF), as when the disk is full, and takes no change."""


# A private seam of redis-py, which knows no class for this answer; pinned by tests/unit/core/test_store.py.
BaseParser.EXCEPTION_CLASSES["MISCONF"] = DiskTroubleError

STORE_TROUBLE: Final = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError, DiskTroubleError)
"""Redis is away, full, or handing over: what was asked of it helps when asked again later."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The localizations of one chunk, as committed. `position` orders commits and is where a follower goes on."""

    position: str
    chunk: int
    first_frame: int
    end_frame: int
    frame_count: int
    table: Localizations


@dataclass(frozen=True, slots=True)
class Widefield:
    """The sum of all processed frames.

    Attributes
    ----------
    counts
        (height, width) uint32 of the region of interest; None before the first commit.
    version
        Grows with each commit, so that two workers cannot overwrite each other's sum.
    maps
        The sum of all localization maps (cellstorm.maps.sum_of); None where the generator makes none.
    """

    counts: NDArray[np.uint32] | None
    version: int
    maps: NDArray[np.uint32] | None = None


class Store(Acquisitions):
    """Everything that gateways and workers share."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        super().__init__(redis, clock)
        self._put_chunk = redis.register_script(scripts.PUT_CHUNK)
        self._lease = redis.register_script(scripts.LEASE)
        self._commit = redis.register_script(scripts.COMMIT)

    @classmethod
    def connect(cls, url: str) -> Self:
        """Nothing is sent yet; `ping` tells whether anybody answers."""
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=3)
        return cls(
            Redis.from_url(url, socket_connect_timeout=3, socket_timeout=15, retry=retry, health_check_interval=15)
        )

    def ping(self) -> None:
        """Nothing.

        Raises
        ------
        StoreUnavailable
            If Redis does not answer.
        """
        try:
            self.redis.ping()
        except STORE_TROUBLE as error:
            raise StoreUnavailable(
                "Redis does not answer; is it running, and is CELLSTORM_REDIS_URL its address?"
            ) from error

    # -- chunks

    def put_chunk(self, acquisition_id: str, chunk: Chunk, *, budget_bytes: int) -> PutOutcome:
        """Store a chunk until a worker commits it. Only the next number is taken; one that is `known` is done already.

        `full`: over the budget. `gone`: it has failed, or was deleted or cancelled.
        """
        header, data = chunk.header, chunk.to_bytes()
        names = (keys.state, keys.pending, lambda i: keys.chunk(i, header.number), keys.events)
        outcome = self._put_chunk(
            keys=[name(acquisition_id) for name in names],
            args=[
                header.number,
                len(data),
                header.frame_count,
                header.lost,
                header.damaged,
                header.next_frame,
                budget_bytes,
                self._now(),
                data,
                header.first_frame,
            ],
        )
        return cast(PutOutcome, reading.text(outcome))

    def get_chunk(self, acquisition_id: str, number: int) -> Chunk | None:
        """A pending chunk; None when it is no longer there."""
        data = cast("bytes | None", self.redis.get(keys.chunk(acquisition_id, number)))
        return None if data is None else Chunk.from_bytes(data)

    def overdue(self, before: float) -> dict[str, list[int]]:
        """Acquisitions and their pending chunks that nobody has claimed since `before` (Unix time)."""
        ids = self.ids()
        with self.redis.pipeline(transaction=False) as pipe:
            for acquisition_id in ids:
                pipe.zrangebyscore(keys.pending(acquisition_id), "-inf", before)
            numbers = cast("list[list[bytes]]", pipe.execute())
        return {key: [int(number) for number in found] for key, found in zip(ids, numbers, strict=True) if found}

    def postpone(self, acquisition_id: str, numbers: Iterable[int], until: float) -> None:
        """Ask only then what became of these chunks; those committed meanwhile, or claimed for longer, stay as they are."""
        scores = dict.fromkeys(map(str, numbers), until)
        self.redis.zadd(keys.pending(acquisition_id), scores, xx=True, gt=True)

    def discard_pending(self, acquisition_id: str) -> None:
        """Drop all chunks that wait: the acquisition has failed and nobody will localize them."""
        chunks = [keys.chunk(acquisition_id, number) for number in self.pending(acquisition_id)]
        self.redis.delete(keys.pending(acquisition_id), keys.attempts(acquisition_id), *chunks)
        self._set(acquisition_id, {"waiting_chunk_bytes": 0})

    def waiting_bytes(self, acquisition_ids: Iterable[str]) -> int:
        """Size of all chunks that wait in Redis."""
        with self.redis.pipeline(transaction=False) as pipe:
            for acquisition_id in acquisition_ids:
                pipe.hget(keys.state(acquisition_id), "waiting_chunk_bytes")
            return sum(int(value or 0) for value in pipe.execute())

    def waiting_chunks(self, acquisition_ids: Iterable[str]) -> dict[str, int]:
        """How many chunks of each are stored and not committed; none of those that are paused."""
        ids = list(acquisition_ids)
        with self.redis.pipeline(transaction=False) as pipe:
            for acquisition_id in ids:
                pipe.zcard(keys.pending(acquisition_id))
                pipe.hget(keys.state(acquisition_id), "paused_at")
            answers = pipe.execute()
        return {
            key: 0 if paused else count for key, count, paused in zip(ids, answers[::2], answers[1::2], strict=True)
        }

    def lease(self, acquisition_id: str, number: int, seconds: float, *, begin: bool) -> int | None:
        """Claim a pending chunk for a while; how many workers have begun on it.

        None when it is not to be worked on: it is not pending, or the acquisition is paused, cancelled or has failed.
        """
        now = self._now()
        names = (keys.state, keys.pending, keys.attempts, keys.progress)
        attempts = self._lease(
            keys=[name(acquisition_id) for name in names], args=[number, now + seconds, int(begin), now]
        )
        return None if int(attempts) < 0 else int(attempts)

    def commit(
        self,
        acquisition_id: str,
        chunk: Chunk,
        table: Localizations,
        *,
        frame_count: int,
        widefield: Widefield | None,
        left_out: int = 0,
    ) -> CommitOutcome:
        """Append a chunk's localizations, once.

        `frame_count` frames were processed, `left_out` were not asked for, the chunk's others are damaged. `widefield` holds
        the new sum and the version of the one it was computed from (None: unchanged); "conflict" means that another chunk
        was committed in between.
        """
        header = chunk.header
        version = int(self.field(acquisition_id, "widefield_version") or 0) if widefield is None else widefield.version
        counts, maps = (None, None) if widefield is None else (widefield.counts, widefield.maps)
        outcome = self._commit(
            keys=[
                keys.state(acquisition_id),
                keys.pending(acquisition_id),
                keys.attempts(acquisition_id),
                keys.chunk(acquisition_id, header.number),
                keys.commits(acquisition_id),
                keys.widefield(acquisition_id),
                keys.events(acquisition_id),
                keys.progress(acquisition_id),
                keys.maps(acquisition_id),
            ],
            args=[
                header.number,
                header.first_frame,
                header.first_frame + header.frame_count,
                frame_count,
                header.frame_count - frame_count - left_out,
                len(table),
                self._now(),
                header.received_at_s,
                version,
                b"" if counts is None else _pack_counts(counts),
                localizations.to_bytes(table),
                left_out,
                b"" if maps is None else _SHAPE.pack(*maps.shape) + _pack_counts(maps),
            ],
        )
        return cast(CommitOutcome, reading.text(outcome))

    def give_up(self, acquisition_id: str, chunk: Chunk, reason: str) -> None:
        """A chunk that cannot be localized: its frames count as damaged, and the reason is shown."""
        while self.commit(acquisition_id, chunk, localizations.empty(), frame_count=0, widefield=None) == "conflict":
            pass
        self._set(acquisition_id, {"error": reason})

    # -- localizations and images

    def commits_after(self, acquisition_id: str, position: str = "0", *, limit: int = 200) -> list[Commit]:
        """Commits behind `position` ("0": from the first on), in the order of their coming."""
        raw = self.redis.xrange(keys.commits(acquisition_id), f"({position}", "+", count=limit)
        return [_commit(entry_id, fields) for entry_id, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", raw)]

    def localizations(self, acquisition_id: str) -> Localizations:
        """All of them, by chunk: whatever the order in which chunks were committed, the table is the same."""
        commits: list[Commit] = []
        while batch := self.commits_after(acquisition_id, commits[-1].position if commits else "0"):
            commits.extend(batch)
        return localizations.concatenate(commit.table for commit in sorted(commits, key=lambda commit: commit.chunk))

    def first_and_newest(self, acquisition_id: str, commits: int = 4) -> tuple[Localizations, Localizations]:
        """What was found in the frames of the first commits, and in those of the newest."""
        first = self.commits_after(acquisition_id, limit=commits)
        raw = self.redis.xrevrange(keys.commits(acquisition_id), count=commits)
        newest = [_commit(entry_id, fields) for entry_id, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", raw)]
        return (
            localizations.concatenate(commit.table for commit in first),
            localizations.concatenate(commit.table for commit in reversed(newest)),
        )

    def widefield(self, acquisition_id: str) -> Widefield:
        """The sum of all processed frames, with its version."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.widefield(acquisition_id))
            pipe.get(keys.maps(acquisition_id))
            pipe.hmget(keys.state(acquisition_id), "widefield_version", "roi")
            data, packed_maps, (version, roi) = pipe.execute()
        if data is None or roi is None:
            return Widefield(None, int(version or 0))
        region = RegionOfInterest.parse(roi.decode())
        counts = np.frombuffer(zlib.decompress(data), "<u4").reshape(region.height, region.width)
        return Widefield(counts, int(version or 0), None if packed_maps is None else _unpack_maps(packed_maps))

    def last_event(self, acquisition_id: str) -> str:
        """Position of the newest event; "0" before the first."""
        raw = cast("list[tuple[bytes, object]]", self.redis.xrevrange(keys.events(acquisition_id), count=1))
        return raw[0][0].decode() if raw else "0"

    # -- locks

    def try_lock(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew the right to do a thing for all; whoever holds it may go on."""
        key = keys.lock(name)
        if self.redis.set(key, holder, nx=True, px=int(seconds * 1000)):
            return True
        if cast("bytes | None", self.redis.get(key)) != holder.encode():
            return False
        self.redis.pexpire(key, int(seconds * 1000))
        return True


def _pack_counts(counts: NDArray[np.uint32]) -> bytes:
    return zlib.compress(np.ascontiguousarray(counts, "<u4").tobytes(), level=1)


def _unpack_maps(data: bytes) -> NDArray[np.uint32]:
    shape = _SHAPE.unpack_from(data)
    return np.frombuffer(zlib.decompress(data[_SHAPE.size :]), "<u4").reshape(shape)


def _commit(entry_id: bytes, fields: dict[bytes, bytes]) -> Commit:
    return Commit(
        position=entry_id.decode(),
        chunk=int(fields[b"chunk"]),
        first_frame=int(fields[b"first_frame"]),
        end_frame=int(fields[b"end_frame"]),
        frame_count=int(fields[b"frames"]),
        table=localizations.from_bytes(fields[b"rows"]),
    )
