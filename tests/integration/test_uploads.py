"""Plain uploads: what is taken, what is refused, and that nothing of what is refused stays."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.chunks import MAX_CHUNK_FRAMES
from cellstorm.decoding import decode
from cellstorm.errors import AcquisitionNotFound, WrongState
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.feeding import Feeding
from cellstorm_server.library import Library
from cellstorm_server.queueing import JobQueues
from cellstorm_server.uploads import Uploads
from tests.fakes import numbered_frames
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import API, check_problem

CHUNK_FRAMES = 50  # from FILE_CHUNK_FRAMES on, at a key frame
VIDEO_FRAMES = 4 * CHUNK_FRAMES


def write_video(
    path: Path, sizes: list[tuple[int, int]], frames: int = VIDEO_FRAMES, pixel_format: str = "yuv420p"
) -> Path:
    """H.264 in MPEG-TS or MP4, a key frame every 10; each of `sizes` (width, height) for `frames` frames."""
    with av.open(str(path), "w") as container:
        for place, (width, height) in enumerate(sizes):
            if place == 0:
                stream = container.add_stream("libx264", rate=20)
                stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
                stream.options = {"g": "10", "bf": "0", "preset": "ultrafast"}
            for luma in numbered_frames(frames, width, height):
                chroma = np.full((height // 2, width), 128, np.uint8)
                frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), "yuv420p")
                container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode(None))
    return path


def test_photons_of_a_video_of_ten_bits_are_told_by_a_camera_of_ten_bits(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "deep.mp4", [(96, 64)], frames=20, pixel_format="yuv420p10le")
    usual, own = gateway.create(), gateway.create(camera="emccd")
    for created in (usual, own):
        gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes()).raise_for_status()
    told = [gateway.http.get(f"{API}/{created['id']}").json()["settings"]["camera"] for created in (usual, own)]
    assert told[0]["gain"] == pytest.approx(0.69 / 4)
    assert told[1]["gain"] == 1.0


def test_a_video_is_taken_cut_and_queued(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    response = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes())
    assert response.status_code == 202
    accepted = response.json()
    assert (accepted["frame_width"], accepted["frame_height"]) == (96, 64)
    assert accepted["roi"] == "0,0,96,64"
    assert (accepted["frames_expected"], accepted["video_from"]) == (VIDEO_FRAMES, "file")
    fed = gateway.wait_for(created["id"], "processing")
    assert fed["frames_received"] == VIDEO_FRAMES
    assert fed["chunks_received"] == 4
    first = gateway.store.get_chunk(created["id"], 0)
    assert first is not None
    assert first.header.codec == "h264"
    assert gateway.library.upload(created["id"]).read_bytes() == video.read_bytes()


def test_a_file_that_tells_no_length_is_known_to_be_a_file(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.h264", [(96, 64)])
    created = gateway.create()
    assert created["video_from"] is None
    accepted = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes()).json()
    assert (accepted["frames_expected"], accepted["video_from"]) == (None, "file")


class HeldStore(Store):
    """Waits in the midst of taking a file over, until it is let go on."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        super().__init__(redis, clock)
        self.reached = threading.Event()
        self.release = threading.Event()

    def set_frame_size(self, acquisition_id: str, width: int, height: int, roi: RegionOfInterest) -> None:
        self.reached.set()
        assert self.release.wait(10)
        super().set_frame_size(acquisition_id, width, height, roi)


