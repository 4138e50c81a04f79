"""What browsers may do, and the codes that let them in, in Redis: so that they survive a restart and hold for every gateway.

Of a browser only the digest of its cookie is known here. A code is spent in one step, so that one of a single use opens
once, however many try it at the same moment. All calls block.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

from redis import Redis

from cellstorm.grants import Grant
from cellstorm.store import keys

_BUCKETS: Final = 4096
"""Counters of tries at most, per purpose: callers share one by chance, and none can fill the memory."""
_TRIES_WINDOW_S: Final = 60

_ADD_GRANTS: Final = """
-- KEYS session; ARGV grant, end (Unix time), ...: of two ends of the same grant the later one holds
local latest = 0
for i = 1, #ARGV, 2 do
  local known = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
  if tonumber(ARGV[i + 1]) > known then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do latest = math.max(latest, tonumber(value)) end
redis.call('EXPIREAT', KEYS[1], math.ceil(latest))
"""

_SPEND: Final = """
-- KEYS code
if tonumber(redis.call('HGET', KEYS[1], 'uses_left') or '0') < 1 then return {} end
redis.call('HINCRBY', KEYS[1], 'uses_left', -1)
return redis.call('HGETALL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a code lets in to.

    Attributes
    ----------
    expires_at
        Unix time; from then on the code opens nothing.
    grant_ends_at
        Unix time at which what it gave ends at the latest: nobody lets others in for longer than himself. None for no limit.
    """

    grant: Grant
    uses_left: int
    expires_at: float
    grant_ends_at: float | None


class GrantStore:
    """Sessions of browsers, codes, and how often somebody has tried."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = clock
        self._add = redis.register_script(_ADD_GRANTS)
        self._spend = redis.register_script(_SPEND)

    def installation(self) -> str:
        """The same short name for all gateways that share these sessions, another one for everybody else's."""
        self._redis.set(keys.INSTALLATION, secrets.token_hex(4), nx=True)
        return cast(bytes, self._redis.get(keys.INSTALLATION)).decode()

    # -- sessions

    def add(self, session: str, grants: Mapping[Grant, float]) -> None:
        """Let a session have these grants too, each until its end (Unix time)."""
        self._add(keys=[keys.browser(session)], args=[part for g, end in grants.items() for part in (_name(g), end)])

    def session(self, session: str) -> dict[Grant, float]:
        """The grants of a session that have not ended, and their ends; empty where there is no such session."""
        raw = cast("dict[bytes, bytes]", self._redis.hgetall(keys.browser(session)))
        ends = {_grant(name.decode()): float(end) for name, end in raw.items()}
        return {grant: end for grant, end in ends.items() if end > self._now()}

    def end(self, session: str) -> None:
        """It has no grants any more."""
        self._redis.delete(keys.browser(session))

    # -- codes

    def invite(self, code: str, invitation: Invitation) -> None:
        """Let a code open until it is spent or has expired."""
        limit = "" if invitation.grant_ends_at is None else str(invitation.grant_ends_at)
        key = keys.code(code)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(
                key,
                mapping={
                    "grant": _name(invitation.grant),
                    "uses_left": invitation.uses_left,
                    "expires_at": invitation.expires_at,
                    "grant_ends_at": limit,
                },
            )
            pipe.pexpireat(key, round(invitation.expires_at * 1000))
            pipe.execute()

    def invitation(self, code: str) -> Invitation | None:
        """What a code stands for, also once it is spent; None when it never was or has expired."""
        return _invitation(cast("dict[bytes, bytes]", self._redis.hgetall(keys.code(code))))

    def spend(self, code: str) -> Invitation | None:
        """Use a code once; None when it opens nothing (any more)."""
        flat = cast("list[bytes]", self._spend(keys=[keys.code(code)]))
        return _invitation(dict(zip(flat[::2], flat[1::2], strict=True)))

    # -- tries

    def count_try(self, purpose: str, who: str) -> int:
        """How often `who`, or somebody who shares his counter, has tried within this minute, this time included."""
        key = keys.tries(purpose, _bucket(who))
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=_TRIES_WINDOW_S, nx=True)
            pipe.incr(key)
            return int(pipe.execute()[1])

    def forgive_try(self, purpose: str, who: str) -> None:
        """A try that was right does not count."""
        key = keys.tries(purpose, _bucket(who))
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 1, ex=_TRIES_WINDOW_S, nx=True)
            pipe.decr(key)
            pipe.execute()


def _bucket(who: str) -> int:
    return int.from_bytes(sha256(who.encode()).digest()[:4], "big") % _BUCKETS


def _name(grant: Grant) -> str:
    return f"{grant.right}:{grant.acquisition_id or ''}"


def _grant(name: str) -> Grant:
    right, _, acquisition_id = name.partition(":")
    return Grant.model_validate({"right": right, "acquisition_id": acquisition_id or None})


def _invitation(raw: Mapping[bytes, bytes]) -> Invitation | None:
    if not raw:
        return None
    limit = raw[b"grant_ends_at"]
    return Invitation(
        grant=_grant(raw[b"grant"].decode()),
        uses_left=int(raw[b"uses_left"]),
        expires_at=float(raw[b"expires_at"]),
        grant_ends_at=float(limit) if limit else None,
    )
