"""Acquisitions in Redis: their settings, states and facts, who opens them, and how they are paused, cancelled and begun anew.

What happens to an acquisition's state happens in one script, so that of two who want different things one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from redis import Redis

from cellstorm.acquisitions import (
    Acquisition,
    AcquisitionSettings,
    Action,
    Priority,
    State,
    check_action,
    check_transition,
)
from cellstorm.errors import AcquisitionNotFound
from cellstorm.roi import RegionOfInterest
from cellstorm.store import keys, reading, scripts
from cellstorm.store.tokens import TokenLists

_KEPT_PAUSES: Final = 32
_GONE_WHEN_CANCELLED: Final = (
    *("localizations", "waiting_chunk_bytes", "spooled_chunks", "newest_received_at", "paused_at", "pauses"),
    *("resolution_nm", "drift_nm", "widefield_version", "error", "archive_error"),
)
_GONE_WHEN_BEGUN_ANEW: Final = (
    *("frames_received", "frames_lost", "frames_damaged", "frames_processed", "frames_left_out", "frames_done"),
    "next_frame",
    *("chunks_received", "chunks_processed", "last_commit_at"),
)


class Acquisitions:
    """All of them, without what is in their chunks. Everything here blocks."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self.redis = redis
        self._now = clock
        self._set_fields = redis.register_script(scripts.SET_FIELDS)
        self._remove_work = redis.register_script(scripts.REMOVE_WORK)
        self._delete = redis.register_script(scripts.DELETE)
        self._tokens = TokenLists(redis, keys.state, keys.token)

    def create(
        self,
        acquisition_id: str,
        settings: AcquisitionSettings,
        *,
        owner: str,
        token_digest: str,
        priority: Priority = Priority.NORMAL,
        batch_id: str | None = None,
    ) -> None:
        """A new acquisition, waiting; one that is there already stays as it is. `owner` is the gateway that keeps its files."""
        created_at = self._now()
        facts: dict[str, str | float] = {
            "settings": settings.model_dump_json(),
            "state": State.WAITING.value,
            "created_at": created_at,
            "owner": owner,
            "token_digest": token_digest,
            "priority": priority.value,
        }
        if batch_id is not None:
            facts["batch_id"] = batch_id
        with self.redis.pipeline(transaction=False) as pipe:
            for name, value in facts.items():
                pipe.hsetnx(keys.state(acquisition_id), name, value)
            pipe.zadd(keys.ACQUISITIONS, {acquisition_id: created_at}, nx=True)
            if token_digest:
                pipe.set(keys.token(token_digest), acquisition_id)
            pipe.execute()

    def add_token(self, acquisition_id: str, token_digest: str) -> None:
        """Let a further token open it; of many the oldest open it no longer, the first one always does.

        Raises
        ------
        AcquisitionNotFound
            If it is gone.
        """
        if not self._tokens.add(acquisition_id, token_digest):
            raise _gone(acquisition_id)

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
        found = self.get_all([acquisition_id])
        if not found:
            raise _gone(acquisition_id)
        return found[0]

    def get_all(self, acquisition_ids: Sequence[str]) -> list[Acquisition]:
        """Their present states, in one exchange with Redis; those that are gone are left out."""
        read = self.read(acquisition_ids)
        now = self._now()
        return [reading.acquisition_of(key, fields, progress, now) for key, (fields, progress) in read.items()]

    def read(self, acquisition_ids: Sequence[str]) -> dict[str, tuple[dict[str, str], list[bytes]]]:
        """The fields and the list of progress of each that is there, as `reading` takes them."""
        with self.redis.pipeline(transaction=False) as pipe:
            for acquisition_id in acquisition_ids:
                pipe.hgetall(keys.state(acquisition_id))
                pipe.lrange(keys.progress(acquisition_id), 0, -1)
            answers = pipe.execute()
        found = zip(acquisition_ids, answers[::2], answers[1::2], strict=True)
        return {key: (reading.texts(raw), progress) for key, raw, progress in found if b"settings" in raw}

    def field(self, acquisition_id: str, name: str) -> str | None:
        """One field of the state that is not part of `Acquisition`; None where it is not set."""
        value = cast("bytes | None", self.redis.hget(keys.state(acquisition_id), name))
        return None if value is None else value.decode()

    def opened_by(self, token_digest: str) -> str | None:
        """The id of the acquisition whose token has this digest; None where there is none."""
        return self._tokens.opened_by(token_digest)

    def delete(self, acquisition_id: str) -> None:
        """Remove it and all that belongs to it; a chunk that comes at the same moment is removed with it, or not taken."""
        names = (keys.state(acquisition_id), keys.pending(acquisition_id), *keys.bulk(acquisition_id))
        self._tokens.forget(self._delete(keys=names, args=[keys.chunk_prefix(acquisition_id)]))
        self.redis.zrem(keys.ACQUISITIONS, acquisition_id)

    def expire_bulk(self, acquisition_id: str, seconds: int) -> None:
        """Let what is of no use any more once it is over leave Redis after so long; the counters stay."""
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
            old = self._state(acquisition_id)
            check_transition(old, state)
            values = {"state": state.value} | ({} if error is None else {"error": error})
            if self._set(acquisition_id, values, required=old) is None:
                return

    def pause(self, acquisition_id: str) -> None:
        """Let no worker begin or go on with any of its chunks; again is no error.

        Raises
        ------
        WrongState
            If it is over.
        """
        check_action(Action.PAUSE, self._state(acquisition_id))
        if not self.field(acquisition_id, "paused_at"):
            self._set(acquisition_id, {"paused_at": self._now()})

    def resume(self, acquisition_id: str) -> list[int]:
        """Let workers go on; the chunks that wait, to be asked for again. Again is no error.

        Raises
        ------
        WrongState
            If it is over.
        """
        check_action(Action.RESUME, self._state(acquisition_id))
        paused_at = self.field(acquisition_id, "paused_at")
        if not paused_at:
            return []
        pauses = (self.field(acquisition_id, "pauses") or "").split()[1 - _KEPT_PAUSES :]
        self._set(acquisition_id, {"paused_at": "", "pauses": " ".join([*pauses, f"{paused_at}:{self._now()}"])})
        self.redis.delete(keys.attempts(acquisition_id))  # workers that were stopped have not died of a chunk
        return sorted(self.pending(acquisition_id))

    def cancel(self, acquisition_id: str) -> None:
        """Remove all that came and was made, at once; what stays says that it was cancelled. Again is no error.

        Raises
        ------
        WrongState
            If it is over in another way.
        """
        while True:
            old = self._state(acquisition_id)
            check_action(Action.CANCEL, old)
            if old is State.CANCELLED or self._remove(acquisition_id, old, State.CANCELLED, _GONE_WHEN_CANCELLED):
                return

    def begin_anew(self, acquisition_id: str) -> None:
        """A failed acquisition receives again, as if nothing had come yet.

        Raises
        ------
        WrongState
            If it has not failed.
        """
        while True:
            old = self._state(acquisition_id)
            check_action(Action.RETRY, old)
            if self._remove(acquisition_id, old, State.RECEIVING, _GONE_WHEN_CANCELLED + _GONE_WHEN_BEGUN_ANEW):
                return

    def set_frame_size(self, acquisition_id: str, width: int, height: int, roi: RegionOfInterest) -> None:
        """What the first frame has shown."""
        self._set(acquisition_id, {"frame_width": width, "frame_height": height, "roi": str(roi)})

    def set_fields(self, acquisition_id: str, **values: str | int | float) -> None:
        """Further facts, by their field names."""
        self._set(acquisition_id, values)

    def pending(self, acquisition_id: str) -> dict[int, float]:
        """Number of each chunk that is not committed, and the Unix time from which nobody claims it any more."""
        rows = cast(
            "list[tuple[bytes, float]]", self.redis.zrange(keys.pending(acquisition_id), 0, -1, withscores=True)
        )
        return {int(number): until for number, until in rows}

    # -- details

    def _state(self, acquisition_id: str) -> State:
        state = self.field(acquisition_id, "state")
        if state is None:
            raise _gone(acquisition_id)
        return State(state)

    def _remove(self, acquisition_id: str, required: State, state: State, fields: tuple[str, ...]) -> bool:
        """False where the state is no longer the required one."""
        going = (keys.pending, keys.attempts, keys.commits, keys.progress, keys.widefield, keys.maps)
        outcome = self._remove_work(
            keys=[name(acquisition_id) for name in (keys.state, keys.events, *going)],
            args=[required.value, state.value, keys.chunk_prefix(acquisition_id), *fields],
        )
        return reading.text(outcome) == "set"

    def _set(
        self, acquisition_id: str, values: Mapping[str, str | int | float], required: State | None = None
    ) -> str | None:
        """None when done, else the state that was there in place of the required one."""
        flat = [part for pair in values.items() for part in pair]
        outcome = reading.text(
            self._set_fields(
                keys=[keys.state(acquisition_id), keys.events(acquisition_id)],
                args=["" if required is None else required.value, *flat],
            )
        )
        if outcome == "gone":
            raise _gone(acquisition_id)
        return None if outcome == "set" else outcome


def _gone(acquisition_id: str) -> AcquisitionNotFound:
    return AcquisitionNotFound(f"there is no acquisition {acquisition_id}; it may have been deleted")
