"""The store: acquisitions, their waiting chunks and their localizations, in Redis.

A chunk is pending from the moment it is put until it is committed or given up; both happen once, whatever workers do:
a commit of a chunk that is not pending changes nothing. All calls block; the gateway makes them in threads.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State, check_transition
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, StoreUnavailable
from cellstorm.localizations import Localizations
from cellstorm.roi import RegionOfInterest
from cellstorm.store import keys, scripts

PutOutcome = Literal["stored", "known", "early", "full", "gone"]
CommitOutcome = Literal["committed", "duplicate", "conflict"]


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
    """

    counts: NDArray[np.uint32] | None
    version: int


class Store:
    """Everything that gateways and workers share."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self.redis = redis
        self._now = clock
        self._put_chunk = redis.register_script(scripts.PUT_CHUNK)
        self._lease = redis.register_script(scripts.LEASE)
        self._commit = redis.register_script(scripts.COMMIT)
        self._set_fields = redis.register_script(scripts.SET_FIELDS)

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

    # -- acquisitions

    def create(self, acquisition_id: str, settings: AcquisitionSettings, *, owner: str, token_digest: str) -> None:
        """A new acquisition, waiting. `owner` is the gateway that keeps its files."""
        created_at = self._now()
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hset(
                keys.state(acquisition_id),
                mapping={
                    "settings": settings.model_dump_json(),
                    "state": State.WAITING.value,
                    "created_at": created_at,
                    "owner": owner,
                    "token_digest": token_digest,
                },
            )
            pipe.zadd(keys.ACQUISITIONS, {acquisition_id: created_at})
            pipe.execute()

    def ids(self) -> list[str]:
        """Newest first."""
        return [key.decode() for key in cast("list[bytes]", self.redis.zrevrange(keys.ACQUISITIONS, 0, -1))]

    def get(self, acquisition_id: str) -> Acquisition:
        """Its present state.

        Raises
        ------
        AcquisitionNotFound
            If there is none of that id.
        """
        return _acquisition(acquisition_id, self._fields(acquisition_id), self._now())

    def field(self, acquisition_id: str, name: str) -> str | None:
        """One field of the state that is not part of `Acquisition`; None where it is not set."""
        value = cast("bytes | None", self.redis.hget(keys.state(acquisition_id), name))
        return None if value is None else value.decode()

    def delete(self, acquisition_id: str) -> None:
        """Remove it and all that belongs to it."""
        numbers = self.pending(acquisition_id)
        self.redis.zrem(keys.ACQUISITIONS, acquisition_id)
        self.redis.delete(
            keys.state(acquisition_id), *keys.bulk(acquisition_id), *(keys.chunk(acquisition_id, n) for n in numbers)
        )

    def expire_bulk(self, acquisition_id: str, seconds: int) -> None:
        """Let what the archive holds leave Redis after so long; the counters stay."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys.bulk(acquisition_id):
                pipe.expire(key, seconds)
            pipe.execute()

    def transition(self, acquisition_id: str, state: State, *, error: str | None = None) -> None:
        """Change the state, if it may.

        Raises
        ------
        WrongState
            If `state` may not follow the present one.
        """
        while True:
            old = self.get(acquisition_id).state
            check_transition(old, state)
            values = {"state": state.value} | ({} if error is None else {"error": error})
            if self._set(acquisition_id, values, required=old) is None:
                return

    def set_frame_size(self, acquisition_id: str, width: int, height: int, roi: RegionOfInterest) -> None:
        """What the first frame has shown."""
        self._set(acquisition_id, {"frame_width": width, "frame_height": height, "roi": str(roi)})

    def set_fields(self, acquisition_id: str, **values: str | int | float) -> None:
        """Further facts, by their field names."""
        self._set(acquisition_id, values)

    # -- chunks

    def put_chunk(self, acquisition_id: str, chunk: Chunk, *, budget_bytes: int) -> PutOutcome:
        """Store a chunk until a worker commits it. Only the next number is taken; one that is `known` is done already."""
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
            ],
        )
        return cast(PutOutcome, _text(outcome))

    def get_chunk(self, acquisition_id: str, number: int) -> Chunk | None:
        """A pending chunk; None when it is no longer there."""
        data = cast("bytes | None", self.redis.get(keys.chunk(acquisition_id, number)))
        return None if data is None else Chunk.from_bytes(data)

    def pending(self, acquisition_id: str) -> dict[int, float]:
        """Number of each chunk that is not committed, and the Unix time from which nobody claims it any more."""
        rows = cast(
            "list[tuple[bytes, float]]", self.redis.zrange(keys.pending(acquisition_id), 0, -1, withscores=True)
        )
        return {int(number): until for number, until in rows}

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

    def lease(self, acquisition_id: str, number: int, seconds: float, *, begin: bool) -> int | None:
        """Claim a pending chunk for a while; None when it is not pending, else how many workers have begun on it."""
        attempts = self._lease(
            keys=[keys.pending(acquisition_id), keys.attempts(acquisition_id)],
            args=[number, self._now() + seconds, int(begin)],
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
    ) -> CommitOutcome:
        """Append a chunk's localizations, once.

        `frame_count` frames were processed, the chunk's others are damaged. `widefield` holds the new sum and the version
        of the one it was computed from (None: unchanged); "conflict" means that another chunk was committed in between.
        """
        header = chunk.header
        version = int(self.field(acquisition_id, "widefield_version") or 0) if widefield is None else widefield.version
        counts = None if widefield is None else widefield.counts
        outcome = self._commit(
            keys=[
                keys.state(acquisition_id),
                keys.pending(acquisition_id),
                keys.attempts(acquisition_id),
                keys.chunk(acquisition_id, header.number),
                keys.commits(acquisition_id),
                keys.widefield(acquisition_id),
                keys.events(acquisition_id),
            ],
            args=[
                header.number,
                header.first_frame,
                header.first_frame + header.frame_count,
                frame_count,
                header.frame_count - frame_count,
                len(table),
                self._now(),
                header.received_at_s,
                version,
                b"" if counts is None else _pack_counts(counts),
                localizations.to_bytes(table),
            ],
        )
        return cast(CommitOutcome, _text(outcome))

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

    def widefield(self, acquisition_id: str) -> Widefield:
        """The sum of all processed frames, with its version."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.widefield(acquisition_id))
            pipe.hmget(keys.state(acquisition_id), "widefield_version", "roi")
            data, (version, roi) = pipe.execute()
        if data is None or roi is None:
            return Widefield(None, int(version or 0))
        region = RegionOfInterest.parse(roi.decode())
        counts = np.frombuffer(zlib.decompress(data), "<u4").reshape(region.height, region.width)
        return Widefield(counts, int(version or 0))

    def events_after(self, acquisition_id: str, position: str) -> list[str]:
        """Positions of events behind `position` ("$" would be now: use `last_event`)."""
        raw = self.redis.xrange(keys.events(acquisition_id), f"({position}", "+", count=1000)
        return [entry_id.decode() for entry_id, _ in cast("list[tuple[bytes, object]]", raw)]

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

    # -- details

    def _fields(self, acquisition_id: str) -> dict[str, str]:
        raw = cast("dict[bytes, bytes]", self.redis.hgetall(keys.state(acquisition_id)))
        if b"settings" not in raw:
            raise AcquisitionNotFound(f"there is no acquisition {acquisition_id}; it may have been deleted")
        return {name.decode(): value.decode() for name, value in raw.items()}

    def _set(
        self, acquisition_id: str, values: Mapping[str, str | int | float], required: State | None = None
    ) -> str | None:
        """None when done, else the state that was there in place of the required one."""
        flat = [part for pair in values.items() for part in pair]
        outcome = _text(
            self._set_fields(
                keys=[keys.state(acquisition_id), keys.events(acquisition_id)],
                args=["" if required is None else required.value, *flat],
            )
        )
        if outcome == "gone":
            raise AcquisitionNotFound(f"there is no acquisition {acquisition_id}; it may have been deleted")
        return None if outcome == "set" else outcome


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _pack_counts(counts: NDArray[np.uint32]) -> bytes:
    return zlib.compress(np.ascontiguousarray(counts, "<u4").tobytes(), level=1)


def _commit(entry_id: bytes, fields: dict[bytes, bytes]) -> Commit:
    return Commit(
        position=entry_id.decode(),
        chunk=int(fields[b"chunk"]),
        first_frame=int(fields[b"first_frame"]),
        end_frame=int(fields[b"end_frame"]),
        frame_count=int(fields[b"frames"]),
        table=localizations.from_bytes(fields[b"rows"]),
    )


def _acquisition(acquisition_id: str, fields: dict[str, str], now: float) -> Acquisition:
    def count(name: str) -> int:
        return int(fields.get(name, 0))

    def number(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    state = State(fields["state"])
    newest = float(fields.get("newest_received_at", 0))
    busy = state in (State.RECEIVING, State.PROCESSING) and newest > 0
    fps = float(fields.get("fps", 0)) or None
    expected = number("frames_expected")
    left = None if expected is None else max(0, expected - count("frames_processed") - count("frames_damaged"))
    return Acquisition(
        id=acquisition_id,
        settings=AcquisitionSettings.model_validate_json(fields["settings"]),
        state=state,
        created_at=datetime.fromtimestamp(float(fields["created_at"]), UTC),
        frame_width=number("frame_width"),
        frame_height=number("frame_height"),
        roi=RegionOfInterest.parse(fields["roi"]) if "roi" in fields else None,
        frames_expected=expected,
        frames_received=count("frames_received"),
        frames_lost=count("frames_lost"),
        frames_damaged=count("frames_damaged"),
        frames_processed=count("frames_processed"),
        localizations=count("localizations"),
        chunks_received=count("chunks_received"),
        chunks_processed=count("chunks_processed"),
        waiting_chunk_bytes=count("waiting_chunk_bytes"),
        spooled_chunks=count("spooled_chunks"),
        lag_s=round(now - newest, 3) if busy else None,
        fps=fps,
        eta_s=round(left / fps, 1) if state is not State.FINISHED and left and fps else None,
        resolution_nm=float(fields["resolution_nm"]) if "resolution_nm" in fields else None,
        error=fields.get("error") or None,
    )
