from __future__ import annotations

from collections.abc import Iterator

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.jobs import LEASE_S
from cellstorm.store import Store
from cellstorm_server.queueing import JobQueues
from cellstorm_server.reaper import GRACE_S, Reaper
from cellstorm_worker.worker import NamedFunctionsWorker
from tests.fakes import chunk_of_spots, star_localizations
from tests.gateway import commit_chunk

ACQUISITION = "acquisition-1"
NOW = 1_700_000_000.0
EXPIRE_AFTER_S = 60


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(redis_url: str, clock: Clock) -> Iterator[Store]:
    """With one acquisition and one chunk, put at NOW."""
    store = Store(Store.connect(redis_url).redis, clock)
    store.create(ACQUISITION, AcquisitionSettings(), owner="gateway", token_digest="")
    store.transition(ACQUISITION, State.RECEIVING)
    store.put_chunk(ACQUISITION, chunk_of_spots(0, 0), budget_bytes=2**30)
    yield store
    store.redis.close()


@pytest.fixture
def queues(store: Store) -> JobQueues:
    return JobQueues(store.redis)


@pytest.fixture
def reaper(store: Store, queues: JobQueues) -> Reaper:
    return Reaper(store, queues, "gateway-1", EXPIRE_AFTER_S)


def asked(store: Store) -> dict[str, int]:
    """How many jobs wait, by queue."""
    return {name: Queue(name, connection=store.redis, serializer=JSONSerializer).count for name in ("live", "batch")}


def test_a_chunk_that_was_never_asked_for_is_asked_for(reaper: Reaper, store: Store, queues: JobQueues) -> None:
    assert reaper.sweep(NOW + GRACE_S / 2) == 0
    assert reaper.sweep(NOW + GRACE_S + 0.1) == 1
    assert asked(store) == {"live": 0, "batch": 1}
    assert queues.waiting() == {f"{ACQUISITION}_0"}


def test_live_chunks_are_asked_for_on_the_live_queue(reaper: Reaper, store: Store) -> None:
    store.set_fields(ACQUISITION, live=1)
    reaper.sweep(NOW + GRACE_S + 0.1)
    assert asked(store) == {"live": 1, "batch": 0}


def test_a_chunk_that_waits_in_a_queue_is_not_asked_for_again(reaper: Reaper, store: Store, queues: JobQueues) -> None:
    queues.enqueue(ACQUISITION, 0, live=True)
    for seconds in range(60):
        reaper.sweep(NOW + seconds)
    assert asked(store) == {"live": 1, "batch": 0}


def test_a_chunk_that_a_worker_has_is_left_alone_until_its_claim_ends(
    reaper: Reaper, store: Store, clock: Clock
) -> None:
    clock.now = NOW + 5
    store.lease(ACQUISITION, 0, LEASE_S, begin=True)
    assert reaper.sweep(NOW + 5 + LEASE_S) == 0
    assert reaper.sweep(NOW + 5 + LEASE_S + GRACE_S + 0.1) == 1


def test_a_dead_workers_chunk_is_asked_for_again_within_ten_seconds(reaper: Reaper, store: Store, clock: Clock) -> None:
    store.lease(ACQUISITION, 0, LEASE_S, begin=True)  # and then nothing is heard of it
    rounds = [seconds for seconds in range(10) if reaper.sweep(NOW + seconds)]
    assert len(rounds) == 1


def test_what_was_asked_for_again_and_lost_again_is_asked_for_once_more(reaper: Reaper, store: Store) -> None:
    reaper.sweep(NOW + 2)
    store.redis.delete("rq:queue:batch")
    assert [reaper.sweep(NOW + 2 + seconds) for seconds in range(9)].count(1) == 1


def test_one_gateway_at_a_time_sweeps(reaper: Reaper, store: Store, queues: JobQueues) -> None:
    assert reaper.sweep(NOW) == 0
    assert Reaper(store, queues, "gateway-2", EXPIRE_AFTER_S).sweep(NOW + 100) == 0
    assert reaper.sweep(NOW + 100) == 1


def test_chunks_of_a_failed_acquisition_are_dropped(reaper: Reaper, store: Store) -> None:
    store.transition(ACQUISITION, State.FAILED, error="no model")
    reaper.sweep(NOW + 2)
    acquisition = store.get(ACQUISITION)
    assert asked(store) == {"live": 0, "batch": 0}
    assert store.pending(ACQUISITION) == {}
    assert store.get_chunk(ACQUISITION, 0) is None
    assert (acquisition.waiting_chunk_bytes, acquisition.error) == (0, "no model")


def test_what_was_found_of_a_failed_acquisition_leaves_redis_after_a_while(reaper: Reaper, store: Store) -> None:
    commit_chunk(store, ACQUISITION, star_localizations(4))
    store.transition(ACQUISITION, State.FAILED, error="no model")
    reaper.sweep(NOW + 2)
    left = {name for name in store.redis.keys("acq:*") if store.redis.ttl(name) == -1}
    assert left == {f"acq:{{{ACQUISITION}}}:state".encode()}
    assert all(store.redis.ttl(name) <= EXPIRE_AFTER_S for name in store.redis.keys("acq:*"))
    assert len(store.localizations(ACQUISITION)) == 4


def test_a_committed_chunk_does_not_come_back(reaper: Reaper, store: Store) -> None:
    chunk = store.get_chunk(ACQUISITION, 0)
    assert chunk is not None
    store.give_up(ACQUISITION, chunk, "damaged")
    store.postpone(ACQUISITION, [0], NOW)
    assert reaper.sweep(NOW + 100) == 0


@pytest.mark.parametrize("later", [pytest.param(NOW + 10, id="soon"), pytest.param(NOW - 3600, id="clock set back")])
def test_workers_that_were_killed_are_forgotten(store: Store, queues: JobQueues, later: float) -> None:
    elapsed_s = iter(range(0, 1000, 10))
    reaper = Reaper(store, queues, "gateway-1", EXPIRE_AFTER_S, clock=lambda: next(elapsed_s))
    worker = NamedFunctionsWorker({}, store.redis)
    worker.register_birth()  # type: ignore[no-untyped-call]  # RQ is annotated in part
    reaper.sweep(NOW)
    assert store.redis.scard("rq:workers") == 1
    store.redis.delete(worker.key)  # as it expires when nothing is heard of the worker
    reaper.sweep(later)
    assert store.redis.scard("rq:workers") == store.redis.scard("rq:workers:live") == 0