class Taking:
    """A gateway's uploads, without the gateway, and an acquisition that waits for its video."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        settings = Settings(data=folder / "data", redis_url=gateway.redis.url)
        self.store = HeldStore.connect(gateway.redis.url)
        self.library = Library(settings.data, 0)
        claims, queues = Claims(self.store), JobQueues(self.store.redis)
        feeder = Feeder(self.store, queues, self.library, settings)
        self.feeding = Feeding(self.store, feeder, self.library, settings, claims)
        self.uploads = Uploads(self.store, self.feeding, self.library, settings, claims)
        self.id = folder.name
        self.store.create(self.id, AcquisitionSettings(), owner="test", token_digest="")
        self.library.create(self.id)

    def run(self, file: Path, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """Take a file over, and do something in the midst of that."""

        async def scenario() -> None:
            taking = asyncio.create_task(self.uploads.take(self.id, file))
            try:
                assert await asyncio.to_thread(self.store.reached.wait, 30)
                await meanwhile()
            finally:
                self.store.release.set()
                await asyncio.wait({taking})
                await self.feeding.shutdown()
            taking.result()

        asyncio.run(scenario())


def test_a_file_that_is_being_taken_over_is_nobody_else_s(gateway: Gateway, tmp_path: Path) -> None:
    content = write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()
    file, other = tmp_path / "video.mp4", tmp_path / "other.mp4"
    other.write_bytes(content)
    taking = Taking(gateway, tmp_path)

    async def others_try() -> None:
        await taking.uploads.resume(await asyncio.to_thread(taking.store.get, taking.id))  # twice a second in a gateway
        with pytest.raises(WrongState):
            await taking.uploads.take(taking.id, other)

    taking.run(file, others_try)
    assert taking.store.get(taking.id).state in (State.RECEIVING, State.PROCESSING)
    assert taking.library.upload(taking.id).read_bytes() == content
    assert not file.exists()
    assert other.exists()


def test_a_file_whose_acquisition_is_deleted_while_it_is_taken_over_is_refused(
    gateway: Gateway, tmp_path: Path
) -> None:
    file = write_video(tmp_path / "video.mp4", [(96, 64)])
    taking = Taking(gateway, tmp_path)

    async def delete() -> None:
        await asyncio.to_thread(taking.library.delete, taking.id)

    with pytest.raises(AcquisitionNotFound):
        taking.run(file, delete)
    assert file.exists()


def test_an_acquisition_is_open_again_when_redis_was_away_as_its_file_came(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RedisConnectionError("away")

    file = write_video(tmp_path / "video.mp4", [(96, 64)])
    taking = Taking(gateway, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(taking.store, "transition", away)
        with pytest.raises(RedisConnectionError):
            asyncio.run(taking.uploads.take(taking.id, file))

    async def nothing() -> None:
        return

    taking.run(file, nothing)
    assert taking.library.upload(taking.id).exists()


def test_the_acquisition_s_own_token_may_upload(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    created = gateway.create()
    headers = {"Authorization": f"Bearer {created['token']}"}
    response = gateway.http.put(f"{API}/{created['id']}/video", content=video.read_bytes(), headers=headers)
    assert response.status_code == 202


def test_a_recording_that_was_cut_off_is_taken_and_says_so(gateway: Gateway, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "video.mkv", [(96, 64)]).read_bytes()
    notices = []
    for content in (whole, whole[: len(whole) * 7 // 10]):
        created = gateway.create()
        assert gateway.http.put(f"{API}/{created['id']}/video", content=content).status_code == 202
        notices.append(gateway.wait_for(created["id"], "processing")["notice"])
    assert notices[0] is None
    assert "cut off" in notices[1]


def test_a_damaged_file_among_many_costs_its_frames_alone_and_is_told(gateway: Gateway, tmp_path: Path) -> None:
    tifffile.imwrite(frame := io.BytesIO(), np.zeros((64, 96), np.uint16))
    with zipfile.ZipFile(tmp_path / "recording.zip", "w") as packed:
        for number in range(MAX_CHUNK_FRAMES + 9):
            packed.writestr(f"img_{number}.tif", b"" if number == MAX_CHUNK_FRAMES + 4 else frame.getvalue())
    created = gateway.create()
    content = (tmp_path / "recording.zip").read_bytes()
    assert gateway.http.put(f"{API}/{created['id']}/video", content=content).status_code == 202
    found = gateway.wait_for(created["id"], "processing")
    assert (found["frames_received"], found["frames_lost"]) == (MAX_CHUNK_FRAMES + 8, 1)
    assert f"img_{MAX_CHUNK_FRAMES + 4}.tif is a damaged TIFF file" in found["notice"]


def test_a_turned_recording_is_taken_as_it_is_shown(gateway: Gateway, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "video.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        for luma in numbered_frames(20):
            chroma = np.full((32, 96), 128, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), "yuv420p")))
        container.mux(stream.encode(None))
    created = gateway.create(roi="0,0,64,96")
    response = gateway.http.put(f"{API}/{created['id']}/video", content=(tmp_path / "video.mp4").read_bytes())
    assert response.status_code == 202, response.text
    assert (response.json()["frame_width"], response.json()["frame_height"]) == (64, 96)
    gateway.wait_for(created["id"], "processing")
    chunk = gateway.store.get_chunk(created["id"], 0)
    assert chunk is not None
    assert decode(chunk).shape[1:] == (96, 64)


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
    assert gateway.library.upload(created["id"]).exists()  # it may be tried again


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


def killed_after_the_first_chunk(gateway: Gateway, tmp_path: Path, *, chunk_frames: int) -> str:
    """An upload's acquisition, as if the gateway had been killed before it handed on the second chunk; it is back."""
    content = write_video(tmp_path / "video.mp4", [(96, 64)]).read_bytes()
    key: str = gateway.create()["id"]
    gateway.http.put(f"{API}/{key}/video", content=content)
    gateway.wait_for(key, "processing")
    gateway.stop(kill=True)
    known = {"chunks_received": 1, "frames_received": chunk_frames, "next_frame": chunk_frames}
    gateway.store.set_fields(key, state="receiving", **known)
    gateway.start()
    return key


def test_a_killed_gateway_goes_on_with_an_upload_when_it_is_back(gateway: Gateway, tmp_path: Path) -> None:
    key = killed_after_the_first_chunk(gateway, tmp_path, chunk_frames=CHUNK_FRAMES)
    fed = gateway.wait_for(key, "processing")
    assert (fed["chunks_received"], fed["frames_received"]) == (4, VIDEO_FRAMES)


def test_a_recording_that_another_version_cut_elsewhere_fails_with_a_reason_and_can_be_tried_again(
    gateway: Gateway, tmp_path: Path
) -> None:
    key = killed_after_the_first_chunk(gateway, tmp_path, chunk_frames=10)
    assert "another version" in gateway.wait_for(key, "failed")["error"]
    gateway.http.post(f"{API}/{key}/retry").raise_for_status()
    fed = gateway.wait_for(key, "processing")
    assert (fed["chunks_received"], fed["frames_received"], fed["error"]) == (4, VIDEO_FRAMES, None)


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
