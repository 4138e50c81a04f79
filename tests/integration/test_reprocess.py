"""A kept acquisition again with other settings, on a real gateway, and the two side by side."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cellstorm.generator import Generator
from cellstorm.localizations import Localizations
from cellstorm.results import picasso
from cellstorm.results.folder import TABLE_HDF5, VIDEO
from cellstorm.settings import Settings
from cellstorm.zoo import zoo_folder
from cellstorm_cli.main import main
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.session import Intake
from cellstorm_server.queueing import JobQueues
from cellstorm_worker.jobs import ChunkJobs, Generators
from cellstorm_worker.onnx_generator import WarmGenerators
from tests.fakes import PeakGenerator
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.intake_bench import frames_of, recording
from tests.integration.test_rest import API, check_problem

_OVER = ("finished", "failed")


class Peaks:
    """A worker's generators: one, whatever its name."""

    def get(self, name: str, release: str | None = None) -> Generator:
        return PeakGenerator()


def work_until_over(gateway: Gateway, acquisition_id: str, generators: Generators | None = None) -> dict[str, Any]:
    """Be the worker of an acquisition; how it ended."""
    jobs = ChunkJobs(gateway.store, generators or Peaks())
    deadline = time.monotonic() + 60
    while True:
        for number in sorted(gateway.store.pending(acquisition_id)):
            jobs.localize_chunk({"acquisition_id": acquisition_id, "chunk": number}, lambda: None)
        told: dict[str, Any] = gateway.http.get(f"{API}/{acquisition_id}").json()
        if told["state"] in _OVER:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def film(gateway: Gateway, lost: frozenset[int], generators: Generators | None = None, **settings: object) -> str:
    """A live acquisition of two sessions with losses, finished; its id."""
    acquisition_id = str(gateway.create(**settings)["id"])
    process = Settings(data=gateway.data, redis_url=gateway.redis.url)
    feeder = Feeder(gateway.store, JobQueues(gateway.store.redis), gateway.library, process)
    units = recording(80)
    for session, part in enumerate((units[:40], units[40:])):
        intake = Intake(acquisition_id, f"session-{session}", gateway.store, feeder, gateway.library)
        intake.take(frames_of(part, lost=lost, start_s=1000.0 + 10 * session))
        intake.finish()
    gateway.http.post(f"{API}/{acquisition_id}/finish").raise_for_status()
    told = work_until_over(gateway, acquisition_id, generators)
    assert told["state"] == "finished", told
    return acquisition_id


def reprocessed(gateway: Gateway, acquisition_id: str, **changes: object) -> dict[str, Any]:
    """The new acquisition, finished."""
    response = gateway.http.post(f"{API}/{acquisition_id}/reprocess", json=changes)
    assert response.status_code == 201, response.text
    return work_until_over(gateway, response.json()["id"])


def table_of(gateway: Gateway, acquisition_id: str) -> Localizations:
    return picasso.read(gateway.library.results(acquisition_id) / TABLE_HDF5)[0]


@pytest.fixture(scope="module")
def live(gateway: Gateway) -> str:
    """Frames lost inside a group, at its end, and a key frame; in each of two sessions."""
    return film(gateway, frozenset({14, 28, 29, 30}))


def test_the_same_settings_give_the_same_table_bit_for_bit_in_spite_of_gaps(gateway: Gateway, live: str) -> None:
    new = reprocessed(gateway, live)
    old = gateway.http.get(f"{API}/{live}").json()
    assert len(table_of(gateway, live)) > 1000
    assert new["settings"]["name"] == f"{old['settings']['name']}, again"
    assert table_of(gateway, new["id"]).tobytes() == table_of(gateway, live).tobytes()
    for counter in ("frames_received", "frames_lost", "frames_damaged", "frames_processed", "localizations"):
        assert new[counter] == old[counter], counter
    assert old["frames_lost"] >= 8
    told = gateway.http.get(f"{API}/{live}/compare/{new['id']}").json()
    assert told["identical"]
    assert told["jaccard"] == 1


def test_a_request_that_is_sent_again_makes_one_acquisition(gateway: Gateway, live: str) -> None:
    address, headers = f"{API}/{live}/reprocess", {"Idempotency-Key": "again"}
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(gateway.http.post, address, json={"name": "new"}, headers=headers) for _ in range(2)]
    later = gateway.http.post(address, json={"name": "new"}, headers=headers)
    answers = [*(one.result() for one in both), later]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    [made] = {answer.json()["id"] for answer in answers}
    assert work_until_over(gateway, made)["state"] == "finished"
    check_problem(gateway.http.post(address, json={"name": "new", "roi": None}, headers=headers), 422, "key-reused")
    assert not list(gateway.library.folder(live).glob(".*"))


def test_either_can_be_deleted_without_the_other(gateway: Gateway) -> None:
    first = film(gateway, frozenset())
    second = str(reprocessed(gateway, first)["id"])
    assert gateway.library.upload(second).samefile(gateway.library.results(first) / VIDEO)
    assert gateway.http.delete(f"{API}/{first}").status_code == 204
    third = reprocessed(gateway, second)
    assert third["state"] == "finished"
    assert table_of(gateway, third["id"]).tobytes() == table_of(gateway, second).tobytes()


