"""The Python client against a real gateway, over connections that break; the test itself is the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cellstorm.acquisitions import Acquisition, State
from cellstorm.batches import NewBatch
from cellstorm.errors import InvalidSetting, InvalidVideo, NotAllowed, WrongState
from cellstorm_client import Client, Sending
from tests.fakes import star_localizations
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_archive import FILES
from tests.integration.test_jobs import working
from tests.integration.test_uploads import VIDEO_FRAMES, write_video


class Breaking(httpx.HTTPTransport):
    """Loses some requests of a kind after part of their body was sent, and others' answers."""

    def __init__(self, method: str, losses: list[str]) -> None:
        super().__init__()
        self._method = method
        self._losses = losses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        loss = self._losses.pop(0) if request.method == self._method and self._losses else ""
        if loss == "request":
            raise httpx.ConnectError("no route")
        if loss == "body":
            request.stream = _Half(request.stream)
        response = super().handle_request(request)
        if loss == "answer":
            response.close()
            raise httpx.ReadError("the connection broke")
        return response


class _Half(httpx.SyncByteStream):
    def __init__(self, whole: object) -> None:
        assert isinstance(whole, httpx.SyncByteStream)
        self._whole = whole

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._whole:
            yield piece[: len(piece) // 2]
            raise httpx.WriteError("the connection broke")


class Unheard(Client):
    """Of a process that ends between its last byte and noting it."""

    def with_token(self, token: str) -> Client:
        return Unheard(self.server, token)

    def upload(self, *args: Any, **kwargs: Any) -> Acquisition:  # noqa: ANN401  # handed on as they come
        super().upload(*args, **kwargs)
        raise KeyboardInterrupt


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.address, ADMIN_TOKEN) as client:
        yield client


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "actin.mp4", [(96, 64)])


def test_from_a_file_to_its_table(client: Client, gateway: Gateway, video: Path, tmp_path: Path) -> None:
    acquisition = client.create(name="actin", pixel_size_nm=80)
    sent: list[tuple[int, int]] = []
    with working(gateway):
        client.upload(acquisition.id, video, on_progress=lambda *told: sent.append(told))
        finished = client.wait(acquisition.id, timeout_s=60)
    assert (finished.state, finished.frames_processed) == (State.FINISHED, VIDEO_FRAMES)
    assert sent[-1] == (video.stat().st_size, video.stat().st_size)
    assert {path.name for path in client.results(acquisition.id, tmp_path / "out").iterdir()} == FILES
    assert client.image(acquisition.id).startswith(b"\x89PNG")
    client.delete(acquisition.id)


def test_the_table_of_an_acquisition_is_an_array(client: Client, gateway: Gateway) -> None:
    acquisition = client.create()
    expected = star_localizations(100)
    gateway.commit(acquisition.id, expected)
    table = client.localizations(acquisition.id)
    np.testing.assert_allclose(table["x_nm"], expected["x_nm"], rtol=1e-6)
    bright = client.localizations(acquisition.id, photons="800:")
    assert len(bright) == (expected["photons"] >= 800).sum()


@pytest.mark.parametrize("loss", ["request", "body", "answer"])
def test_an_upload_survives_a_connection_that_breaks(gateway: Gateway, video: Path, loss: str) -> None:
    with Client(gateway.address, ADMIN_TOKEN, transport=Breaking("PATCH", [loss, loss])) as client:
        acquisition = client.create()
        client.upload(acquisition.id, video)
    assert gateway.library.upload(acquisition.id).read_bytes() == video.read_bytes()


def test_a_refusal_whose_answer_was_lost_is_told_all_the_same(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"text")
    locations: list[str] = []
    with Client(gateway.address, ADMIN_TOKEN, transport=Breaking("PATCH", ["answer"])) as client:
        acquisition = client.create()
        with pytest.raises(InvalidVideo, match="not a video that can be read"):
            client.upload(acquisition.id, tmp_path / "text.mp4", on_location=locations.append)
        with pytest.raises(InvalidVideo, match="not a video that can be read"):
            client.upload(acquisition.id, tmp_path / "text.mp4", location=locations[0])


