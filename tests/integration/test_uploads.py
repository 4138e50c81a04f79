"""Plain uploads: what is taken, what is refused, and that nothing of what is refused stays."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile

from tests.fakes import numbered_frames
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import API, check_problem


def write_video(path: Path, sizes: list[tuple[int, int]], frames: int = 40) -> Path:
    """H.264 in MPEG-TS or MP4, a key frame every 10; each of `sizes` (width, height) for `frames` frames."""
    with av.open(str(path), "w") as container:
        for place, (width, height) in enumerate(sizes):
            if place == 0:
                stream = container.add_stream("libx264", rate=20)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.options = {"g": "10", "bf": "0", "preset": "ultrafast"}
            for luma in numbered_frames(frames, width, height):
                chroma = np.full((height // 2, width), 128, np.uint8)
                frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), "yuv420p")
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_video_is_taken_cut_and_queued(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    response = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes())
    assert response.status_code == 202
    accepted = response.json()
    assert (accepted["frame_width"], accepted["frame_height"]) == (96, 64)
    assert accepted["roi"] == "0,0,96,64"
    assert accepted["frames_expected"] == 40
    fed = gateway.wait_for(created["id"], "processing")
    assert fed["frames_received"] == 40
    assert fed["chunks_received"] == 4
    first = gateway.store.get_chunk(created["id"], 0)
    assert first is not None
    assert first.header.codec == "h264"
    assert gateway.library.upload(created["id"]).read_bytes() == video.read_bytes()


def test_the_acquisition_s_own_token_may_upload(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    headers = {"Authorization": f"Bearer {created['token']}"}
    response = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes(), headers=headers)
    assert response.status_code == 202


def test_a_tiff_stack_is_taken(gateway: Gateway, tmp_path: Path) -> None:
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.arange(12 * 32 * 40, dtype=np.uint16).reshape(12, 32, 40), photometric="minisblack")
    created = gateway.create()
    assert gateway.http.put(f"{API}/{created['id']}/video", content=stack.read_bytes()).status_code == 202
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == 12


def test_a_single_frame_is_no_error(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "one.mp4", [(96, 64)], frames=1)
    created = gateway.create()
    assert gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes()).status_code == 202
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == 1


def _colour_tiff(folder: Path) -> bytes:
    path = folder / "colour.tif"
    tifffile.imwrite(path, np.zeros((4, 32, 32, 3), np.uint8), photometric="rgb")
    return path.read_bytes()


def _truncated_mp4(folder: Path) -> bytes:
    return write_video(folder / "whole.mp4", [(96, 64)]).read_bytes()[:-2000]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda _: b"this is no video\n" * 100, id="text"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x00\x00\x00\x20ftypisom" + bytes(4000), id="an MP4's beginning alone"),
        pytest.param(_truncated_mp4, id="a truncated MP4"),
        pytest.param(_colour_tiff, id="a TIFF with colour"),
        pytest.param(lambda _: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", id="a playlist"),
    ],
)
def test_what_cannot_be_read_is_refused_and_a_better_file_may_follow(
    gateway: Gateway, tmp_path: Path, content: object
) -> None:
    assert callable(content)
    created = gateway.create()
    response = gateway.http.put(f"{API}/{created['id']}/video", content=content(tmp_path))
    check_problem(response, 422, "invalid-video")
    assert gateway.http.get(f"{API}/{created['id']}").json()["state"] == "waiting"
    assert list(gateway.library.folder(created["id"]).iterdir()) == []
    good = write_video(tmp_path / "good.mp4", [(96, 64)])
    assert gateway.http.put(f"{API}/{created['id']}/video", content=good.read_bytes()).status_code == 202


def test_a_region_beyond_the_frame_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create(roi="80,0,32,32")
    response = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes())
    check_problem(response, 422, "invalid-setting")
    assert list(gateway.library.folder(created["id"]).iterdir()) == []


def test_a_frame_size_that_changes_fails_the_acquisition_with_a_reason(gateway: Gateway, tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.ts", [(96, 64)]).read_bytes()
    large = write_video(tmp_path / "large.ts", [(128, 96)]).read_bytes()
    created = gateway.create()
    response = gateway.http.put(f"{API}/{created['id']}/video", content=small + large)
    assert response.status_code == 202
    failed = gateway.wait_for(created["id"], "failed")
    assert "128x96" in failed["error"]
    assert not gateway.library.upload(created["id"]).exists()


def test_too_large_a_file_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    created = gateway.create()
    host, port = gateway.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(_head(created["id"], 5 * 2**20))
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    assert list(gateway.library.folder(created["id"]).iterdir()) == []


def test_too_large_a_file_of_unknown_length_is_cut_off(gateway: Gateway) -> None:
    created = gateway.create()
    response = gateway.http.put(f"{API}/{created['id']}/video", content=(bytes(2**20) for _ in range(6)))
    check_problem(response, 413, "too-large")
    assert list(gateway.library.folder(created["id"]).iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(gateway: Gateway) -> None:
    created = gateway.create()
    host, port = gateway.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(_head(created["id"], 2**20) + bytes(1000))
        gateway.wait_for(created["id"], "receiving")
    gateway.wait_for(created["id"], "waiting")
    assert list(gateway.library.folder(created["id"]).iterdir()) == []


def test_a_second_upload_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    content = write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()
    created = gateway.create()
    gateway.http.put(f"{API}/{created['id']}/video", content=content)
    check_problem(gateway.http.put(f"{API}/{created['id']}/video", content=content), 409, "wrong-state")


def test_a_deletion_ends_an_upload_that_is_coming_in(gateway: Gateway) -> None:
    created = gateway.create()
    host, port = gateway.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(_head(created["id"], 2**20) + bytes(1000))
        gateway.wait_for(created["id"], "receiving")
        assert gateway.http.delete(f"{API}/{created['id']}").status_code == 204
        assert connection.recv(4096).startswith(b"HTTP/1.1 404")
    assert created["id"] not in gateway.library.ids()


def test_a_killed_gateway_goes_on_with_an_upload_when_it_is_back(gateway: Gateway, tmp_path: Path) -> None:
    content = write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()
    created = gateway.create()
    gateway.http.put(f"{API}/{created['id']}/video", content=content)
    gateway.wait_for(created["id"], "processing")
    # As if it had been killed between the first chunk and the second one.
    gateway.stop(kill=True)
    redis, state = gateway.store.redis, f"acq:{{{created['id']}}}:state"
    redis.hset(state, mapping={"state": "receiving", "chunks_received": 1, "frames_received": 10, "next_frame": 10})
    gateway.start()
    fed = gateway.wait_for(created["id"], "processing")
    assert (fed["chunks_received"], fed["frames_received"]) == (4, 40)


def test_a_killed_gateway_forgets_an_upload_that_had_not_come_whole(gateway: Gateway) -> None:
    created = gateway.create()
    host, port = gateway.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(_head(created["id"], 2**20) + bytes(1000))
        gateway.wait_for(created["id"], "receiving")
        gateway.stop(kill=True)
    gateway.start()
    gateway.wait_for(created["id"], "waiting")
    deadline = time.monotonic() + 10
    while list(gateway.library.folder(created["id"]).iterdir()):
        assert time.monotonic() < deadline


def _head(acquisition_id: str, length: int) -> bytes:
    lines = [
        f"PUT {API}/{acquisition_id}/video HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {ADMIN_TOKEN}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
