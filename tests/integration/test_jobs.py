"""Pause, resume, cancel and retry against a real gateway; the test itself is the worker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cellstorm.acquisitions import State
from cellstorm.jobs import LEASE_S
from cellstorm.localizations import empty
from cellstorm_server.queueing import JobQueues
from tests.fakes import star_localizations
from tests.gateway import Gateway
from tests.integration.test_rest import API, check_problem
from tests.integration.test_uploads import CHUNK_FRAMES, VIDEO_FRAMES, write_video
from tests.integration.test_whip import SDP, film, offer, pictures


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def video(tmp_path: Path) -> bytes:
    """Four chunks of ten frames."""
    return write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()


def uploaded(gateway: Gateway, video: bytes) -> str:
    """An acquisition whose four chunks wait for a worker."""
    key: str = gateway.create()["id"]
    gateway.http.put(f"{API}/{key}/video", content=video).raise_for_status()
    gateway.wait_for(key, "processing")
    return key


def ask(gateway: Gateway, key: str, action: str) -> dict[str, Any]:
    answer = gateway.http.post(f"{API}/{key}/{action}")
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def work(gateway: Gateway, key: str) -> None:
    """Localize all that waits."""
    for number in gateway.store.pending(key):
        if gateway.store.lease(key, number, LEASE_S, begin=True) is not None:
            chunk = gateway.store.get_chunk(key, number)
            assert chunk is not None
            gateway.store.commit(key, chunk, empty(), frame_count=chunk.header.frame_count, widefield=None)


@contextmanager
def working(gateway: Gateway) -> Iterator[None]:
    """A worker for all acquisitions, until the context is left."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.02):
            for key in gateway.store.ids():
                work(gateway, key)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def waiting(gateway: Gateway, key: str) -> list[str]:
    """Jobs of it that workers may take."""
    return [name for name in JobQueues(gateway.store.redis).waiting() if name.startswith(key)]


def test_what_is_paused_is_not_localized_and_goes_on_when_it_is_resumed(gateway: Gateway, video: bytes) -> None:
    key = uploaded(gateway, video)
    assert ask(gateway, key, "pause")["paused"]
    assert ask(gateway, key, "pause")["paused"]
    assert waiting(gateway, key) == []
    assert gateway.store.lease(key, 0, LEASE_S, begin=True) is None
    assert gateway.store.lease(key, 0, LEASE_S, begin=False) is None
    assert not ask(gateway, key, "resume")["paused"]
    assert len(waiting(gateway, key)) == 4
    work(gateway, key)
    assert gateway.wait_for(key, "finished")["frames_processed"] == VIDEO_FRAMES
    assert "deleted" not in gateway.log.read_text()


def test_an_upload_that_is_paused_is_kept_and_not_read_on(gateway: Gateway, video: bytes) -> None:
    key: str = gateway.create()["id"]
    ask(gateway, key, "pause")
    gateway.http.put(f"{API}/{key}/video", content=video).raise_for_status()
    time.sleep(0.5)  # that nothing happens cannot be awaited
    assert gateway.http.get(f"{API}/{key}").json()["chunks_received"] == 0
    ask(gateway, key, "resume")
    gateway.wait_for(key, "processing")


def test_cancelling_leaves_an_entry_and_nothing_else(gateway: Gateway, video: bytes) -> None:
    key = uploaded(gateway, video)
    chunk = gateway.store.get_chunk(key, 0)
    assert chunk is not None
    gateway.store.lease(key, 0, LEASE_S, begin=True)
    told = ask(gateway, key, "cancel")
    assert (told["state"], told["localizations"], told["error"]) == ("cancelled", 0, None)
    assert gateway.store.lease(key, 0, LEASE_S, begin=False) is None  # which ends the worker's job
    outcome = gateway.store.commit(key, chunk, star_localizations(5), frame_count=CHUNK_FRAMES, widefield=None)
    assert outcome == "duplicate"
    assert gateway.store.put_chunk(key, chunk, budget_bytes=2**30) == "gone"
    left = [str(name) for name in gateway.store.redis.scan_iter(f"acq:{{{key}}}:*")]
    assert {name.rsplit(":", 1)[-1].strip("'") for name in left} == {"state", "events"}
    assert waiting(gateway, key) == []
    assert not gateway.library.folder(key).exists()
    assert ask(gateway, key, "cancel") == told