def test_other_settings_are_compared_in_the_frames_own_coordinates(gateway: Gateway, live: str) -> None:
    new = reprocessed(gateway, live, roi="40,8,48,48", frames="10:50", name="a part", threshold=0.6)
    assert new["settings"]["name"] == "a part"
    assert new["settings"]["threshold"] == 0.6
    assert new["reprocessed_from"] == live
    assert new["generator"] == gateway.http.get(f"{API}/{live}").json()["generator"]
    assert new["roi"] == "40,8,48,48"
    told = gateway.http.get(f"{API}/{live}/compare/{new['id']}").json()
    assert (told["roi"], told["frames"], told["same_recording"]) == ("40,8,48,48", "10:50", True)
    assert told["jaccard"] > 0.99
    assert told["first"]["localizations"] < len(table_of(gateway, live))
    assert told["first"]["frames"] <= 40
    assert abs(told["offset_x_nm"]) < 1e-3
    picture = gateway.http.get(f"{API}/{live}/compare/{new['id']}/difference.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_a_threshold_that_nothing_reaches_gives_nothing(gateway: Gateway, live: str) -> None:
    assert reprocessed(gateway, live, threshold=0.95)["localizations"] == 0


def test_the_report_tells_what_was_reprocessed_and_reconstruct_makes_the_same_settings_of_it(
    gateway: Gateway, live: str
) -> None:
    archive = gateway.http.get(f"{API}/{live}/archive.zip")
    assert archive.status_code == 200
    report = _report(gateway, live)
    assert report["source"]["file"] == VIDEO
    assert len(report["source"]["sha256"]) == 64
    assert report["settings"]["roi"] == report["roi"] or isinstance(report["settings"]["roi"], str)
    new = reprocessed(gateway, live)
    assert _report(gateway, new["id"])["source"]["reprocessed_from"] == live
    assert _report(gateway, new["id"])["source"]["sha256"] == report["source"]["sha256"]


def test_reconstruct_makes_a_live_acquisitions_table_again_of_its_folder_alone(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = zoo_folder()
    monkeypatch.setenv("CELLSTORM_ZOO", str(zoo))
    shutil.copytree(zoo / "classical", gateway.zoo / "classical")
    live = film(gateway, frozenset({14, 28, 29}), WarmGenerators(zoo), model="classical", frames="5:70")
    folder = shutil.copytree(gateway.library.results(live), tmp_path / "fetched")
    assert main(["reconstruct", "--from", str(folder / "report.json"), "--out", str(tmp_path / "again")]) == 0
    again = picasso.read(tmp_path / "again" / TABLE_HDF5)[0]
    assert len(again) > 100
    assert again.tobytes() == table_of(gateway, live).tobytes()


def _report(gateway: Gateway, acquisition_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((gateway.library.results(acquisition_id) / "report.json").read_text())
    return told


def test_what_cannot_be_reprocessed_is_refused_and_leaves_nothing(gateway: Gateway, live: str) -> None:
    before = gateway.store.ids()
    waiting = gateway.create()["id"]
    check_problem(gateway.http.post(f"{API}/{waiting}/reprocess", json={}), 409, "wrong-state")
    for changes in ({"roi": "0,0,4,4"}, {"threshold": 0.01}, {"frames": "5:5"}, {"frames": "900:1000"}):
        response = gateway.http.post(f"{API}/{live}/reprocess", json=changes)
        check_problem(response, 422, "invalid-setting")
        assert next(iter(changes)) in response.json()["detail"]
    check_problem(gateway.http.post(f"{API}/{live}/reprocess", json={"roi": "90,0,64,64"}), 422, "invalid-setting")
    check_problem(gateway.http.post(f"{API}/{live}/reprocess", json={"model": "nobody"}), 422, "model-unavailable")
    assert set(gateway.store.ids()) == {*before, waiting}
    assert not list(gateway.library.folder(live).glob(".reprocess-*"))


def test_who_may_watch_may_compare_but_not_reprocess(gateway: Gateway, live: str) -> None:
    other = gateway.create()
    own = {"Authorization": f"Bearer {other['token']}"}
    answer = httpx.post(f"{gateway.address}{API}/{live}/reprocess", json={}, headers=own)
    check_problem(answer, 401, "not-allowed")
    answer = httpx.get(f"{gateway.address}{API}/{other['id']}/compare/{live}", headers=own)
    check_problem(answer, 401, "not-allowed")


def test_the_commands_reprocess_and_compare(
    gateway: Gateway, live: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLSTORM_ADMIN_TOKEN", ADMIN_TOKEN)
    out, difference = tmp_path / "out", tmp_path / "difference.png"
    known = set(gateway.store.ids())
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(_work_on_the_next, gateway, known)
        arguments = ["--server", gateway.address, "--frames", "0:40", "--out", str(out), "--json"]
        assert main(["reprocess", live, *arguments]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    new = told["acquisition"]["id"]
    assert new == working.result()["id"]
    assert told["comparison"]["jaccard"] == 1
    assert told["comparison"]["frames"] == "0:40"
    assert picasso.read(out / TABLE_HDF5)[0].tobytes() == table_of(gateway, new).tobytes()
    assert main(["compare", live, new, "--server", gateway.address, "--difference", str(difference)]) == 0
    printed = capsys.readouterr().out
    assert "compared in frames 0:40, which both have" in printed
    assert "the tables are identical" in printed
    assert difference.read_bytes().startswith(b"\x89PNG")
    assert main(["reprocess", "doesnotexist", "--server", gateway.address]) == 2
    capsys.readouterr()
    assert main(["reprocess", live, "--server", gateway.address, "--token", "of-somebody-else"]) == 2
    refused = capsys.readouterr().err
    assert "--token, or CELLSTORM_ADMIN_TOKEN" in refused
    assert "join code" not in refused
    assert main(["reprocess", live, "--server", gateway.address, "--frames", "900:1000"]) == 2
    assert "the recording has no frames 900:1000: it ends at" in capsys.readouterr().err


def _work_on_the_next(gateway: Gateway, known: set[str]) -> dict[str, Any]:
    """Be the worker of an acquisition that is not there yet."""
    deadline = time.monotonic() + 60
    while not (new := set(gateway.store.ids()) - known):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return work_until_over(gateway, new.pop())
