"""Every route says which right it needs: one that is added without is found here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from cellstorm.settings import Settings
from cellstorm_server.access import CurrentCaller, NeedsOnAcquisition, NeedsOnServer
from cellstorm_server.app import create_app

OPEN_TO_ALL: Final = {
    *("GET /openapi.json", "HEAD /openapi.json", "GET /livez", "GET /readyz", "GET /metrics"),
    *("GET /api/v1/models", "GET /api/v1/models/{name}/weights.onnx"),
    *("GET /ca", "GET /ca.crt", "GET /ca.mobileconfig", "GET /"),
    *("POST /api/v1/session", "GET /api/v1/session", "DELETE /api/v1/session"),  # a browser's own
}
DECIDE_BY_WHAT_IS_ASKED: Final = ("/api/v1/codes", "/api/v1/uploads", "/api/v1/batches")
"""They know who asks; which right he needs depends on what is named in the request, or on whose it is."""


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Any]]:
    """What each route depends on, by its method and path."""
    app = create_app(Settings.load(data=tmp_path_factory.mktemp("data")))
    found: dict[str, set[Any]] = {}
    for route in iter_route_contexts(app.routes):
        if route.path:  # the page's files have none
            for method in route.methods or {"WS"}:
                found[f"{method} {route.path}"] = set(_calls(getattr(route, "dependant", None)))
    return found


def _calls(dependant: Dependant | None) -> Iterator[Any]:
    for each in dependant.dependencies if dependant is not None else ():
        yield each.call
        yield from _calls(each)


def stated(calls: set[Any]) -> list[NeedsOnServer | NeedsOnAcquisition]:
    return [call for call in calls if isinstance(call, NeedsOnServer | NeedsOnAcquisition)]


def test_no_route_is_without_a_right_but_those_that_are_listed(needs: dict[str, set[Any]]) -> None:
    without = {
        name
        for name, calls in needs.items()
        if not stated(calls)
        and not name.startswith("OPTIONS ")
        and not name.partition(" ")[2].startswith(DECIDE_BY_WHAT_IS_ASKED)
    }
    assert without - OPEN_TO_ALL == set()
    assert len(needs) > 40  # the walk sees them


def test_routes_that_decide_themselves_know_at_least_who_asks(needs: dict[str, set[Any]]) -> None:
    caller = get_args(CurrentCaller)[1].dependency
    deciding = {n for n in needs if n.partition(" ")[2].startswith(DECIDE_BY_WHAT_IS_ASKED) and "OPTIONS" not in n}
    assert deciding
    assert {name for name in deciding if caller not in needs[name]} == set()


def test_whoever_only_watches_changes_nothing(needs: dict[str, set[Any]]) -> None:
    changing = {name: calls for name, calls in needs.items() if name.split()[0] in ("POST", "PUT", "PATCH", "DELETE")}
    weak = {name for name, calls in changing.items() if stated(calls) and {n.right for n in stated(calls)} == {"watch"}}
    assert weak == set()


def test_whoever_watches_may_read_everything(needs: dict[str, set[Any]]) -> None:
    reading = {name: calls for name, calls in needs.items() if name.split()[0] in ("GET", "HEAD", "WS")}
    strong = {name for name, calls in reading.items() if {n.right for n in stated(calls)} - {"watch"}}
    assert strong == set()
