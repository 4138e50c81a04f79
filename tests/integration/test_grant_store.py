"""What browsers may do, and codes, in a real Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from redis import Redis

from cellstorm.grants import EVERYTHING, Grant
from cellstorm.store import GrantStore, Invitation
from tests.redis_server import RedisServer

MEMBER = Grant(right="film")
OWNER = Grant(right="film", acquisition_id="abc_-1")
GUEST = Grant(right="watch", acquisition_id="abc_-1")
FAR = 4e9
"""Unix time: Redis itself forgets nothing in these tests unless it is to."""


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(redis: Redis, clock: Clock) -> GrantStore:
    redis.flushall()
    return GrantStore(redis, clock)


def invitation(uses: int = 1, expires_at: float = FAR) -> Invitation:
    return Invitation(grant=GUEST, uses_left=uses, expires_at=expires_at, grant_ends_at=None)


def test_grants_add_up_and_of_two_ends_the_later_one_holds(grants: GrantStore) -> None:
    grants.add("me", {MEMBER: FAR, OWNER: FAR + 5})
    grants.add("me", {GUEST: FAR + 1, OWNER: FAR + 2, MEMBER: FAR + 3})
    assert grants.session("me") == {MEMBER: FAR + 3, OWNER: FAR + 5, GUEST: FAR + 1}
    assert grants.session("you") == {}


def test_each_grant_ends_at_its_own_time_and_the_session_with_the_last(
    grants: GrantStore, clock: Clock, redis: Redis
) -> None:
    grants.add("me", {MEMBER: FAR, EVERYTHING: FAR + 10})
    clock.now = FAR + 1
    assert grants.session("me") == {EVERYTHING: FAR + 10}
    assert redis.expiretime("browser:me") == FAR + 10


def test_a_session_that_was_ended_is_gone(grants: GrantStore) -> None:
    grants.add("me", {MEMBER: FAR})
    grants.end("me")
    assert grants.session("me") == {}


def test_a_code_of_one_use_opens_once_even_if_a_hundred_try_at_the_same_moment(grants: GrantStore) -> None:
    grants.invite("CODE", invitation())
    together = threading.Barrier(100)

    def attempt(_: int) -> Invitation | None:
        together.wait()
        return grants.spend("CODE")

    with ThreadPoolExecutor(100) as people:
        opened = [found for found in people.map(attempt, range(100)) if found is not None]
    assert opened == [invitation(uses=0)]


def test_a_code_that_is_used_up_can_still_be_looked_at(grants: GrantStore) -> None:
    grants.invite("CODE", invitation(uses=2))
    assert grants.invitation("CODE") == invitation(uses=2)
    assert [grants.spend("CODE") for _ in range(3)] == [invitation(uses=1), invitation(uses=0), None]
    assert grants.invitation("CODE") == invitation(uses=0)
    assert grants.spend("NONE") is grants.invitation("NONE") is None


def test_a_code_is_gone_when_it_has_expired(grants: GrantStore, redis: Redis) -> None:
    grants.invite("CODE", invitation(expires_at=FAR))
    assert redis.pexpiretime("code:CODE") == FAR * 1000
    grants.invite("OLD", invitation(expires_at=1.0))
    assert grants.spend("OLD") is None


def test_what_a_code_keeps_is_what_it_was_given(grants: GrantStore) -> None:
    limited = Invitation(grant=MEMBER, uses_left=3, expires_at=FAR, grant_ends_at=FAR + 0.5)
    grants.invite("CODE", limited)
    assert grants.invitation("CODE") == limited


def test_tries_are_counted_by_purpose_and_right_ones_forgiven(grants: GrantStore, redis: Redis) -> None:
    assert [grants.count_try("keys", "10.0.0.1") for _ in range(3)] == [1, 2, 3]
    assert grants.count_try("codes", "10.0.0.1") == 1
    grants.forgive_try("keys", "10.0.0.1")
    assert grants.count_try("keys", "10.0.0.1") == 3
    assert all(0 < int(str(redis.ttl(key))) <= 60 for key in redis.keys("tries:*"))


def test_whoever_changes_his_address_for_each_try_fills_no_memory(grants: GrantStore, redis: Redis) -> None:
    for number in range(6000):
        grants.count_try("keys", f"fd00::{number:x}")
    assert len(list(redis.scan_iter("tries:*", count=1000))) <= 4096


def test_all_gateways_of_one_installation_know_it_by_the_same_name(redis: Redis) -> None:
    name = GrantStore(redis).installation()
    assert len(name) == 8
    assert GrantStore(redis).installation() == name
