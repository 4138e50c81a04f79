"""Batches against a real gateway; the test itself is the worker."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cellstorm.acquisitions import State
from tests.gateway import Gateway
from tests.integration.test_archive import FILES
from tests.integration.test_jobs import working
from tests.integration.test_rest import API, bearer, check_problem
from tests.integration.test_uploads import VIDEO_FRAMES, write_video

BATCHES = "/api/v1/batches"


@pytest.fixture
def video(tmp_path: Path) -> bytes:
    return write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()


def open_batch(gateway: Gateway, *files: str, **more: object) -> dict[str, Any]:
    answer = gateway.http.post(BATCHES, json={"name": "plate", "files": files, **more})
    answer.raise_for_status()
    batch: dict[str, Any] = answer.json()
    return batch


def send(gateway: Gateway, batch: dict[str, Any], place: int, content: bytes) -> int:
    address = f"{API}/{batch['acquisitions'][place]['id']}/video"
    return gateway.http.put(address, content=content, headers=bearer(batch["token"])).status_code


def read(gateway: Gateway, batch: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = gateway.http.get(f"{BATCHES}/{batch['id']}", headers=bearer(batch["token"])).json()
    return told


def wait_until_over(gateway: Gateway, batch: dict[str, Any]) -> dict[str, Any]:
    for member in batch["acquisitions"]:
        gateway.wait_for(member["id"], "finished", "failed", "cancelled")
    return read(gateway, batch)


def test_a_batch_for_a_model_that_is_not_there_leaves_nothing(gateway: Gateway) -> None:
    answer = gateway.http.post(BATCHES, json={"name": "plate", "files": ["a.mp4"], "settings": {"model": "nosuch"}})
    assert (answer.status_code, "no model 'nosuch'" in answer.json()["detail"]) == (422, True)
    assert gateway.http.get(BATCHES).json() == []


def test_one_broken_file_fails_alone_with_its_reason(gateway: Gateway, video: bytes) -> None:
    batch = open_batch(gateway, "a.mp4", "broken.mp4", "c.mp4", settings={"pixel_size_nm": 80})
    with working(gateway):
        assert [send(gateway, batch, place, content) for place, content in enumerate((video, b"text", video))] == [
            202,
            422,
            202,
        ]
        told = wait_until_over(gateway, batch)
    assert told["is_over"]
    assert {state: count for state, count in told["states"].items() if count} == {"finished": 2, "failed": 1}
    assert (told["frames_processed"], told["frames_expected"]) == (2 * VIDEO_FRAMES, 2 * VIDEO_FRAMES)
    assert [member["name"] for member in told["acquisitions"]] == ["a", "broken", "c"]
    assert "not a video" in told["acquisitions"][1]["error"]
    archive = zipfile.ZipFile(io.BytesIO(gateway.http.get(f"{BATCHES}/{batch['id']}/archive.zip").content))
    assert archive.testzip() is None
    assert set(archive.namelist()) == {"batch.json"} | {
        f"{folder}/{name}" for folder in ("0001-a", "0003-c") for name in FILES
    }
    assert json.loads(archive.read("batch.json"))["states"]["failed"] == 1
    assert json.loads(archive.read("0003-c/report.json"))["pixel_size_nm"] == 80


def test_acquisitions_join_later_with_what_they_choose_and_the_batch_for_the_rest(gateway: Gateway) -> None:
    batch = open_batch(gateway, settings={"pixel_size_nm": 80}, priority="low")
    address = f"{BATCHES}/{batch['id']}/acquisitions"
    joined = gateway.http.post(address, json={"name": "late", "frames": "0:10"}, headers=bearer(batch["token"]))
    assert joined.status_code == 201
    told = joined.json()
    assert (told["batch_id"], told["priority"], told["state"]) == (batch["id"], "low", "waiting")
    assert (told["settings"]["pixel_size_nm"], told["settings"]["frames"]) == (80, "0:10")
    assert [member["name"] for member in read(gateway, batch)["acquisitions"]] == ["late"]
    check_problem(gateway.http.get(f"{BATCHES}/{batch['id']}/archive.zip"), 409, "result-not-ready")


def test_a_batch_is_paused_resumed_cancelled_and_deleted_as_one(gateway: Gateway, video: bytes) -> None:
    batch = open_batch(gateway, "a.mp4", "b.mp4")
    address = f"{BATCHES}/{batch['id']}"
    gateway.http.post(f"{address}/pause").raise_for_status()
    assert [send(gateway, batch, place, video) for place in range(2)] == [202, 202]
    assert read(gateway, batch)["paused"] == 2
    assert gateway.http.post(f"{address}/resume").json()["paused"] == 0
    cancelled = gateway.http.post(f"{address}/cancel").json()
    assert (cancelled["states"]["cancelled"], cancelled["is_over"]) == (2, True)
    assert gateway.http.delete(address).status_code == 204
    check_problem(gateway.http.get(address), 404, "batch-not-found")
    assert {member["id"] for member in batch["acquisitions"]}.isdisjoint(gateway.store.ids())
    assert gateway.store.redis.keys(f"batch:*{batch['id']}*") == []


def test_what_failed_is_tried_again(gateway: Gateway, video: bytes) -> None:
    batch = open_batch(gateway, "a.mp4", "b.mp4")
    assert [send(gateway, batch, place, video) for place in range(2)] == [202, 202]
    keys = [member["id"] for member in batch["acquisitions"]]
    for key in keys:
        gateway.wait_for(key, "processing")
    gateway.store.transition(keys[0], State.FAILED, error="no model")
    assert read(gateway, batch)["states"]["failed"] == 1
    assert gateway.http.post(f"{BATCHES}/{batch['id']}/retry-failed").json()["states"]["failed"] == 0
    with working(gateway):
        assert wait_until_over(gateway, batch)["states"]["finished"] == 2


def test_a_batch_belongs_to_its_token_and_the_admin(gateway: Gateway) -> None:
    mine, yours = open_batch(gateway, "a.mp4"), open_batch(gateway, "b.mp4")
    own = bearer(mine["token"])
    assert gateway.http.get(f"{BATCHES}/{mine['id']}", headers=own).status_code == 200
    assert gateway.http.get(f"{API}/{mine['acquisitions'][0]['id']}", headers=own).status_code == 200
    for address in (f"{BATCHES}/{yours['id']}", f"{BATCHES}/unheard-of", f"{API}/{yours['acquisitions'][0]['id']}"):
        check_problem(gateway.http.get(address, headers=own), 401, "not-allowed")
    assert [batch["id"] for batch in gateway.http.get(BATCHES, headers=own).json()] == [mine["id"]]
    assert [batch["id"] for batch in gateway.http.get(BATCHES).json()][:2] == [yours["id"], mine["id"]]
    check_problem(gateway.http.post(BATCHES, json={}, headers=own), 401, "not-allowed")


def test_a_batch_that_is_opened_again_with_its_key_is_the_same(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "plate-1"}
    body = {"name": "plate", "files": ["a.mp4", "b.mp4"]}
    first, second = (gateway.http.post(BATCHES, json=body, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert first["acquisitions"] == second["acquisitions"]
    assert first["token"] != second["token"]
    check_problem(gateway.http.post(BATCHES, json={"name": "other"}, headers=headers), 422, "key-reused")


def test_its_token_adds_a_recording_once_with_the_same_key(gateway: Gateway) -> None:
    batch = open_batch(gateway, "a.mp4")
    headers = {**bearer(batch["token"]), "Idempotency-Key": "one-more"}
    address = f"{BATCHES}/{batch['id']}/acquisitions"
    first, second = (gateway.http.post(address, json={"name": "late"}, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert len(read(gateway, batch)["acquisitions"]) == 2


def test_requests_with_one_key_at_the_same_moment_add_each_file_once(gateway: Gateway) -> None:
    body = {"name": "plate", "files": [f"{number}.mp4" for number in range(8)]}
    with ThreadPoolExecutor(4) as pool:
        answers = [
            pool.submit(gateway.http.post, BATCHES, json=body, headers={"Idempotency-Key": "at-once"}) for _ in range(4)
        ]
    assert {answer.result().status_code for answer in answers} == {201}
    [batch_id] = {answer.result().json()["id"] for answer in answers}
    names = [member["name"] for member in gateway.http.get(f"{BATCHES}/{batch_id}").json()["acquisitions"]]
    assert names == [str(number) for number in range(8)]


def test_of_many_tokens_of_a_batch_the_first_and_the_newest_open_it(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "again-and-again"}
    tokens = [gateway.http.post(BATCHES, json={"name": "plate"}, headers=headers).json()["token"] for _ in range(11)]
    answers = [gateway.http.get(BATCHES, headers=bearer(token)) for token in tokens]
    assert [answer.status_code for answer in answers] == [200, 401, 401, *8 * [200]]
    check_problem(answers[1], 401, "not-allowed")


def test_a_batch_of_too_many_files_is_refused(gateway: Gateway) -> None:
    answer = gateway.http.post(BATCHES, json={"files": ["a.mp4"] * 1001})
    check_problem(answer, 422, "invalid-request")


def test_a_batch_does_not_fill_the_queue_before_somebody_elses_single_recording(gateway: Gateway, video: bytes) -> None:
    batch = open_batch(gateway, *(f"{number}.mp4" for number in range(6)))
    assert {send(gateway, batch, place, video) for place in range(6)} == {202}
    single = gateway.create()["id"]
    gateway.http.put(f"{API}/{single}/video", content=video).raise_for_status()
    gateway.wait_for(single, "processing")  # all of it is in the queue, and nothing was localized
    waiting = sum(len(gateway.store.pending(member["id"])) for member in batch["acquisitions"])
    assert 16 <= waiting < 20  # of 24; each of the four threads that feed may see room at the same moment
    with working(gateway):
        wait_until_over(gateway, batch)
