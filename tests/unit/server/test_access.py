from __future__ import annotations

import math

import pytest
from fastapi.requests import HTTPConnection

from cellstorm.errors import CellstormError, Forbidden, NotAllowed
from cellstorm.grants import EVERYTHING, Grant, Right
from cellstorm_server.access import Caller, bearer, cookie_name


def connection(kind: str, authorization: str | None = None, subprotocols: list[str] | None = None) -> HTTPConnection:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return HTTPConnection({"type": kind, "headers": headers, "subprotocols": subprotocols or []})


@pytest.mark.parametrize(
    ("kind", "authorization", "subprotocols"),
    [
        ("http", "Bearer secret", []),
        ("http", "bearer  secret ", []),
        ("websocket", "Bearer secret", []),
        ("websocket", None, ["cellstorm", "bearer.secret"]),
    ],
)
def test_a_token_is_found_where_clients_put_it(kind: str, authorization: str | None, subprotocols: list[str]) -> None:
    assert bearer(connection(kind, authorization, subprotocols)) == "secret"


@pytest.mark.parametrize(
    ("kind", "authorization", "subprotocols"),
    [
        ("http", None, []),
        ("http", "Bearer", []),
        ("http", "Basic secret", []),
        ("http", None, ["bearer.secret"]),
        ("websocket", None, ["cellstorm"]),
    ],
)
def test_a_token_is_not_found_elsewhere(kind: str, authorization: str | None, subprotocols: list[str]) -> None:
    assert bearer(connection(kind, authorization, subprotocols)) is None


MEMBER = Grant(right="film")
SPECTATOR = Grant(right="watch")
OWNER = Grant(right="film", acquisition_id="mine")
GUEST = Grant(right="watch", acquisition_id="mine")


@pytest.mark.parametrize(
    ("grants", "right", "acquisition_id", "refusal"),
    [
        pytest.param([], "watch", "mine", NotAllowed, id="nobody"),
        pytest.param([MEMBER], "film", "another", Forbidden, id="a member, another's acquisition"),
        pytest.param([SPECTATOR], "film", None, Forbidden, id="a spectator who would film"),
        pytest.param([MEMBER], "manage", None, Forbidden, id="a member who would manage"),
        pytest.param([GUEST], "film", "mine", Forbidden, id="a guest who would end it"),
        pytest.param([OWNER], "watch", "another", NotAllowed, id="one acquisition's owner, another one"),
        pytest.param([OWNER], "watch", None, NotAllowed, id="one acquisition's owner, all of them"),
    ],
)
def test_who_may_only_watch_is_told_so_and_who_may_not_even_that_is_nobody(
    grants: list[Grant], right: Right, acquisition_id: str | None, refusal: type[CellstormError]
) -> None:
    with pytest.raises(refusal):
        Caller(dict.fromkeys(grants, math.inf)).require(right, acquisition_id)


def test_a_right_lasts_as_long_as_the_longest_grant_of_it() -> None:
    caller = Caller({MEMBER: 10.0, OWNER: 20.0})
    assert caller.until("film", "mine") == 20
    assert caller.until("film") == 10
    assert Caller({EVERYTHING: math.inf, OWNER: 5.0}).until("film", "mine") == math.inf


@pytest.mark.parametrize(
    ("scheme", "name"),
    [("http", "cellstorm_session_lab"), ("https", "__Host-cellstorm_session_lab"), ("ws", "cellstorm_session_lab")],
)
def test_over_https_the_cookie_can_be_set_by_this_very_host_alone(scheme: str, name: str) -> None:
    scope = {"type": "http", "scheme": scheme, "path": "/", "headers": [(b"host", b"lab")], "query_string": b""}
    assert cookie_name("lab", HTTPConnection(scope)) == name
