"""Requests that may be sent again: what bears the same Idempotency-Key is done once.

The id of what is to be made is settled before it is made. So whoever comes second, even while the first is still at it or
after it has died half-way, makes the same thing again, which changes nothing, or finds it there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from redis import Redis

from cellstorm.errors import KeyReused
from cellstorm.store import keys, reading

KEPT_S: Final = 24 * 3600
MAX_KEPT: Final = 10_000
"""Over it, the oldest are forgotten before their time."""


class Reservation(NamedTuple):
    """The id under which the thing is to be made, and whether it has been made before."""

    id: str
    is_made: bool


class Once:
    """All keys that were used of late. Everything here blocks."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = clock

    def reserve(self, name: str, request_digest: str, new_id: str) -> Reservation:
        """`new_id`, or the one that was reserved under this name before.

        Raises
        ------
        KeyReused
            If that was for another request.
        """
        key = keys.once(name)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(key, "id", new_id)
            pipe.hsetnx(key, "request", request_digest)
            pipe.expire(key, KEPT_S, nx=True)
            pipe.zadd(keys.ONCE, {name: self._now()}, nx=True)
            pipe.hgetall(key)
            fields = reading.texts(cast("dict[bytes, bytes]", pipe.execute()[-1]))
        if fields["request"] != request_digest:
            raise KeyReused("this Idempotency-Key came with another request before; take a new key for a new request")
        self._forget_old()
        return Reservation(fields["id"], "made" in fields)

    def settle(self, name: str) -> None:
        """It is made: from now on its absence means that it was deleted."""
        if self._redis.exists(keys.once(name)):
            self._redis.hset(keys.once(name), "made", 1)

    def _forget_old(self) -> None:
        self._redis.zremrangebyscore(keys.ONCE, "-inf", self._now() - KEPT_S)
        surplus = self._redis.zcard(keys.ONCE) - MAX_KEPT
        if surplus > 0:
            oldest = cast("list[tuple[bytes, float]]", self._redis.zpopmin(keys.ONCE, surplus))
            self._redis.delete(*(keys.once(name.decode()) for name, _ in oldest))
