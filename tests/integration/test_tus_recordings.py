"""What becomes of resumable uploads: acquisitions, refusals, limits, restarts."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import API, check_problem
from tests.integration.test_tus import APPEND, TUS, Server, checksum, metadata
from tests.integration.test_uploads import VIDEO_FRAMES, write_video

MIB = 2**20


@pytest.fixture
def server(gateway: Gateway) -> Server:
    """tus of the gateway as it runs now."""
    return server_of(gateway)


def server_of(gateway: Gateway) -> Server:
    return Server(f"{gateway.address}/api/v1/uploads", ADMIN_TOKEN, gateway.http)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4", [(96, 64)]).read_bytes()


def test_a_file_goes_to_the_acquisition_that_it_names(gateway: Gateway, server: Server, video: bytes) -> None:
    created = gateway.create()
    upload = server.create(len(video), **{"Upload-Metadata": metadata(acquisition=created["id"], filename="a.mp4")})
    server.append(upload, 0, video[:1000])
    assert gateway.http.get(f"{API}/{created['id']}").json()["state"] == "waiting"
    assert server.append(upload, 1000, video[1000:]).headers["Cellstorm-Acquisition"] == created["id"]
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == VIDEO_FRAMES
    assert gateway.library.upload(created["id"]).read_bytes() == video
    told = gateway.http.get(upload).json()
    assert (told["state"], told["offset"], told["acquisition_id"]) == ("taken", len(video), created["id"])


def test_a_file_that_names_no_acquisition_gets_a_new_one(gateway: Gateway, server: Server, video: bytes) -> None:
    said = metadata(filename="cells/actin 3.mp4", pixel_size_nm="80.5", type="video/mp4", frames="0:20")
    upload = server.create(len(video), **{"Upload-Metadata": said})
    acquisition_id = server.append(upload, 0, video).headers["Cellstorm-Acquisition"]
    settings = gateway.wait_for(acquisition_id, "processing")["settings"]
    assert (settings["name"], settings["pixel_size_nm"], settings["frames"]) == ("actin 3", 80.5, "0:20")


def test_an_acquisition_s_own_token_uploads_to_it_alone(gateway: Gateway, server: Server, video: bytes) -> None:
    created, other = gateway.create(), gateway.create()
    own = {**TUS, "Authorization": f"Bearer {created['token']}", "Upload-Length": str(len(video))}
    said = [{"Upload-Metadata": metadata(acquisition=each["id"])} for each in (created, other)]
    assert server.http.post(server.url, headers={**own, **said[0]}).status_code == 201
    assert server.http.post(server.url, headers={**own, **said[1]}).status_code == 401
    assert server.http.post(server.url, headers=own).status_code in (401, 403)
    upload = server.create(len(video), **said[1])
    for method in ("HEAD", "PATCH", "DELETE", "GET"):
        headers = {**APPEND, "Upload-Offset": "0", "Authorization": f"Bearer {created['token']}"}
        assert server.http.request(method, upload, headers=headers).status_code == 401


def test_a_setting_that_cannot_be_is_refused_before_anything_is_sent(server: Server) -> None:
    said = {"Upload-Length": "10", "Upload-Metadata": metadata(pixel_size_nm="wide")}
    check_problem(server.http.post(server.url, headers={**TUS, **said}), 422, "invalid-setting")


def test_an_acquisition_that_has_video_is_refused_before_anything_is_sent(
    gateway: Gateway, server: Server, video: bytes
) -> None:
    created = gateway.create()
    gateway.http.put(f"{API}/{created['id']}/video", content=video)
    said = {"Upload-Length": "10", "Upload-Metadata": metadata(acquisition=created["id"])}
    check_problem(server.http.post(server.url, headers={**TUS, **said}), 409, "wrong-state")


def test_a_file_that_is_no_video_is_refused_with_its_last_byte_and_remembered(gateway: Gateway, server: Server) -> None:
    created = gateway.create()
    upload = server.create(3000, **{"Upload-Metadata": metadata(acquisition=created["id"])})
    check_problem(server.append(upload, 0, b"no video at all" * 200), 422, "invalid-video")
    check_problem(server.append(upload, 3000, b""), 422, "invalid-video")
    told = server.http.get(upload).json()
    assert (told["state"], told["problem"]["status"]) == ("refused", 422)
    assert gateway.http.get(f"{API}/{created['id']}").json()["state"] == "waiting"
    assert not (gateway.data / "uploads" / told["id"] / "data").exists()


def test_a_refused_file_leaves_no_acquisition_behind(gateway: Gateway, server: Server) -> None:
    before = {each["id"] for each in gateway.http.get(API).json()}
    check_problem(server.append(server.create(3000), 0, b"no video at all" * 200), 422, "invalid-video")
    assert {each["id"] for each in gateway.http.get(API).json()} == before


def test_more_than_was_announced_is_refused_and_not_kept(server: Server) -> None:
    upload = server.create(1000)
    server.append(upload, 0, bytes(400))
    check_problem(server.append(upload, 400, bytes(601)), 413, "too-large")
    assert server.offset(upload) == 400


def test_an_acquisition_s_unfinished_uploads_have_a_limit(gateway: Gateway, server: Server) -> None:
    created = gateway.create()
    said = {**TUS, "Upload-Length": str(4 * MIB), "Upload-Metadata": metadata(acquisition=created["id"])}
    first = server.http.post(server.url, headers=said)
    assert first.status_code == 201
    check_problem(server.http.post(server.url, headers=said), 507, "storage-full")
    server.http.delete(first.headers["Location"], headers=TUS)
    assert server.http.post(server.url, headers=said).status_code == 201


def test_what_came_survives_a_killed_gateway(gateway: Gateway, server: Server, video: bytes) -> None:
    created = gateway.create()
    upload = server.create(len(video), **{"Upload-Metadata": metadata(acquisition=created["id"])})
    server.append(upload, 0, video[:1500])
    connection = server.half_sent(upload, 1500, video[1500:2500], announced=len(video) - 1500)
    gateway.stop(kill=True)
    connection.close()
    gateway.start()
    server = server_of(gateway)
    upload = f"{server.url}/{upload.rsplit('/', 1)[1]}"
    offset = server.offset(upload)
    assert 1500 <= offset <= 2500
    assert server.append(upload, offset, video[offset:]).status_code == 204
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == VIDEO_FRAMES
    assert gateway.library.upload(created["id"]).read_bytes() == video


def test_bytes_without_their_checksum_s_verdict_do_not_survive_a_killed_gateway(
    gateway: Gateway, server: Server
) -> None:
    upload = server.create(3 * MIB)
    server.append(upload, 0, bytes(100))
    body = bytes(2 * MIB)
    headers = {**APPEND, "Upload-Offset": "100", "Upload-Checksum": checksum("sha1", body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    path = httpx.URL(upload).path
    host, port = gateway.address.removeprefix("http://").split(":")
    data = gateway.data / "uploads" / path.rsplit("/", 1)[1] / "data"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{head}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[: MIB + MIB // 2]
        )
        deadline = time.monotonic() + 30
        while data.stat().st_size == 100:  # until the first piece is on the disk
            assert time.monotonic() < deadline
        gateway.stop(kill=True)
    assert data.stat().st_size > 100
    gateway.start()
    server = server_of(gateway)
    assert server.offset(f"{server.url}/{path.rsplit('/', 1)[1]}") == 100


def test_a_whole_file_that_nobody_had_taken_is_taken_after_a_restart(
    gateway: Gateway, server: Server, video: bytes
) -> None:
    """As if the gateway had been killed while it looked into the file."""
    created = gateway.create()
    upload = server.create(len(video), **{"Upload-Metadata": metadata(acquisition=created["id"])})
    gateway.stop(kill=True)
    (gateway.data / "uploads" / upload.rsplit("/", 1)[1] / "data").write_bytes(video)
    gateway.start()
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == VIDEO_FRAMES


def test_an_upload_that_is_left_alone_expires_and_its_bytes_are_gone(gateway: Gateway, server: Server) -> None:
    upload = server.create(1000)
    server.append(upload, 0, bytes(400))
    folder = gateway.data / "uploads" / upload.rsplit("/", 1)[1]
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(folder / "data", (long_ago, long_ago))
    assert server.http.head(upload, headers=TUS).status_code == 410
    deadline = time.monotonic() + 30
    while (folder / "data").exists():
        assert time.monotonic() < deadline
    assert server.http.head(upload, headers=TUS).status_code == 410
    assert server.http.get(upload).json()["state"] == "expired"
    metrics = server.http.get("/metrics").text
    assert 'cellstorm_uploads_total{outcome="expired"}' in metrics


def test_uploads_go_with_the_acquisition_that_they_were_for(gateway: Gateway, server: Server) -> None:
    created = gateway.create()
    upload = server.create(1000, **{"Upload-Metadata": metadata(acquisition=created["id"])})
    folder: Path = gateway.data / "uploads" / upload.rsplit("/", 1)[1]
    assert gateway.http.delete(f"{API}/{created['id']}").status_code == 204
    deadline = time.monotonic() + 30
    while folder.exists():
        assert time.monotonic() < deadline
