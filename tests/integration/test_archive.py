"""The end of an acquisition: its result folder, what leaves Redis, and what comes back after Redis has lost everything."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cellstorm.acquisitions import State
from cellstorm.localizations import empty
from cellstorm.messages import BinaryMessage
from cellstorm.results import picasso
from cellstorm.settings import Settings
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.session import Intake
from cellstorm_server.queueing import JobQueues
from tests.fakes import blinking_localizations, filaments_and_rings_nm, star_localizations
from tests.gateway import Gateway
from tests.intake_bench import frames_of, headers, recording
from tests.integration.test_live import receive_binary, receive_text, watching
from tests.integration.test_rest import API, bearer, check_problem
from tests.integration.test_uploads import VIDEO_FRAMES, write_video

FILES = {
    "localizations.csv",
    "localizations.hdf5",
    "localizations.smlm",
    "localizations.yaml",
    "reconstruction.ome.tif",
    "reconstruction.png",
    "report.html",
    "report.json",
    "widefield.ome.tif",
    "widefield.png",
}


def wait_until_expired(gateway: Gateway, acquisition_id: str) -> None:
    deadline = time.monotonic() + 20
    while gateway.store.commits_after(acquisition_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_told(gateway: Gateway, acquisition_id: str) -> dict[str, Any]:
    """The acquisition, once it shows an error."""
    deadline = time.monotonic() + 30
    while True:
        told: dict[str, Any] = gateway.http.get(f"{API}/{acquisition_id}").json()
        if told["error"] is not None:
            return told
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_results_are_complete_and_true(gateway: Gateway) -> None:
    created = gateway.create(name="star")
    table = star_localizations(100)
    gateway.commit(created["id"], table, frames=50)
    check_problem(gateway.http.get(f"{API}/{created['id']}/archive.zip"), 409, "result-not-ready")
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    archive = zipfile.ZipFile(io.BytesIO(gateway.http.get(f"{API}/{created['id']}/archive.zip").content))
    assert archive.testzip() is None
    assert set(archive.namelist()) == FILES
    report = json.loads(archive.read("report.json"))
    assert (report["name"], report["localizations"], report["frames_processed"]) == ("star", 100, 50)
    assert report["generator"]["name"] == "default"
    written, _ = picasso.read(gateway.library.results(created["id"]) / "localizations.hdf5")
    np.testing.assert_allclose(written["x_nm"], table["x_nm"], rtol=1e-6)


def test_a_finished_table_is_the_files_own_and_an_older_folder_without_it_is_made_up_for(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(100), frames=50)
    address = f"{API}/{created['id']}/localizations.smlm"
    live = gateway.http.get(address).content
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    kept = gateway.library.results(created["id"]) / "localizations.smlm"
    assert gateway.http.get(address).content == kept.read_bytes() == live
    kept.unlink()  # written by a version that knew no .smlm
    assert gateway.http.get(address).content == live


def test_nothing_is_written_before_all_is_processed(gateway: Gateway, tmp_path: Path) -> None:
    created = gateway.create()
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes())
    gateway.wait_for(created["id"], "processing")
    for number in range(4):
        assert not gateway.library.results(created["id"]).exists()
        chunk = gateway.store.get_chunk(created["id"], number)
        assert chunk is not None
        gateway.store.commit(created["id"], chunk, empty(), frame_count=chunk.header.frame_count, widefield=None)
    finished = gateway.wait_for(created["id"], "finished")
    assert finished["frames_processed"] == VIDEO_FRAMES
    assert finished["video_sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    report = json.loads((gateway.library.results(created["id"]) / "report.json").read_text())
    assert report["source"]["codec"] == "h264"
    assert report["source"]["kind"] == "upload"
    seen = report["analysis"]["recording"]
    assert (seen["quantiser"]["frames"], seen["quantiser"]["key_frames"], seen["frames_sampled"]) == (
        VIDEO_FRAMES,
        VIDEO_FRAMES // 10,
        100,
    )
    assert gateway.library.upload(created["id"]).exists()


def test_results_are_served_when_redis_no_longer_has_them(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(100))
    before = gateway.http.get(f"{API}/{created['id']}/localizations.csv").text
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    wait_until_expired(gateway, created["id"])
    gateway.stop()
    gateway.start()
    assert gateway.http.get(f"{API}/{created['id']}/localizations.csv").text == before
    for name in ("reconstruction.png", "widefield.png", "widefield.ome.tif", "reconstruction.ome.tif"):
        assert gateway.http.get(f"{API}/{created['id']}/{name}").status_code == 200, name
    with watching(created | {"live_url": _moved(created["live_url"], gateway)}) as viewer:
        receive_text(viewer)
        snapshot: BinaryMessage = receive_binary(viewer)
    assert (len(snapshot.table), snapshot.frames_processed) == (100, 10)


def test_finished_acquisitions_survive_the_loss_of_redis(gateway: Gateway) -> None:
    created = gateway.create(name="kept", roi="0,0,32,32")
    gateway.store.set_fields(created["id"], reprocessed_from="another", video_sha256="5e", source="{}")
    gateway.commit(created["id"], star_localizations(50))
    gateway.http.post(f"{API}/{created['id']}/finish")
    before = gateway.wait_for(created["id"], "finished")
    gateway.stop()
    gateway.store.redis.flushall()
    gateway.start()
    address = f"{gateway.address}{API}/{created['id']}"
    after = gateway.http.get(address, headers=bearer(created["token"])).json()
    for name in ("settings", "generator", "state", "created_at", "roi", "frames_processed", "localizations", "error"):
        assert after[name] == before[name], name
    assert (after["reprocessed_from"], after["video_sha256"], after["video_from"]) == ("another", "5e", "file")
    assert len(gateway.http.get(f"{address}/localizations.csv").text.splitlines()) == 51


def test_what_a_version_with_wider_limits_has_stored_is_still_read(gateway: Gateway) -> None:
    created = gateway.create(threshold=0.5)
    gateway.commit(created["id"], star_localizations(50))
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    gateway.stop()
    record = gateway.library.folder(created["id"]) / "acquisition.json"
    record.write_text(record.read_text().replace('"threshold": 0.5', '"threshold": 0.01'))
    gateway.store.redis.flushall()
    gateway.start()
    thresholds = {entry["id"]: entry["settings"]["threshold"] for entry in gateway.http.get(API).json()}
    assert thresholds[created["id"]] == 0.02


def test_what_was_measured_on_the_way_does_not_outlive_a_report_that_knows_nothing_of_it(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(20), frames=20)
    gateway.store.set_fields(created["id"], resolution_nm=96.0, drift_nm=5.0)
    gateway.http.post(f"{API}/{created['id']}/finish")
    finished = gateway.wait_for(created["id"], "finished")
    assert (finished["resolution_nm"], finished["drift_nm"]) == (None, None)


def test_the_resolution_is_known_at_the_end_and_stays_known(gateway: Gateway) -> None:
    created = gateway.create()
    structure = filaments_and_rings_nm(800, side_nm=6300)
    gateway.commit(created["id"], blinking_localizations(structure, 300, 30, precision_nm=20), frames=300)
    assert gateway.http.get(f"{API}/{created['id']}").json()["resolution_nm"] is None
    gateway.http.post(f"{API}/{created['id']}/finish")
    finished = gateway.wait_for(created["id"], "finished")
    report = json.loads((gateway.library.results(created["id"]) / "report.json").read_text())
    assert 30 < finished["resolution_nm"] < 200
    assert finished["resolution_nm"] == report["analysis"]["resolution_nm"]
    gateway.stop()
    gateway.store.redis.flushall()
    gateway.start()
    after = gateway.http.get(f"{gateway.address}{API}/{created['id']}", headers=bearer(created["token"])).json()
    assert after["resolution_nm"] == finished["resolution_nm"]


def test_an_archive_that_cannot_be_written_is_told_and_tried_again(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(50))
    # A file where the folder should be: as good as a disk that refuses.
    obstacle = gateway.library.results(created["id"])
    obstacle.write_text("in the way")
    gateway.http.post(f"{API}/{created['id']}/finish")
    told = wait_until_told(gateway, created["id"])
    assert told["state"] == State.PROCESSING
    assert str(gateway.data) not in told["error"]
    obstacle.unlink()
    gateway.stop()  # the one that is started next tries at once
    gateway.start()
    finished = gateway.wait_for(created["id"], "finished")
    assert {path.name for path in obstacle.iterdir()} == FILES
    assert finished["error"] is None


def test_what_nobody_expected_of_an_archive_is_told_and_not_tried_again_at_once(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(50))
    gateway.store.set_fields(created["id"], started_at="soon")
    gateway.http.post(f"{API}/{created['id']}/finish")
    assert wait_until_told(gateway, created["id"])["state"] == State.PROCESSING
    time.sleep(3)  # six rounds of the upkeep
    log = gateway.log.read_text()
    assert "ValueError: could not convert string to float: 'soon'" in log
    assert len([line for line in log.splitlines() if "archive put off" in line and created["id"] in line]) == 1


def test_a_spool_file_that_was_never_finished_keeps_nothing_from_its_end(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(50))
    spool = gateway.library.spool(created["id"])
    spool.mkdir()
    (spool / "00000001.part").write_bytes(b"half a chunk")  # of a gateway that was killed
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    assert not spool.exists()


def test_a_chunk_that_the_kept_video_alone_has_is_localized_before_the_end(gateway: Gateway) -> None:
    key = gateway.create()["id"]
    settings = Settings(data=gateway.data, redis_url=gateway.redis.url)
    feeder = Feeder(gateway.store, JobQueues(gateway.store.redis), gateway.library, settings)
    gateway.store.set_fields(key, live=1)
    gateway.store.transition(key, State.RECEIVING)
    intake = Intake(key, "session", gateway.store, feeder, gateway.library)
    intake.take(frames_of(recording(20)))
    intake.finish()
    # Redis comes back a second older, without the second chunk; and all that it has is localized.
    gateway.store.set_fields(key, chunks_received=1, next_frame=10, frames_received=10)
    first, second = (gateway.store.get_chunk(key, number) for number in range(2))
    assert first is not None
    assert second is not None
    gateway.store.redis.zrem(f"acq:{{{key}}}:pending", 1)
    gateway.store.give_up(key, first, "")
    gateway.http.post(f"{API}/{key}/finish").raise_for_status()
    deadline = time.monotonic() + 30
    while not gateway.store.pending(key):
        assert time.monotonic() < deadline
        assert gateway.http.get(f"{API}/{key}").json()["state"] == State.PROCESSING
        time.sleep(0.05)
    again = gateway.store.get_chunk(key, 1)
    assert again is not None
    assert headers([again]) == headers([second])
    assert gateway.http.get(f"{API}/{key}").json()["frames_received"] == 20


def _moved(address: str, gateway: Gateway) -> str:
    return gateway.address.replace("http", "ws") + address[address.index("/api") :]