def test_an_upload_is_cancelled_while_it_comes_in(gateway: Gateway, video: bytes) -> None:
    key: str = gateway.create()["id"]
    may_end = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield video[:1000]
        may_end.wait(60)
        yield video[1000:]

    answers: list[int] = []
    address = f"{API}/{key}/video"
    sender = threading.Thread(target=lambda: answers.append(gateway.http.put(address, content=pieces()).status_code))
    sender.start()
    wait_for(lambda: gateway.http.get(f"{API}/{key}").json()["state"] == "receiving")
    assert ask(gateway, key, "cancel")["state"] == "cancelled"
    may_end.set()
    sender.join()
    assert answers == [404]
    assert not gateway.library.folder(key).exists()


def test_a_failed_acquisition_is_tried_again_from_its_kept_video(gateway: Gateway, video: bytes) -> None:
    key = uploaded(gateway, video)
    number = min(gateway.store.pending(key))
    chunk = gateway.store.get_chunk(key, number)
    assert chunk is not None
    gateway.store.commit(key, chunk, star_localizations(5), frame_count=CHUNK_FRAMES, widefield=None)
    gateway.store.transition(key, State.FAILED, error="the model was not there")
    told = ask(gateway, key, "retry")
    assert (told["error"], told["frames_processed"], told["localizations"]) == (None, 0, 0)
    with working(gateway):
        finished = gateway.wait_for(key, "finished")
    assert (finished["frames_processed"], finished["chunks_processed"]) == (VIDEO_FRAMES, 4)
    assert (finished["localizations"], finished["error"]) == (0, None)


def test_a_phone_s_session_ends_before_its_video_is_tried_again_and_not_where_it_cannot_be(gateway: Gateway) -> None:
    created = gateway.create()
    key = created["id"]
    asyncio.run(film(created["whip_url"], pictures(20)))
    session = gateway.http.post(f"/whip/{key}", content=offer(), headers=SDP).headers["Location"]
    gap = {"session_id": "before", "frames_sent": 0, "frames_missed": 0, "away_s": 0.1}
    check_problem(gateway.http.post(f"{API}/{key}/retry"), 409, "wrong-state")
    assert gateway.http.put(f"{session}/gap", json=gap).status_code == 204
    gateway.store.transition(key, State.FAILED, error="the model was not there")
    ask(gateway, key, "retry")
    check_problem(gateway.http.put(f"{session}/gap", json=gap), 409, "wrong-state")
    with working(gateway):
        assert gateway.wait_for(key, "finished")["frames_processed"] == 20


def test_what_does_not_fit_the_state_is_refused_with_what_to_do(gateway: Gateway, video: bytes) -> None:
    key = uploaded(gateway, video)
    refusal = gateway.http.post(f"{API}/{key}/retry")
    check_problem(refusal, 409, "wrong-state")
    assert "wait until it is over, or cancel it" in refusal.json()["detail"]
    work(gateway, key)
    gateway.wait_for(key, "finished")
    for action in ("pause", "resume", "cancel", "retry"):
        check_problem(gateway.http.post(f"{API}/{key}/{action}"), 409, "wrong-state")


def test_a_failure_of_which_no_video_is_left_cannot_be_tried_again(gateway: Gateway) -> None:
    key = gateway.create()["id"]
    gateway.store.transition(key, State.FAILED, error="no model")
    refusal = gateway.http.post(f"{API}/{key}/retry")
    check_problem(refusal, 409, "wrong-state")
    assert "send the video again" in refusal.json()["detail"]


def test_a_request_that_is_sent_again_with_its_key_is_done_once(gateway: Gateway) -> None:
    before = len(gateway.store.ids())
    headers = {"Idempotency-Key": "made-by-the-client"}
    first, second = (
        gateway.http.post(API, json={"name": "once", "priority": "high"}, headers=headers) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["priority"] == "high"
    assert len(gateway.store.ids()) == before + 1
    for answer in (first, second):
        own = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert gateway.http.get(f"{API}/{answer.json()['id']}", headers=own).status_code == 200
    other = gateway.http.post(API, json={"name": "other"}, headers=headers)
    check_problem(other, 422, "key-reused")
    gateway.http.delete(f"{API}/{first.json()['id']}")
    check_problem(
        gateway.http.post(API, json={"name": "once", "priority": "high"}, headers=headers), 404, "acquisition-not-found"
    )
    assert gateway.store.redis.keys(f"token:*{first.json()['id']}*") == []
