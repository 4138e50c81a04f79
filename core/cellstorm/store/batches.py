"""Batches in Redis: a name, settings and the ids of acquisitions. All figures are told from the acquisitions themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from cellstorm.acquisitions import OVER, Acquisition, AcquisitionSettings, Priority, State
from cellstorm.batches import MAX_BATCH, Batch, BatchDetail, BatchMember, NewBatch
from cellstorm.errors import BatchNotFound, TooLarge
from cellstorm.pace import Pace, Pause, merged
from cellstorm.store import keys, reading
from cellstorm.store.store import Store
from cellstorm.store.tokens import TokenLists

_SUMS: Final = ("frames_received", "frames_lost", "frames_damaged", "frames_processed", "localizations")


@dataclass(frozen=True, slots=True)
class _Member:
    """An acquisition with what its pace is told from."""

    acquisition: Acquisition
    fields: Mapping[str, str]
    progress: Sequence[bytes]


class Batches:
    """All batches. Everything here blocks."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._redis = store.redis
        self._now = clock
        self._tokens = TokenLists(store.redis, keys.batch, keys.batch_token)

    def create(self, batch_id: str, new: NewBatch, *, session: str) -> None:
        """A new batch, empty; again is no error. `session` is the browser's that it belongs to, or empty."""
        facts = {
            "name": new.name,
            "settings": new.settings.model_dump_json(),
            "priority": new.priority.value,
            "created_at": self._now(),
            "session": session,
        }
        self._redis.hset(keys.batch(batch_id), items=[part for fact in facts.items() for part in fact])
        self._redis.zadd(keys.BATCHES, {batch_id: self._now()}, nx=True)

    def join(self, batch_id: str, acquisition_id: str) -> None:
        """Add an acquisition; again is no error.

        Raises
        ------
        BatchNotFound
            If there is no such batch.
        TooLarge
            If it is full.
        """
        self._fields(batch_id)
        if self._redis.zcard(keys.batch_members(batch_id)) >= MAX_BATCH:
            raise TooLarge(f"a batch holds at most {MAX_BATCH} acquisitions; open another one for the rest")
        self._redis.zadd(keys.batch_members(batch_id), {acquisition_id: self._now()}, nx=True)

    def add_token(self, batch_id: str, token_digest: str) -> None:
        """Let a token open it and its acquisitions; of many the oldest open it no longer, the first one always does.

        Raises
        ------
        BatchNotFound
            If there is no such batch.
        """
        if not self._tokens.add(batch_id, token_digest):
            raise _gone()

    def opened_by(self, token_digest: str) -> str | None:
        """The id of the batch that a token of this digest opens; None where there is none."""
        return self._tokens.opened_by(token_digest)

    def field(self, batch_id: str, name: str) -> str | None:
        """One of its facts; None where there is no such batch."""
        value = cast("bytes | None", self._redis.hget(keys.batch(batch_id), name))
        return None if value is None else value.decode()

    def settings(self, batch_id: str) -> tuple[AcquisitionSettings, Priority]:
        """What its acquisitions are opened with.

        Raises
        ------
        BatchNotFound
            If there is no such batch.
        """
        fields = self._fields(batch_id)
        return reading.settings_of(fields), Priority(fields["priority"])

    def members(self, batch_id: str) -> list[str]:
        """Ids of its acquisitions, in the order in which they joined."""
        return [key.decode() for key in cast("list[bytes]", self._redis.zrange(keys.batch_members(batch_id), 0, -1))]

    def ids(self) -> list[str]:
        """The newest first."""
        return [key.decode() for key in cast("list[bytes]", self._redis.zrevrange(keys.BATCHES, 0, -1))]

    def get(self, batch_id: str) -> BatchDetail:
        """It and its acquisitions at this moment; acquisitions that were deleted are left out.

        Raises
        ------
        BatchNotFound
            If there is no such batch.
        """
        fields = self._fields(batch_id)
        now = self._now()
        members = [
            _Member(reading.acquisition_of(key, facts, progress, now), facts, progress)
            for key, (facts, progress) in self._store.read(self.members(batch_id)).items()
        ]
        return _detail(batch_id, fields, members, now)

    def delete(self, batch_id: str) -> None:
        """Forget it; its acquisitions are for the caller to delete."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(keys.batch(batch_id), *TokenLists.FIELDS)
            pipe.delete(keys.batch(batch_id), keys.batch_members(batch_id))
            listed, _ = pipe.execute()
        self._tokens.forget(listed)
        self._redis.zrem(keys.BATCHES, batch_id)

    def _fields(self, batch_id: str) -> dict[str, str]:
        raw = cast("dict[bytes, bytes]", self._redis.hgetall(keys.batch(batch_id)))
        if not raw:
            raise _gone()
        return reading.texts(raw)


def _gone() -> BatchNotFound:
    return BatchNotFound("there is no batch of that id; it may have been deleted")


def _detail(batch_id: str, fields: Mapping[str, str], members: Sequence[_Member], now: float) -> BatchDetail:
    acquisitions = [member.acquisition for member in members]
    expected = [_expected(acquisition) for acquisition in acquisitions]
    states = Counter(acquisition.state for acquisition in acquisitions)
    fps, eta_s = _fps_and_eta(members, now)
    return BatchDetail(
        id=batch_id,
        name=fields["name"],
        settings=reading.settings_of(fields),
        priority=Priority(fields["priority"]),
        created_at=datetime.fromtimestamp(float(fields["created_at"]), UTC),
        states={state: states[state] for state in State},
        paused=sum(acquisition.paused for acquisition in acquisitions),
        is_over=all(acquisition.state in OVER for acquisition in acquisitions),
        frames_expected=None if None in expected else sum(count or 0 for count in expected),
        **{name: sum(getattr(acquisition, name) for acquisition in acquisitions) for name in _SUMS},
        fps=fps,
        eta_s=eta_s,
        acquisitions=[_member(acquisition) for acquisition in acquisitions],
    )


def summary(detail: BatchDetail) -> Batch:
    """Without its acquisitions."""
    return Batch.model_validate(detail.model_dump(include=set(Batch.model_fields)))


def _expected(acquisition: Acquisition) -> int | None:
    if acquisition.state in OVER or acquisition.state is State.PROCESSING:
        return acquisition.frames_received
    return acquisition.frames_expected


def _member(acquisition: Acquisition) -> BatchMember:
    return BatchMember(
        id=acquisition.id,
        name=acquisition.settings.name,
        state=acquisition.state,
        paused=acquisition.paused,
        frames_expected=acquisition.frames_expected,
        frames_processed=acquisition.frames_processed,
        localizations=acquisition.localizations,
        eta_s=acquisition.eta_s,
        error=acquisition.error,
        notice=acquisition.notice,
    )


def _fps_and_eta(members: Sequence[_Member], now: float) -> tuple[float | None, float | None]:
    going = [member for member in members if member.acquisition.state not in OVER]
    if not going or all(member.acquisition.paused for member in going):
        return None, None
    paces = [reading.pace_of(member.fields, member.progress, now) for member in members]
    together = Pace(merged(pace.milestones for pace in paces), _common_pauses([pace.pauses for pace in paces]))
    fps = together.fps(now)
    known = [left for member in going if (left := reading.frames_left(member.fields)) is not None]
    lengths = [count for member in members if (count := _expected(member.acquisition)) is not None]
    if len(known) < len(going) and not lengths:
        return fps, None
    guessed = (len(going) - len(known)) * (sum(lengths) / len(lengths) if lengths else 0.0)
    eta_s = together.eta_s(round(sum(known) + guessed), now)
    return fps, None if eta_s is None else round(eta_s, 1)


def _common_pauses(pauses: Sequence[Sequence[Pause]]) -> list[Pause]:
    """Pauses of the whole: those of the acquisition that was paused most, for a batch is paused all at once."""
    return max((list(each) for each in pauses), key=len, default=[])
