"""Server-sent events over connections that the test makes and breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from cellstorm_client import Client
from cellstorm_client.errors import Unreachable

_UNKNOWN = dict.fromkeys(("frame_width", "frame_height", "roi", "frames_expected", "lag_s", "fps", "eta_s"))
_FRAMES = dict.fromkeys(("frames_received", "frames_lost", "frames_damaged", "frames_processed", "localizations"), 0)
_CHUNKS = dict.fromkeys(("chunks_received", "chunks_processed", "waiting_chunk_bytes", "spooled_chunks"), 0)
PING = b": ping\n\n"

Answer = Callable[[], Iterator[bytes]]


def event(number: int, state: str, *, name: str = "actin", end: str = "\n") -> bytes:
    told = {"id": "a", "settings": {"name": name}, "state": state, "created_at": "2026-11-22T12:00:00Z"}
    data = json.dumps(told | _UNKNOWN | _FRAMES | _CHUNKS, ensure_ascii=False)
    return end.join((f"id: {number}", "event: state", f"data: {data}", "", "")).encode()


class Connections:
    """One answer after another, each to a connection of its own; then none can be made."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.resumed_after: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.resumed_after.append(request.headers.get("Last-Event-ID"))
        if not self._answers:
            raise httpx.ConnectError("no route")
        return httpx.Response(200, content=self._answers.pop(0)())


class WithoutStore(Connections):
    """Its first requests find a gateway whose Redis is away."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if len(self.resumed_after) < 2:
            self.resumed_after.append(None)
            problem = {"type": "urn:cellstorm:problem:store-unavailable", "detail": "Redis is away; try again"}
            return httpx.Response(503, json=problem)
        return super().__call__(request)


def broken() -> Iterator[bytes]:
    raise httpx.ReadError("the connection broke")
    yield


def client_of(connections: Connections) -> Client:
    return Client("http://server", "token", transport=httpx.MockTransport(connections))


def test_a_server_that_had_nothing_to_tell_for_long_may_be_away_as_long_as_any() -> None:
    def quiet() -> Iterator[bytes]:
        yield event(1, "waiting")
        time.sleep(0.4)
        yield PING
        raise httpx.ReadError("the gateway is restarted")

    connections = Connections(quiet, lambda: iter([event(2, "finished")]))
    with client_of(connections) as client:
        heard = [told.acquisition.state for told in client.events("a", patience_s=0.2)]
    assert heard == ["waiting", "finished"]
    assert connections.resumed_after == [None, "1"]


def test_a_store_that_is_away_for_a_moment_is_waited_for() -> None:
    connections = WithoutStore(lambda: iter([event(1, "finished")]))
    with client_of(connections) as client:
        assert [told.acquisition.state for told in client.events("a", patience_s=30.0)] == ["finished"]
    assert len(connections.resumed_after) == 3


def test_a_server_that_stays_away_is_given_up() -> None:
    connections = Connections(lambda: iter([event(1, "waiting")]), broken)
    with client_of(connections) as client, pytest.raises(Unreachable, match="server cannot be reached"):
        list(client.events("a", patience_s=0.2))


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_name_may_hold_what_ends_lines_elsewhere(end: str) -> None:
    name = "actin\u2028of\u2029cell\u00855"
    stream = event(1, "finished", name=name, end=end)
    in_bytes = [stream[place : place + 1] for place in range(len(stream))]
    with client_of(Connections(lambda: iter(in_bytes))) as client:
        (told,) = client.events("a")
    assert told.acquisition.settings.name == name


def test_an_event_that_was_cut_short_is_not_taken() -> None:
    cut = event(2, "processing").removesuffix(b"\n")
    connections = Connections(lambda: iter([event(1, "waiting"), cut]), lambda: iter([event(3, "finished")]))
    with client_of(connections) as client:
        assert [told.acquisition.state for told in client.events("a")] == ["waiting", "finished"]
    assert connections.resumed_after == [None, "1"]
