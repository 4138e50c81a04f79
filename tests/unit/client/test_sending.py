"""What is kept of an attempt to send, for the next one; nobody listens here, or nobody lets us in."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.batches import NewBatch
from cellstorm.errors import InvalidSetting, NotAllowed
from cellstorm_client import Client, Sending

NEW = NewBatch(name="plate", settings=AcquisitionSettings(pixel_size_nm=80.0))


class Refusing(httpx.MockTransport):
    """A server that lets nobody in, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(self._refuse)
        self.asked: list[httpx.Request] = []

    def _refuse(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(401)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "actin.mp4").write_bytes(b"frames")
    return tmp_path / "actin.mp4"


def attempt(video: Path, server: str = "http://server", new: NewBatch = NEW) -> httpx.Request:
    """What is asked of a server that then refuses."""
    transport = Refusing()
    with Client(server, "token", transport=transport) as client, pytest.raises(NotAllowed):
        Sending(client, new, [video], notes=video.with_name("notes.json")).open()
    return transport.asked[0]


def test_the_same_attempt_again_asks_for_the_same(video: Path) -> None:
    first, again = attempt(video), attempt(video)
    assert again.headers["Idempotency-Key"] == first.headers["Idempotency-Key"]
    assert json.loads(again.content) == json.loads(first.content)
    assert json.loads(again.content)["settings"] == {"pixel_size_nm": 80.0}


def test_an_attempt_that_opened_no_batch_does_not_bind_the_next_one(video: Path) -> None:
    first = attempt(video)
    elsewhere = attempt(video, server="http://another")
    otherwise = attempt(video, server="http://another", new=NewBatch(name="plate 2"))
    keys = {each.headers["Idempotency-Key"] for each in (first, elsewhere, otherwise)}
    assert len(keys) == 3
    assert json.loads(otherwise.content)["name"] == "plate 2"


@pytest.mark.parametrize("server", ["127.0.0.1:8000", "server:8000", "server", "ftp://server", "http://server:port"])
def test_what_is_no_address_is_told(video: Path, server: str) -> None:
    with Client(server, "token") as client, pytest.raises(InvalidSetting, match=r"address; begin with http://"):
        Sending(client, NEW, [video], notes=video.with_name("notes.json")).open()


def test_a_setting_that_cannot_be_is_told_before_anything_is_asked() -> None:
    transport = Refusing()
    told = pytest.raises(InvalidSetting, match=r"^frames: frames 'x' must be A:B")
    with Client("http://server", "token", transport=transport) as client, told:
        client.create(frames="x")
    assert not transport.asked


def test_notes_that_cannot_be_kept_are_told(video: Path) -> None:
    (video.parent / "notes.part").mkdir()  # in the way
    with Client("http://server", "token", transport=Refusing()) as client:
        sending = Sending(client, NEW, [video], notes=video.with_name("notes.json"))
        with pytest.raises(InvalidSetting, match=r"notes\.json cannot be written"):
            sending.open()
