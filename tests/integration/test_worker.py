from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from rq import Callback, Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from cellstorm.acquisitions import AcquisitionSettings, Priority, State
from cellstorm.chunks import Chunk
from cellstorm.decoding import decode
from cellstorm.errors import ModelUnavailable
from cellstorm.generator import Generator
from cellstorm.jobs import LOCALIZE_CHUNK, MAX_ATTEMPTS
from cellstorm.roi import RegionOfInterest
from cellstorm.store import STORE_TROUBLE, Store, Widefield
from cellstorm_server.queueing import JobQueues
from cellstorm_server.reaper import Reaper
from cellstorm_worker.jobs import ChunkJobs
from cellstorm_worker.worker import NamedFunctionsWorker
from tests.fakes import PeakGenerator, chunk_of_spots
from tests.redis_server import RedisServer

ACQUISITION = "acquisition-1"
BUDGET = 2**30


class OneGenerator:
    """A zoo of one."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def get(self, name: str, release: str | None = None) -> Generator:
        if name != "default":
            raise ModelUnavailable(f"there is no model {name!r}")
        return self._generator


class InterruptedStore(Store):
    """Lets something happen between reading the widefield image and the commit that follows."""

    meanwhile: Callable[[], None] | None = None

    def widefield(self, acquisition_id: str) -> Widefield:
        present = super().widefield(acquisition_id)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return present


@pytest.fixture
def store(redis_url: str) -> Iterator[InterruptedStore]:
    store = InterruptedStore.connect(redis_url)
    create(store)
    yield store
    store.redis.close()


@pytest.fixture
def queues(store: Store) -> JobQueues:
    return JobQueues(store.redis)


def create(store: Store, acquisition_id: str = ACQUISITION, model: str = "default", side_px: int = 24) -> None:
    store.create(acquisition_id, AcquisitionSettings(model=model), owner="gateway", token_digest="")
    store.set_frame_size(acquisition_id, side_px, side_px, RegionOfInterest.default(side_px, side_px))
    store.transition(acquisition_id, State.RECEIVING)


def put(store: Store, chunk: Chunk, acquisition_id: str = ACQUISITION) -> Chunk:
    assert store.put_chunk(acquisition_id, chunk, budget_bytes=BUDGET) == "stored"
    return chunk


def do(store: Store, chunk: int, generator: Generator | None = None, acquisition_id: str = ACQUISITION) -> None:
    jobs = ChunkJobs(store, OneGenerator(generator or PeakGenerator()))
    jobs.localize_chunk({"acquisition_id": acquisition_id, "chunk": chunk}, lambda: None)


# -- what becomes of chunks


def test_a_chunk_that_two_workers_process_at_once_is_counted_once(store: Store) -> None:
    put(store, chunk_of_spots(0, 0))
    both_are_at_it = threading.Barrier(2)
    generator = PeakGenerator(before_each=lambda: (both_are_at_it.wait(10), None)[1])
    workers = [threading.Thread(target=do, args=(store, 0, generator)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    acquisition = store.get(ACQUISITION)
    assert len(generator.windows) == 4  # each did all of its two batches
    assert (acquisition.frames_processed, acquisition.chunks_processed) == (10, 1)
    assert len(store.localizations(ACQUISITION)) == acquisition.localizations == 10
    assert acquisition.waiting_chunk_bytes == 0


def test_the_order_in_which_chunks_are_done_changes_nothing(store: Store) -> None:
    create(store, "acquisition-2")
    for acquisition_id, order in ((ACQUISITION, (0, 1, 2)), ("acquisition-2", (2, 0, 1))):
        for number in range(3):
            put(store, chunk_of_spots(number, 10 * number), acquisition_id)
        for number in order:
            do(store, number, acquisition_id=acquisition_id)
    one, other = store.localizations(ACQUISITION), store.localizations("acquisition-2")
    assert one.tobytes() == other.tobytes()
    assert one["frame"].tolist() == list(range(30))
    np.testing.assert_array_equal(store.widefield(ACQUISITION).counts, store.widefield("acquisition-2").counts)


def test_two_chunks_that_end_together_both_count_in_the_widefield_image(store: InterruptedStore) -> None:
    chunks = [put(store, chunk_of_spots(number, 10 * number)) for number in range(2)]
    store.meanwhile = lambda: do(store, 1)
    generator = PeakGenerator()
    do(store, 0, generator)
    assert len(generator.windows) == 2  # the conflict did not cost a second inference
    expected = sum(decode(chunk).sum(axis=0, dtype=np.uint32) for chunk in chunks)
    np.testing.assert_array_equal(store.widefield(ACQUISITION).counts, expected)


def test_a_chunk_that_cannot_be_decoded_counts_as_damaged_and_the_others_go_on(store: Store) -> None:
    good = chunk_of_spots(0, 0)
    put(store, Chunk(good.header, (b"x" * len(good.payloads[0]),)))
    put(store, chunk_of_spots(1, 10))
    do(store, 0)
    do(store, 1)
    acquisition = store.get(ACQUISITION)
    assert (acquisition.frames_damaged, acquisition.frames_processed) == (10, 10)
    assert acquisition.state is State.RECEIVING
    assert acquisition.error is not None
    assert "chunk 0" in acquisition.error


def test_a_chunk_that_ends_every_worker_is_given_up(store: Store) -> None:
    put(store, chunk_of_spots(0, 0))
    for _ in range(MAX_ATTEMPTS):
        store.lease(ACQUISITION, 0, 1, begin=True)
    generator = PeakGenerator()
    do(store, 0, generator)
    assert generator.windows == []
    assert store.get(ACQUISITION).frames_damaged == 10
    assert store.pending(ACQUISITION) == {}


def test_an_acquisition_whose_model_is_not_there_fails_and_says_so(store: Store) -> None:
    create(store, "acquisition-2", model="unheard-of")
    put(store, chunk_of_spots(0, 0), "acquisition-2")
    do(store, 0, acquisition_id="acquisition-2")
    acquisition = store.get("acquisition-2")
    assert acquisition.state is State.FAILED
    assert acquisition.error == "there is no model 'unheard-of'"


def test_work_on_an_acquisition_that_is_deleted_meanwhile_leaves_nothing_behind(store: Store) -> None:
    put(store, chunk_of_spots(0, 0))
    do(store, 0, PeakGenerator(before_each=lambda: store.delete(ACQUISITION)))
    assert store.redis.keys("acq:*") == []


def test_a_worker_renews_its_claim_while_it_works(store: Store) -> None:
    put(store, chunk_of_spots(0, 0, frames=40))
    times = iter(range(0, 1000, 2))  # two seconds go by whenever it looks at its clock
    claims: list[float] = []
    generator = PeakGenerator(before_each=lambda: claims.append(store.pending(ACQUISITION)[0]))
    alive: list[int] = []
    jobs = ChunkJobs(store, OneGenerator(generator), clock=lambda: next(times))
    jobs.localize_chunk({"acquisition_id": ACQUISITION, "chunk": 0}, lambda: alive.append(1))
    assert sorted(set(claims)) == claims
    assert len(alive) >= len(claims)


# -- what the worker takes from a queue


def work(store: Store, functions: Mapping[str, object] | None = None) -> NamedFunctionsWorker:
    """Do all jobs that wait."""
    jobs = ChunkJobs(store, OneGenerator(PeakGenerator()))
    worker = NamedFunctionsWorker({LOCALIZE_CHUNK: jobs.localize_chunk}, store.redis)
    worker.work(burst=True, logging_level="ERROR")
    return worker


def test_a_job_that_names_os_system_is_refused_and_removed(store: Store, queues: JobQueues, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    Queue("live", connection=store.redis, serializer=JSONSerializer).enqueue_call("os.system", (f"touch {touched}",))
    put(store, chunk_of_spots(0, 0))
    queues.enqueue(ACQUISITION, 0, live=True)
    work(store)
    assert not touched.exists()
    assert store.get(ACQUISITION).frames_processed == 10  # what came behind it is done
    assert store.redis.keys("rq:job:*") == []


def test_nothing_that_a_job_names_is_imported(store: Store) -> None:
    queue = Queue("live", connection=store.redis, serializer=JSONSerializer)
    arguments = {"acquisition_id": ACQUISITION, "chunk": 0}
    queue.enqueue_call("this.s")
    queue.enqueue_call(LOCALIZE_CHUNK, kwargs=arguments, on_success=Callback("this.s"), on_failure=Callback("this.s"))
    queue.enqueue_call(LOCALIZE_CHUNK, kwargs={"chunk": "x"}, on_failure=Callback("this.s"))
    work(store)
    assert "this" not in sys.modules
    assert store.redis.keys("rq:job:*") == []


class Unpickled:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


def test_a_pickled_job_is_refused_without_being_unpickled(store: Store, tmp_path: Path) -> None:
    job = Job.create(LOCALIZE_CHUNK, connection=store.redis, serializer=JSONSerializer, origin="live")
    job.data = pickle.dumps((LOCALIZE_CHUNK, None, (Unpickled(str(tmp_path / "trace")),), {}))
    job.save()
    store.redis.rpush("rq:queue:live", job.id)
    work(store)
    assert not (tmp_path / "trace").exists()
    assert store.redis.keys("rq:job:*") == []


def test_live_chunks_go_before_batch_chunks(store: Store, queues: JobQueues) -> None:
    create(store, "acquisition-2")
    for acquisition_id, live in ((ACQUISITION, False), ("acquisition-2", True)):
        put(store, chunk_of_spots(0, 0), acquisition_id)
        queues.enqueue(acquisition_id, 0, live=live)
    done: list[object] = []
    worker = NamedFunctionsWorker({LOCALIZE_CHUNK: lambda job, _: done.append(job["acquisition_id"])}, store.redis)
    worker.work(burst=True, logging_level="ERROR")
    assert done == ["acquisition-2", ACQUISITION]


def test_where_workers_cannot_keep_up_each_live_acquisition_s_newest_chunk_comes_first_in_its_turn(
    store: Store, queues: JobQueues
) -> None:
    others = f"{ACQUISITION}_2"  # its jobs' names begin like those of the first
    for acquisition_id, number in [(ACQUISITION, 8), (others, 0), (ACQUISITION, 9), (ACQUISITION, 10), (others, 1)]:
        queues.enqueue(acquisition_id, number, live=True)
    queues.enqueue(ACQUISITION, 7, live=True)  # asked for again: it is no newer for that
    for number in range(2):
        queues.enqueue("acquisition-3", number, live=False)
    done: list[tuple[object, object]] = []
    note = {LOCALIZE_CHUNK: lambda job, _: done.append((job["acquisition_id"], job["chunk"]))}
    NamedFunctionsWorker(note, store.redis).work(burst=True, logging_level="ERROR")
    live, recorded = done[:6], done[6:]
    assert live == [(ACQUISITION, 10), (others, 1), (ACQUISITION, 9), (ACQUISITION, 8), (others, 0), (ACQUISITION, 7)]
    assert recorded == [("acquisition-3", 0), ("acquisition-3", 1)]


def test_a_live_chunk_that_comes_during_a_batch_chunk_does_not_wait_for_its_end(
    store: Store, queues: JobQueues
) -> None:
    queues.enqueue(ACQUISITION, 0, live=False)
    done: list[str] = []

    def long_or_live(arguments: Mapping[str, object], still_alive: Callable[[], None]) -> None:
        if arguments["acquisition_id"] == ACQUISITION:
            queues.enqueue("acquisition-2", 0, live=True)
            queues.enqueue("acquisition-3", 0, live=False)
            still_alive()
        done.append(str(arguments["acquisition_id"]))

    NamedFunctionsWorker({LOCALIZE_CHUNK: long_or_live}, store.redis).work(burst=True, logging_level="ERROR")
    assert done == ["acquisition-2", ACQUISITION, "acquisition-3"]


def test_a_job_that_fails_does_not_end_the_worker_and_its_chunk_stays_pending(store: Store, queues: JobQueues) -> None:
    for number in range(2):
        put(store, chunk_of_spots(number, 10 * number))
        queues.enqueue(ACQUISITION, number, live=True)
    done: list[object] = []

    def fail_once(arguments: Mapping[str, object], still_alive: Callable[[], None]) -> None:
        done.append(arguments["chunk"])
        if len(done) == 1:
            raise ZeroDivisionError

    NamedFunctionsWorker({LOCALIZE_CHUNK: fail_once}, store.redis).work(burst=True, logging_level="ERROR")
    assert done == [1, 0]
    assert sorted(store.pending(ACQUISITION)) == [0, 1]


def test_a_job_that_falls_silent_is_ended_and_the_next_one_done(store: Store) -> None:
    queue = Queue("live", connection=store.redis, serializer=JSONSerializer)
    for chunk in range(2):
        queue.enqueue_call(LOCALIZE_CHUNK, kwargs={"chunk": chunk}, timeout=1)
    done: list[object] = []

    def hang_once(arguments: Mapping[str, object], still_alive: Callable[[], None]) -> None:
        done.append(arguments["chunk"])
        if len(done) == 1:
            time.sleep(200)

    NamedFunctionsWorker({LOCALIZE_CHUNK: hang_once}, store.redis).work(burst=True, logging_level="ERROR")
    assert done == [0, 1]


def test_a_sign_of_life_gives_a_job_its_whole_time_again(store: Store) -> None:
    queue = Queue("live", connection=store.redis, serializer=JSONSerializer)
    queue.enqueue_call(LOCALIZE_CHUNK, kwargs={}, timeout=500)
    left: list[int] = []

    def live_on(arguments: Mapping[str, object], still_alive: Callable[[], None]) -> None:
        signal.alarm(50)  # as when most of its time has gone by
        still_alive()
        left.append(signal.alarm(500))

    NamedFunctionsWorker({LOCALIZE_CHUNK: live_on}, store.redis).work(burst=True, logging_level="ERROR")
    assert left[0] > 50


def test_work_leaves_nothing_of_rq_behind(store: Store, queues: JobQueues) -> None:
    for number in range(5):
        put(store, chunk_of_spots(number, 10 * number))
        queues.enqueue(ACQUISITION, number, live=bool(number % 2))
    worker = work(store)
    assert set(store.redis.keys("rq:*")) == {b"rq:queues", worker.key.encode()}
    assert 0 < store.redis.ttl(worker.key) <= 60
    assert store.get(ACQUISITION).frames_processed == 50


# -- the process, with the released generator


class WorkerProcess:
    """A real `cellstorm worker`."""

    def __init__(self, redis_url: str) -> None:
        environment = {**os.environ, "CELLSTORM_REDIS_URL": redis_url, "CELLSTORM_THREADS": "1"}
        command = (sys.executable, "-m", "cellstorm_cli.main", "worker")
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def end(self, number: int) -> int:
        """Send it a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def worker_process(redis_url: str) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(redis_url)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until it is; the test's own time limit ends it otherwise."""
    while True:
        with suppress(*STORE_TROUBLE):
            if is_so():
                return
        time.sleep(0.02)


