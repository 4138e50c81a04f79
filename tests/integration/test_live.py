"""The live view over WebSocket and server-sent events, and images and tables of what is there so far."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
import tifffile
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from cellstorm import localizations
from cellstorm.messages import DELTA, SNAPSHOT, BinaryMessage, as_sent, unframed
from cellstorm.results.tables import read_table
from tests.fakes import star_localizations
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import API, bearer, check_problem


@contextmanager
def watching(created: dict[str, Any]) -> Iterator[ClientConnection]:
    with connect(created["live_url"], additional_headers=bearer(created["token"]), proxy=None) as viewer:
        yield viewer


def receive_text(viewer: ClientConnection) -> dict[str, Any]:
    message = viewer.recv(timeout=10)
    assert isinstance(message, str)
    decoded: dict[str, Any] = json.loads(message)
    return decoded


def receive_binary(viewer: ClientConnection) -> BinaryMessage:
    """The next binary message; progress that comes before it is passed over."""
    while True:
        message = viewer.recv(timeout=10)
        if isinstance(message, bytes):
            return BinaryMessage.from_bytes(message)
        assert json.loads(message)["kind"] == "progress"


def receive_rest(viewer: ClientConnection) -> dict[str, Any]:
    """The last message; all before it may be anything."""
    messages = list(viewer)
    assert isinstance(messages[-1], str)
    last: dict[str, Any] = json.loads(messages[-1])
    return last


def test_a_viewer_gets_everything_so_far_and_then_what_is_new(gateway: Gateway) -> None:
    created = gateway.create()
    first, second = star_localizations(20, seed=1), star_localizations(5, seed=2)
    gateway.commit(created["id"], first)
    with watching(created) as viewer:
        opening = receive_text(viewer)
        assert opening["kind"] == "opening"
        assert [column["name"] for column in opening["columns"]] == [c.name for c in localizations.COLUMNS]
        snapshot = receive_binary(viewer)
        assert (snapshot.kind, snapshot.frames_processed, snapshot.end_frame) == (SNAPSHOT, 10, 10)
        np.testing.assert_array_equal(snapshot.table, as_sent(first))
        gateway.commit(created["id"], second)
        delta = receive_binary(viewer)
        assert (delta.kind, delta.frames_processed, delta.end_frame, delta.first_row) == (DELTA, 20, 20, 20)
        np.testing.assert_array_equal(delta.table, as_sent(second))
        progress = receive_text(viewer)
        assert progress["kind"] == "progress"
        assert progress["acquisition"]["localizations"] == 25


def test_viewers_who_come_at_any_time_see_the_same(gateway: Gateway) -> None:
    created = gateway.create()
    with watching(created) as early:
        assert receive_text(early)["kind"] == "opening"
        assert len(receive_binary(early).table) == 0
        for seed in range(5):
            gateway.commit(created["id"], star_localizations(10, seed=seed))
        seen = localizations.empty()
        while len(seen) < 50:
            seen = localizations.concatenate([seen, receive_binary(early).table])
        with watching(created) as late:
            receive_text(late)
            np.testing.assert_array_equal(receive_binary(late).table, seen)


def test_a_viewer_who_comes_back_is_sent_what_is_new_even_after_a_restart(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(20, seed=1))
    with watching(created) as viewer:
        receive_text(viewer)
        before = receive_binary(viewer)
    gateway.commit(created["id"], star_localizations(5, seed=2))
    gateway.stop()
    gateway.start()
    address = f"ws{gateway.address.removeprefix('http')}{API}/{created['id']}/live?history={before.history}&rows=20"
    with connect(address, additional_headers=bearer(created["token"]), proxy=None) as viewer:
        receive_text(viewer)
        after = receive_binary(viewer)
    assert (after.kind, after.first_row, after.total_rows) == (DELTA, 20, 25)
    np.testing.assert_array_equal(after.table, as_sent(star_localizations(5, seed=2)))


def test_what_is_there_comes_as_one_answer_and_the_socket_goes_on_where_it_ends(gateway: Gateway) -> None:
    created = gateway.create()
    first, second = star_localizations(20_000, seed=1), star_localizations(5, seed=2)  # the first in three messages
    gateway.commit(created["id"], first)
    answer = gateway.http.get(f"{API}/{created['id']}/live").raise_for_status()
    assert answer.headers["cache-control"] == "no-store"
    opening, *parts, progress = unframed(answer.content)
    assert (json.loads(opening)["kind"], json.loads(progress)["kind"]) == ("opening", "progress")
    decoded = [BinaryMessage.from_bytes(part) for part in parts if isinstance(part, bytes)]
    assert [part.kind for part in decoded] == [SNAPSHOT, DELTA, DELTA]
    np.testing.assert_array_equal(localizations.concatenate(part.table for part in decoded), as_sent(first))
    gateway.commit(created["id"], second)
    address = f"{created['live_url']}?history={decoded[-1].history}&rows=20000"
    with connect(address, additional_headers=bearer(created["token"]), proxy=None) as viewer:
        receive_text(viewer)
        new = receive_binary(viewer)
    assert (new.kind, new.first_row) == (DELTA, 20_000)
    np.testing.assert_array_equal(new.table, as_sent(second))


def test_one_answer_too_holds_no_more_than_is_asked_for(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(20))
    address = f"{API}/{created['id']}/live"
    newest = list(unframed(gateway.http.get(address, params={"newest": 7}).content))[1]
    assert isinstance(newest, bytes)
    assert BinaryMessage.from_bytes(newest).first_row == 13
    history = BinaryMessage.from_bytes(newest).history
    nothing_new = unframed(gateway.http.get(address, params={"history": history, "rows": 20}).content)
    assert [json.loads(text)["kind"] for text in nothing_new] == ["opening", "progress"]


def test_whoever_may_not_watch_gets_no_answer_either(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/live"
    check_problem(httpx.get(f"{gateway.address}{address}", trust_env=False), 401, "not-allowed")
    check_problem(gateway.http.get(f"{API}/doesnotexist/live"), 404, "acquisition-not-found")


def test_a_viewer_is_told_when_it_is_over(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(3))
    with watching(created) as viewer:
        gateway.http.post(f"{API}/{created['id']}/finish")
        assert receive_rest(viewer) == {"kind": "closing", "reason": "finished"}
    with watching(created) as late:
        receive_text(late)
        assert len(receive_binary(late).table) == 3
        assert receive_rest(late) == {"kind": "closing", "reason": "finished"}


def test_a_viewer_is_told_of_a_deletion(gateway: Gateway) -> None:
    created = gateway.create()
    with watching(created) as viewer:
        receive_text(viewer)
        gateway.http.delete(f"{API}/{created['id']}")
        assert receive_rest(viewer) == {"kind": "closing", "reason": "deleted"}


def test_a_browser_sends_its_token_as_a_subprotocol(gateway: Gateway) -> None:
    created = gateway.create()
    offered = [Subprotocol("cellstorm"), Subprotocol(f"bearer.{created['token']}")]
    with connect(created["live_url"], subprotocols=offered, proxy=None) as viewer:
        assert viewer.subprotocol == "cellstorm"
        assert receive_text(viewer)["kind"] == "opening"


@pytest.mark.parametrize(
    ("token", "acquisition", "status"),
    [("wrong", None, 401), ("wrong", "doesnotexist", 401), (ADMIN_TOKEN, "doesnotexist", 404)],
)
def test_a_viewer_without_the_right_token_is_told_why(
    gateway: Gateway, token: str, acquisition: str | None, status: int
) -> None:
    created = gateway.create()
    address = created["live_url"].replace(created["id"], acquisition or created["id"])
    with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=bearer(token), proxy=None):
        pass
    assert refused.value.response.status_code == status
    assert b"detail" in refused.value.response.body


def events(response: httpx.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def test_events_tell_progress_and_end_with_the_acquisition(gateway: Gateway) -> None:
    created = gateway.create()
    with gateway.http.stream("GET", f"{API}/{created['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = events(response)
        first = next(stream)
        assert (first["event"], json.loads(first["data"])["state"]) == ("state", "waiting")
        gateway.commit(created["id"], star_localizations(4))
        progress = next(stream)
        while json.loads(progress["data"])["localizations"] < 4:
            progress = next(stream)
        assert progress["event"] == "progress"
        gateway.http.post(f"{API}/{created['id']}/finish")
        last = list(stream)[-1]
    assert (last["event"], json.loads(last["data"])["state"]) == ("state", "finished")


def test_events_end_with_an_acquisition_that_is_cancelled(gateway: Gateway) -> None:
    created = gateway.create()
    with gateway.http.stream("GET", f"{API}/{created['id']}/events") as response:
        stream = events(response)
        assert json.loads(next(stream)["data"])["state"] == "waiting"
        gateway.http.post(f"{API}/{created['id']}/cancel").raise_for_status()
        assert [json.loads(event["data"])["state"] for event in stream][-1] == "cancelled"


def test_events_resume_after_the_last_one_that_was_seen(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/events"
    with gateway.http.stream("GET", address) as response:
        seen = next(events(response))["id"]
    gateway.commit(created["id"], star_localizations(4))
    with gateway.http.stream("GET", address, headers={"Last-Event-ID": seen}) as response:
        missed = next(events(response))
    assert json.loads(missed["data"])["localizations"] == 4
    gateway.commit(created["id"], star_localizations(4))
    with gateway.http.stream("GET", address, headers={"Last-Event-ID": missed["id"]}) as response:
        assert json.loads(next(events(response))["data"])["localizations"] == 8


def test_the_image_grows_and_is_not_sent_twice(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/reconstruction.png"
    check_problem(gateway.http.get(address), 409, "result-not-ready")
    gateway.commit(created["id"], star_localizations(200))
    first = gateway.http.get(address)
    assert Image.open(io.BytesIO(first.content)).size == (64 * 5, 64 * 5)
    again = gateway.http.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    gateway.commit(created["id"], star_localizations(200, seed=2))
    grown = gateway.http.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert grown.status_code == 200
    assert grown.content != first.content


def test_images_agree_with_the_table(gateway: Gateway) -> None:
    created = gateway.create()
    for seed in range(3):
        gateway.commit(created["id"], star_localizations(100, seed=seed))
    address = f"{API}/{created['id']}/reconstruction.ome.tif"
    parameters = {"render": "histogram", "pixel_nm": "50"}
    image = tifffile.imread(io.BytesIO(gateway.http.get(address, params=parameters).content))
    rows = gateway.http.get(f"{API}/{created['id']}/localizations.csv").text.splitlines()
    assert image.sum() == len(rows) - 1 == 300
    assert image.shape == (128, 128)
    widefield = tifffile.imread(io.BytesIO(gateway.http.get(f"{API}/{created['id']}/widefield.ome.tif").content))
    assert widefield[0, 63] == 3 * 63
    assert Image.open(io.BytesIO(gateway.http.get(f"{API}/{created['id']}/widefield.png").content)).size == (64, 64)


@pytest.mark.parametrize(
    "parameters",
    [
        {"render": "fancy"},
        {"pixel_nm": "0"},
        {"pixel_nm": "nan"},
        {"pixel_nm": "0.001"},
        {"colormap": "mud"},
        {"percentile": "0"},
        {"unknown": "1"},
    ],
)
def test_an_impossible_look_is_refused(gateway: Gateway, parameters: dict[str, str]) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(1))
    response = gateway.http.get(f"{API}/{created['id']}/reconstruction.png", params=parameters)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_tables_are_filtered(gateway: Gateway, tmp_path: Path) -> None:
    created = gateway.create()
    table = star_localizations(300, frame_count=10)
    gateway.commit(created["id"], table)
    parameters = {"frames": "2:5", "photons": "500:", "precision_nm": ":25"}
    wanted = table[
        (table["frame"] >= 2) & (table["frame"] < 5) & (table["photons"] >= 500) & (table["precision_nm"] <= 25)
    ]
    csv = gateway.http.get(f"{API}/{created['id']}/localizations.csv", params=parameters).text
    hdf5 = gateway.http.get(f"{API}/{created['id']}/localizations.hdf5", params=parameters).content
    smlm = gateway.http.get(f"{API}/{created['id']}/localizations.smlm", params=parameters).content
    assert len(csv.splitlines()) - 1 == len(wanted) > 0
    with h5py.File(io.BytesIO(hdf5)) as file:
        np.testing.assert_allclose(file["locs"]["photons"], wanted["photons"])
    (tmp_path / "table").write_bytes(smlm)
    np.testing.assert_allclose(read_table(tmp_path / "table").localizations["x_nm"], wanted["x_nm"], atol=0.01)
    bad = gateway.http.get(f"{API}/{created['id']}/localizations.csv", params={"photons": "9:1"})
    check_problem(bad, 422, "invalid-request")


def test_a_viewer_goes_on_when_redis_was_away(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(2))
    with watching(created) as viewer:
        receive_text(viewer)
        assert len(receive_binary(viewer).table) == 2
        gateway.redis.stop()
        away = gateway.http.get(f"{API}/{created['id']}")
        check_problem(away, 503, "store-unavailable")
        assert away.headers["retry-after"]
        assert gateway.http.get("/livez").status_code == 200
        assert "redis" in gateway.http.get("/readyz").json()["problems"]
        gateway.redis.start()
        gateway.commit(created["id"], star_localizations(3))
        assert len(receive_binary(viewer).table) == 3


def test_viewers_are_told_when_the_gateway_stops(gateway: Gateway) -> None:
    created = gateway.create()
    with (
        watching(created) as viewer,
        gateway.http.stream("GET", f"{API}/{created['id']}/events") as response,
    ):
        stream = events(response)
        next(stream)
        receive_text(viewer)
        gateway.stop()
        assert receive_rest(viewer) == {"kind": "closing", "reason": "shutting_down"}
        assert list(stream) == []
    gateway.start()
