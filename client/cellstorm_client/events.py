"""Server-sent events of an acquisition, over as many connections as it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, cast

import httpx

from cellstorm.acquisitions import OVER, Acquisition
from cellstorm_client.errors import Unreachable, check, unreachable

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
    Unreachable
        If the server is away for longer than `patience_s`.
    CellstormError
        If it refuses.
    """
    last_id = ""
    heard_at = time.monotonic()
    while True:
        try:
            for event_id, event in _once(http, server + path, last_id):
                last_id, heard_at = event_id, time.monotonic()
                yield event
                if event.acquisition.state in OVER:
                    return
        except httpx.HTTPError as error:
            if time.monotonic() - heard_at > patience_s:
                raise unreachable(server, error) from error
        except Unreachable:
            if time.monotonic() - heard_at > patience_s:
                raise
        time.sleep(_PAUSE_S)


def _once(http: httpx.Client, url: str, last_id: str) -> Iterator[tuple[str, Event]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    with http.stream("GET", url, headers=headers, timeout=httpx.Timeout(10.0, read=_READ_S)) as response:
        if not response.is_success:
            response.read()
            if response.status_code in (502, 503, 504):
                raise Unreachable("the server is not ready; waiting for it")
        check(response)
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            name, _, value = line.partition(":")
            if name:
                fields[name] = fields.get(name, "") + value.removeprefix(" ")
            elif line == "":
                if "data" in fields:
                    kind = cast('Literal["state", "progress"]', fields.get("event", "progress"))
                    yield fields.get("id", ""), Event(kind, Acquisition.model_validate_json(fields["data"]))
                fields = {}