def is_begun(store: Store) -> bool:
    return bool(store.redis.exists(f"acq:{{{ACQUISITION}}}:attempts"))


def slow_chunk(number: int) -> Chunk:
    """Takes the released generator seconds."""
    return chunk_of_spots(number, 0, frames=80, side_px=256)


@pytest.fixture
def large(store: Store) -> str:
    """An acquisition that `slow_chunk` fits."""
    store.delete(ACQUISITION)
    create(store, side_px=256)
    return ACQUISITION


def test_a_chunk_of_a_killed_worker_is_done_by_another_once(
    store: Store, queues: JobQueues, redis_url: str, large: str
) -> None:
    put(store, slow_chunk(0))
    queues.enqueue(large, 0, live=True)
    with worker_process(redis_url) as killed:
        wait_for(lambda: is_begun(store))
        killed.end(signal.SIGKILL)
    assert store.get(large).frames_processed == 0
    with worker_process(redis_url):
        reaper = Reaper(store, queues, "gateway", expire_after_s=60)

        def is_done() -> bool:
            reaper.sweep(time.time())
            return store.get(large).frames_processed > 0

        wait_for(is_done)
    acquisition = store.get(large)
    assert (acquisition.frames_processed, acquisition.chunks_processed) == (80, 1)
    assert len(store.localizations(large)) == acquisition.localizations


