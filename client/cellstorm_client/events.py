"""Server-sent events of an acquisition, over as many connections as it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple, cast

import httpx

from cellstorm.acquisitions import OVER, Acquisition
from cellstorm.errors import Busy, StoreUnavailable
from cellstorm_client.errors import check, unreachable

_READ_S: Final = 60.0
_PAUSE_S: Final = 0.5


class Event(NamedTuple):
    """`state` where the state is another than before and at first, `progress` otherwise."""

    kind: Literal["state", "progress"]
    acquisition: Acquisition


def events(http: httpx.Client, server: str, path: str, patience_s: float) -> Iterator[Event]:
    """Each event once, until the acquisition is over.

    Raises
    ------
    Busy, StoreUnavailable
        If the server is away, or has no room or no store, for longer than `patience_s`.
    CellstormError
        If it refuses.
    """
    last_id = ""
    away_since: float | None = None
    while True:
        try:
            with _connection(http, server, path, last_id) as messages:
                away_since = None
                for event_id, event in messages:
                    last_id = event_id
                    yield event
                    if event.acquisition.state in OVER:
                        return
        except (Busy, StoreUnavailable):
            now = time.monotonic()
            away_since = now if away_since is None else away_since
            if now - away_since >= patience_s:
                raise
        time.sleep(_PAUSE_S)


@contextmanager
def _connection(http: httpx.Client, server: str, path: str, last_id: str) -> Iterator[Iterator[tuple[str, Event]]]:
    """What comes after the event `last_id` over one connection: each event with its id."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    try:
        with http.stream("GET", server + path, headers=headers, timeout=httpx.Timeout(10.0, read=_READ_S)) as response:
            if not response.is_success:
                response.read()
            check(response)
            yield _messages(_lines(response.iter_bytes()))
    except httpx.HTTPError as error:
        raise unreachable(server, error) from error


def _messages(lines: Iterator[str]) -> Iterator[tuple[str, Event]]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            fields[name] = fields.get(name, "") + value.removeprefix(" ")
        elif line == "":
            if "data" in fields:
                kind = cast('Literal["state", "progress"]', fields.get("event", "progress"))
                yield fields.get("id", ""), Event(kind, Acquisition.model_validate_json(fields["data"]))
            fields = {}


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Those that have ended. Of bytes: the standard ends them at CR and LF alone, where a text's lines end at U+2028 too."""
    rest = b""
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""  # after a CR its LF may be still to come
        yield from (line.rstrip(b"\r\n").decode() for line in lines)