def test_a_request_whose_answer_was_lost_is_sent_again_with_its_key(gateway: Gateway) -> None:
    with Client(gateway.address, ADMIN_TOKEN, transport=Breaking("POST", ["answer"])) as client:
        before = len(gateway.store.ids())
        with pytest.raises(Exception, match="cannot be reached"):
            client.create(idempotency_key="lost-answer")
        client.create(idempotency_key="lost-answer")
        assert len(gateway.store.ids()) == before + 1


def test_events_come_over_as_many_connections_as_it_takes(gateway: Gateway) -> None:
    with Client(gateway.address, ADMIN_TOKEN, transport=Breaking("GET", ["request", "answer"])) as client:
        acquisition = client.create()
        gateway.commit(acquisition.id, star_localizations(10))
        heard = client.events(acquisition.id)
        assert next(heard).acquisition.localizations == 10
        client.finish(acquisition.id)
        states = [event.acquisition.state for event in heard]
    assert states[-1] is State.FINISHED


def test_refusals_are_what_the_server_raised(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    acquisition = client.create()
    with pytest.raises(WrongState, match="retry does not fit"):
        client.retry(acquisition.id)
    (tmp_path / "text.mp4").write_bytes(b"text")
    with pytest.raises(InvalidVideo):
        client.upload(acquisition.id, tmp_path / "text.mp4")
    with pytest.raises(InvalidVideo, match="cannot be read"):
        client.upload(acquisition.id, tmp_path / "absent.mp4")
    with Client(gateway.address, "wrong") as stranger, pytest.raises(NotAllowed):
        stranger.get(acquisition.id)


def test_pause_resume_and_cancel(client: Client) -> None:
    acquisition = client.create()
    assert client.pause(acquisition.id).paused
    assert not client.resume(acquisition.id).paused
    assert client.cancel(acquisition.id).state is State.CANCELLED


def test_a_submission_that_was_broken_off_goes_on_where_it_was(
    gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    files = [write_video(tmp_path / f"{number}.mp4", [(96, 64)]) for number in range(3)]
    notes = tmp_path / "notes.json"
    first = Sending(client, NewBatch(name="plate"), files, notes=notes)
    with first.open() as own:
        first.stop()
        first.send(own)  # as if Ctrl-C had been pressed at once
    assert {file.state for file in first.files} == {"waiting"}
    assert notes.stat().st_mode & 0o077 == 0
    again = Sending(client, NewBatch(name="plate"), files, notes=notes)
    with working(gateway), again.open() as own:
        again.send(own)
        detail = client.wait_batch(again.batch_id, timeout_s=60)
    assert again.batch_id == first.batch_id
    assert detail.states[State.FINISHED] == 3
    assert again.bytes_sent == again.bytes_total
    with pytest.raises(InvalidSetting, match="other files or settings"):
        Sending(client, NewBatch(name="another"), files, notes=notes)
    client.delete_batch(again.batch_id)


def test_a_file_that_arrived_unheard_is_sent_also_when_the_server_has_forgotten_its_upload(
    gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    video, notes = write_video(tmp_path / "actin.mp4", [(96, 64)]), tmp_path / "notes.json"
    with Unheard(gateway.address, ADMIN_TOKEN) as dying:
        first = Sending(dying, NewBatch(name="plate"), [video], notes=notes)
        with first.open() as own, pytest.raises(KeyboardInterrupt):
            first.send(own)
    again = Sending(client, NewBatch(name="plate"), [video], notes=notes)
    (file,) = again.files
    assert (file.state, file.location is None) == ("waiting", False)
    client.request("DELETE", str(file.location), headers={"Tus-Resumable": "1.0.0"})  # as after an hour
    with again.open() as own:
        again.send(own)
    assert (again.files[0].state, again.files[0].error) == ("sent", None)
    client.delete_batch(again.batch_id)


def test_a_file_whose_acquisition_has_another_video_is_refused(
    gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "actin.mp4", [(96, 64)])
    sending = Sending(client, NewBatch(name="plate"), [video], notes=tmp_path / "notes.json")
    with sending.open() as own:
        client.upload(sending.files[0].acquisition_id, write_video(tmp_path / "other.mp4", [(64, 64)]))
        sending.send(own)
    assert sending.files[0].state == "refused"
    assert "has video already" in str(sending.files[0].error)
    client.delete_batch(sending.batch_id)