def test_a_worker_that_is_told_to_end_finishes_its_chunk(
    store: Store, queues: JobQueues, redis_url: str, large: str
) -> None:
    put(store, slow_chunk(0))
    queues.enqueue(large, 0, live=True)
    with worker_process(redis_url) as worker:
        wait_for(lambda: is_begun(store))
        assert worker.end(signal.SIGTERM) == 0
    assert store.get(large).frames_processed == 80
    assert store.redis.smembers("rq:workers") == set()


def test_a_worker_outlives_a_redis_that_restarts(store: Store, queues: JobQueues, redis_server: RedisServer) -> None:
    with worker_process(redis_server.url) as worker:
        for number in range(2):
            put(store, chunk_of_spots(number, 10 * number))
            queues.enqueue(ACQUISITION, number, live=True)
            wait_for(lambda: store.pending(ACQUISITION) == {})
            redis_server.stop()
            redis_server.start()
        assert worker.process.poll() is None
        assert store.get(ACQUISITION).frames_processed == 20


def test_a_worker_that_cannot_do_its_work_refuses_to_start(redis_url: str) -> None:
    for variable, value, reason in (
        ("CELLSTORM_PROVIDER", "cuda", "CELLSTORM_PROVIDER=cpu"),
        ("CELLSTORM_MODEL", "unheard-of", "there is no model"),
        ("CELLSTORM_REDIS_URL", "redis://127.0.0.1:1/0", "CELLSTORM_REDIS_URL"),
    ):
        environment = {**os.environ, "CELLSTORM_REDIS_URL": redis_url, variable: value}
        command = (sys.executable, "-m", "cellstorm_cli.main", "worker")
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert ended.stderr.startswith("cellstorm: ")
        assert reason in ended.stderr
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("end", [Store.pause, Store.cancel], ids=["paused", "cancelled"])
def test_work_on_a_chunk_that_is_no_longer_wanted_ends_at_the_next_sign_of_life(
    store: Store, end: Callable[[Store, str], None]
) -> None:
    put(store, chunk_of_spots(0, 0, frames=80))
    times = iter(range(0, 1000, 2))  # two seconds go by whenever it looks at its clock
    generator = PeakGenerator(before_each=lambda: end(store, ACQUISITION))
    jobs = ChunkJobs(store, OneGenerator(generator), clock=lambda: next(times))
    jobs.localize_chunk({"acquisition_id": ACQUISITION, "chunk": 0}, lambda: None)
    assert len(generator.windows) == 1  # of ten batches
    assert store.get(ACQUISITION).frames_processed == 0


def test_high_priorities_go_before_low_ones(store: Store, queues: JobQueues) -> None:
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        queues.enqueue(f"acquisition-{priority}", 0, live=False, priority=priority)
    queues.enqueue("acquisition-live", 0, live=True)
    done: list[object] = []
    worker = NamedFunctionsWorker({LOCALIZE_CHUNK: lambda job, _: done.append(job["acquisition_id"])}, store.redis)
    worker.work(burst=True, logging_level="ERROR")
    assert done == [f"acquisition-{what}" for what in ("live", "high", "normal", "low")]
