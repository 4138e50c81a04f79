"""Which files can be fetched, and the newest frame as a picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cellstorm.decoding import decode
from cellstorm.rendering import widefield_png
from tests.fakes import star_localizations
from tests.gateway import Gateway
from tests.integration.test_rest import API, check_problem
from tests.integration.test_uploads import CHUNK_FRAMES, write_video


def names(gateway: Gateway, acquisition_id: str) -> dict[str, int | None]:
    """Of the files that are listed, with their sizes."""
    listed = gateway.http.get(f"{API}/{acquisition_id}/files").raise_for_status().json()
    return {file["name"]: file["bytes"] for file in listed}


def commit_next(gateway: Gateway, acquisition_id: str, number: int) -> bytes:
    """What a worker would do; the picture of the chunk's last frame, as the gateway should show it."""
    chunk = gateway.store.get_chunk(acquisition_id, number)
    assert chunk is not None
    table = star_localizations(5)
    assert (
        gateway.store.commit(acquisition_id, chunk, table, frame_count=chunk.header.frame_count, widefield=None)
        == "committed"
    )
    return widefield_png(decode(chunk)[-1])


def test_what_can_be_fetched_is_listed_before_and_after_the_end(gateway: Gateway) -> None:
    created = gateway.create()
    assert names(gateway, created["id"]) == {}
    gateway.commit(created["id"], star_localizations(100))
    running = names(gateway, created["id"])
    assert {"reconstruction.png", "localizations.csv", "widefield.png"} <= set(running)
    assert set(running.values()) == {None}
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    finished = names(gateway, created["id"])
    assert {"report.html", "report.json", "localizations.hdf5"} <= set(finished)
    for file in gateway.http.get(f"{API}/{created['id']}/files").json():
        answer = gateway.http.get(file["url"])
        assert (answer.status_code, len(answer.content)) == (200, file["bytes"])
        assert answer.headers["content-type"].startswith(file["media_type"])
        assert file["name"] in answer.headers["content-disposition"]


def test_a_report_opens_in_a_tab_where_it_reaches_nothing(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(100))
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    address = f"{API}/{created['id']}/files"
    report = gateway.http.get(f"{address}/report.html").raise_for_status()
    assert report.headers["content-disposition"].startswith("inline")
    policy = report.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'"} <= set(policy)
    assert not any(rule.startswith(("script-src", "connect-src")) for rule in policy)
    for name in ("report.json", "localizations.csv", "reconstruction.png"):
        assert gateway.http.get(f"{address}/{name}").headers["content-disposition"].startswith("attachment")


def test_nothing_but_results_can_be_fetched(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(10))
    address = f"{API}/{created['id']}/files"
    check_problem(gateway.http.get(f"{address}/report.json"), 409, "result-not-ready")
    gateway.http.post(f"{API}/{created['id']}/finish")
    gateway.wait_for(created["id"], "finished")
    for name in ("other.json", "..%2F..%2F..%2Fadmin-token", ".incomplete"):
        assert gateway.http.get(f"{address}/{name}").status_code in (404, 409)


def test_the_newest_frame_is_one_whose_localizations_are_there(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes()).raise_for_status()
    gateway.wait_for(created["id"], "processing")
    address = f"{API}/{created['id']}/frames/last.png"
    wanted = commit_next(gateway, created["id"], 2)
    newest = gateway.http.get(address)
    assert (newest.status_code, newest.headers["x-frame-index"]) == (200, str(3 * CHUNK_FRAMES - 1))
    assert hashlib.sha256(newest.content).digest() == hashlib.sha256(wanted).digest()
    again = gateway.http.get(address, headers={"If-None-Match": newest.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_before_the_first_localized_frame_there_is_none(gateway: Gateway) -> None:
    check_problem(gateway.http.get(f"{API}/{gateway.create()['id']}/frames/last.png"), 409, "result-not-ready")


def test_the_newest_frame_is_read_from_the_kept_video_after_a_restart(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes()).raise_for_status()
    gateway.wait_for(created["id"], "processing")
    pictures = [commit_next(gateway, created["id"], number) for number in range(3)]
    gateway.stop()
    gateway.start()
    newest = gateway.http.get(f"{API}/{created['id']}/frames/last.png")
    assert (newest.headers["x-frame-index"], newest.content) == (str(3 * CHUNK_FRAMES - 1), pictures[-1])
