"""Joining with codes, and what a browser's cookie opens, on a real gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from cellstorm_server.tokens import digest
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import bearer, check_problem
from tests.redis_server import RedisServer

API = "/api/v1"


@pytest.fixture(autouse=True)
def no_tries_yet(gateway: Gateway) -> Iterator[None]:
    """All tests come from one address."""
    yield
    for key in gateway.store.redis.scan_iter("tries:*"):
        gateway.store.redis.delete(key)


def browser(gateway: Gateway, *, origin: str | None = "own") -> httpx.Client:
    """Keeps cookies, and says where its page came from, as browsers do."""
    headers = {} if origin is None else {"Origin": gateway.address if origin == "own" else origin}
    return httpx.Client(base_url=gateway.address, headers=headers, timeout=30, trust_env=False)


def code(gateway: Gateway, right: str, acquisition_id: str | None = None, **more: object) -> dict[str, Any]:
    body = {"right": right, "acquisition_id": acquisition_id, **more}
    made: dict[str, Any] = gateway.http.post(f"{API}/codes", json=body).raise_for_status().json()
    return made


@contextmanager
def joined(gateway: Gateway, right: str, acquisition_id: str | None = None) -> Iterator[httpx.Client]:
    with browser(gateway) as client:
        key = {"code": code(gateway, right, acquisition_id)["code"]}
        client.post(f"{API}/session", json=key).raise_for_status()
        yield client


def cookie_of(client: httpx.Client) -> tuple[str, str]:
    """Name and value of the only one that it has."""
    [cookie] = client.cookies.items()
    return cookie


def watching(gateway: Gateway, acquisition_id: str, client: httpx.Client) -> ClientConnection:
    """The live view, with the cookie that a browser has."""
    address = f"ws{gateway.address.removeprefix('http')}{API}/acquisitions/{acquisition_id}/live"
    headers = {"Cookie": "=".join(cookie_of(client))}
    return connect(address, additional_headers=headers, origin=Origin(gateway.address), proxy=None)


def test_a_code_is_exchanged_for_a_cookie_that_no_script_and_no_other_site_can_use(gateway: Gateway) -> None:
    with browser(gateway) as client:
        answer = client.post(f"{API}/session", json={"code": code(gateway, "film")["code"]})
        assert answer.json()["grants"] == [{"right": "film", "acquisition_id": None}]
        cookie = answer.headers["set-cookie"].lower()
        assert re.match(r"cellstorm_session_[0-9a-f]{8}=", cookie)
        assert {"httponly", "samesite=strict", "path=/", "max-age=2592000"} <= {p.strip() for p in cookie.split(";")}
        assert client.get(f"{API}/session").json() == answer.json()
        ends = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
        assert timedelta(hours=23) < ends <= timedelta(days=1)


def test_of_the_cookie_only_a_digest_is_kept(gateway: Gateway) -> None:
    with joined(gateway, "film") as client:
        _, cookie = cookie_of(client)
        kept = {key.decode() for key in gateway.store.redis.scan_iter("browser:*")}
        assert f"browser:{digest(cookie)}" in kept
        assert not any(cookie in key for key in kept)


def test_a_token_is_exchanged_likewise_and_what_was_allowed_before_stays(gateway: Gateway) -> None:
    created = gateway.create()
    with joined(gateway, "watch") as client:
        cookie = cookie_of(client)
        both = client.post(f"{API}/session", json={"token": created["token"]}).json()["grants"]
        assert both == [
            {"right": "watch", "acquisition_id": None},
            {"right": "film", "acquisition_id": created["id"]},
        ]
        assert cookie_of(client) == cookie
        admin = client.post(f"{API}/session", json={"token": ADMIN_TOKEN}).json()
        assert {"right": "manage", "acquisition_id": None} in admin["grants"]
        assert datetime.fromisoformat(admin["expires_at"]) > datetime.now(UTC) + timedelta(days=29)


def test_a_cookie_that_is_not_ours_is_replaced(gateway: Gateway) -> None:
    with joined(gateway, "watch") as other, browser(gateway) as client:
        planted = {"Cookie": f"{cookie_of(other)[0]}=planted-by-somebody"}
        check_problem(client.get(f"{API}/session", headers=planted), 401, "not-allowed")
        answer = client.post(f"{API}/session", json={"token": ADMIN_TOKEN}, headers=planted).raise_for_status()
        assert "planted-by-somebody" not in answer.headers["set-cookie"]


def test_two_phones_cannot_use_one_code_however_close_they_come(gateway: Gateway) -> None:
    made = code(gateway, "film")

    def attempt(_: int) -> int:
        return httpx.post(f"{gateway.address}{API}/session", json={"code": made["code"]}).status_code

    with ThreadPoolExecutor(8) as phones:
        answers = sorted(phones.map(attempt, range(8)))
    assert answers == [200, *[401] * 7]
    assert gateway.http.get(f"{API}/codes/{made['code']}").json()["uses_left"] == 0


def test_a_code_says_how_others_come_by_it(gateway: Gateway) -> None:
    made = code(gateway, "watch", uses=3, valid_s=60)
    assert made["join_url"] == f"{gateway.address}/#/join/{made['code']}"  # this gateway serves no HTTPS
    assert made["qr_svg"].startswith("<svg")
    assert made["uses_left"] == 3
    typed = f"{made['code'][:4].lower()} {made['code'][4:]}"
    httpx.post(f"{gateway.address}{API}/session", json={"code": typed}).raise_for_status()
    seen = gateway.http.get(f"{API}/codes/{made['code']}").json()
    assert seen == {**made, "uses_left": 2}


def test_whoever_guesses_codes_is_made_to_wait(gateway: Gateway) -> None:
    good = code(gateway, "film")["code"]
    answers = [
        httpx.post(f"{gateway.address}{API}/session", json={"code": f"0000000{n % 10}"}).status_code for n in range(21)
    ]
    assert answers == [*[401] * 20, 429]
    refused = httpx.post(f"{gateway.address}{API}/session", json={"code": good})
    check_problem(refused, 429, "too-many-tries")
    assert refused.headers["retry-after"] == "60"
    assert gateway.http.get(f"{API}/codes/{good}").json()["uses_left"] == 1
    admitted = httpx.post(f"{gateway.address}{API}/session", json={"token": ADMIN_TOKEN})
    assert admitted.status_code == 200  # nobody guesses a token, and whoever has it is let in
    check_problem(httpx.post(f"{gateway.address}{API}/session", json={"code": good}), 429, "too-many-tries")


def test_a_whole_class_may_join_from_one_address(gateway: Gateway) -> None:
    made = code(gateway, "film", uses=40)
    for _ in range(40):
        httpx.post(f"{gateway.address}{API}/session", json={"code": made["code"]}).raise_for_status()
    check_problem(
        httpx.post(f"{gateway.address}{API}/session", json={"code": made["code"]}), 401, "not-allowed"
    )  # used up


@pytest.mark.parametrize("key", [{}, {"code": "A", "token": "B"}, {"password": "x"}])
def test_a_key_is_a_code_or_a_token(gateway: Gateway, key: dict[str, str]) -> None:
    check_problem(httpx.post(f"{gateway.address}{API}/session", json=key), 422, "invalid-request")


def test_leaving_forgets_everything_and_again_is_no_error(gateway: Gateway) -> None:
    with joined(gateway, "film") as client:
        name, cookie = cookie_of(client)
        for _ in range(2):
            assert client.delete(f"{API}/session").status_code == 204
        assert name not in client.cookies
        client.cookies.set(name, cookie, domain="127.0.0.1")
        check_problem(client.get(f"{API}/session"), 401, "not-allowed")


def test_whoever_has_left_does_not_go_on_watching(gateway: Gateway) -> None:
    created = gateway.create()
    with (
        joined(gateway, "watch") as client,
        joined(gateway, "watch") as other,
        client.stream("GET", f"{API}/acquisitions/{created['id']}/events") as events,
        watching(gateway, created["id"], client) as leaves,
        watching(gateway, created["id"], other) as stays,
    ):
        client.delete(f"{API}/session").raise_for_status()
        with pytest.raises(ConnectionClosedError) as closed:
            list(leaves)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == CloseCode.POLICY_VIOLATION
        assert stays.ping().wait(10)
        gateway.http.post(f"{API}/acquisitions/{created['id']}/cancel").raise_for_status()
        assert [line for line in events.iter_lines() if line.startswith("event:")] == ["event: state"]


def test_a_restart_of_the_gateway_lets_nobody_out(gateway: Gateway) -> None:
    with joined(gateway, "film") as client:
        gateway.stop()
        gateway.start()
        answer = httpx.get(f"{gateway.address}{API}/session", cookies=client.cookies)
        assert answer.json()["grants"] == [{"right": "film", "acquisition_id": None}]


def test_what_one_gateway_has_let_in_another_one_knows(gateway: Gateway, tmp_path: Path) -> None:
    with Gateway(tmp_path, gateway.redis) as other:
        made = code(gateway, "film")
        answer = httpx.post(f"{other.address}{API}/session", json={"code": made["code"]}).raise_for_status()
        for address in (gateway.address, other.address):
            told = httpx.get(f"{address}{API}/session", cookies=answer.cookies).raise_for_status()
            assert told.json()["grants"] == [{"right": "film", "acquisition_id": None}]


def test_two_installations_on_one_host_sign_nobody_out_of_the_other(gateway: Gateway, tmp_path: Path) -> None:
    """Cookies do not keep ports apart: a browser sends both to both."""
    (tmp_path / "redis").mkdir()
    with (
        RedisServer(tmp_path / "redis") as redis,
        Gateway(tmp_path, redis) as other,
        joined(gateway, "watch") as client,
    ):
        elsewhere = {"Origin": other.address}
        entered = client.post(f"{other.address}{API}/session", json={"token": ADMIN_TOKEN}, headers=elsewhere)
        assert entered.status_code == 200
        assert len(client.cookies) == 2
        assert client.get(f"{API}/session").json()["grants"] == [{"right": "watch", "acquisition_id": None}]
        client.delete(f"{other.address}{API}/session", headers=elsewhere).raise_for_status()
        assert client.get(f"{API}/session").status_code == 200


# -- who may do what


def test_a_member_films_what_he_has_opened_and_watches_the_others(gateway: Gateway) -> None:
    another = gateway.create()
    with joined(gateway, "film") as member:
        own = member.post(f"{API}/acquisitions", json={"name": "mine"}).raise_for_status().json()
        assert {"right": "film", "acquisition_id": own["id"]} in member.get(f"{API}/session").json()["grants"]
        assert {own["id"], another["id"]} <= {each["id"] for each in member.get(f"{API}/acquisitions").json()}
        assert member.get(f"{API}/acquisitions/{another['id']}").status_code == 200
        check_problem(member.delete(f"{API}/acquisitions/{another['id']}"), 403, "forbidden")
        check_problem(member.post(f"/whip/{another['id']}", content="v=0"), 403, "forbidden")
        check_problem(member.get(f"{API}/acquisitions/doesnotexist"), 404, "acquisition-not-found")
        assert member.delete(f"{API}/acquisitions/{own['id']}").status_code == 204


@pytest.mark.parametrize("of_all", [True, False], ids=["of all", "of one"])
def test_a_spectator_reads_and_does_nothing_else(gateway: Gateway, of_all: bool) -> None:
    created = gateway.create()
    path = f"{API}/acquisitions/{created['id']}"
    with joined(gateway, "watch", None if of_all else created["id"]) as spectator:
        assert spectator.get(path).json()["id"] == created["id"]
        assert spectator.get(f"{path}/reconstruction.png").status_code in (200, 409)
        for method, target in [
            ("DELETE", path),
            ("POST", f"{path}/finish"),
            ("PUT", f"{path}/video"),
            ("POST", f"/whip/{created['id']}"),
            ("DELETE", f"/whip/{created['id']}/sessions/x"),
        ]:
            check_problem(spectator.request(method, target), 403, "forbidden")
        refused = spectator.post(f"{API}/acquisitions", json={})
        check_problem(refused, 403 if of_all else 401, "forbidden" if of_all else "not-allowed")
        assert spectator.get(f"{API}/acquisitions").status_code == (200 if of_all else 401)


def test_a_guest_of_one_acquisition_sees_no_other_nor_whether_there_is_one(gateway: Gateway) -> None:
    mine, other = gateway.create(), gateway.create()
    with joined(gateway, "watch", mine["id"]) as guest:
        answers = [guest.get(f"{API}/acquisitions/{key}") for key in (other["id"], "doesnotexist")]
        for answer in answers:
            check_problem(answer, 401, "not-allowed")
        assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("own", "wanted", "status"),
    [
        ("film", "film", 201),
        ("film", "watch", 201),
        ("film", "manage", 403),
        ("watch", "watch", 201),
        ("watch", "film", 403),
    ],
)
def test_nobody_lets_others_in_to_more_than_he_has(gateway: Gateway, own: str, wanted: str, status: int) -> None:
    with joined(gateway, own) as client:
        assert client.post(f"{API}/codes", json={"right": wanted}).status_code == status


def test_the_owner_of_an_acquisition_shares_it_and_nothing_else(gateway: Gateway) -> None:
    mine, other = gateway.create(), gateway.create()
    headers = bearer(mine["token"])

    def share(right: str, acquisition_id: str | None) -> httpx.Response:
        body = {"right": right, "acquisition_id": acquisition_id}
        return httpx.post(f"{gateway.address}{API}/codes", json=body, headers=headers)

    assert share("watch", mine["id"]).status_code == share("film", mine["id"]).status_code == 201
    for right, target in [("watch", other["id"]), ("watch", None), ("watch", "doesnotexist")]:
        check_problem(share(right, target), 401, "not-allowed")
    check_problem(
        gateway.http.post(f"{API}/codes", json={"right": "watch", "acquisition_id": "none"}),
        404,
        "acquisition-not-found",
    )


def test_nobody_lets_others_in_for_longer_than_he_has_himself(gateway: Gateway) -> None:
    with joined(gateway, "film") as member:
        made = member.post(f"{API}/codes", json={"right": "film", "valid_s": 86400}).json()
        own_end = member.get(f"{API}/session").json()["expires_at"]
        assert made["expires_at"] <= own_end
        with browser(gateway) as friend:
            gained = friend.post(f"{API}/session", json={"code": made["code"]}).json()
        assert gained["expires_at"] == own_end


def test_a_code_shows_itself_to_those_alone_who_might_have_made_it(gateway: Gateway) -> None:
    made = code(gateway, "film")
    with joined(gateway, "watch") as spectator:
        check_problem(spectator.get(f"{API}/codes/{made['code']}"), 404, "code-not-found")
        check_problem(spectator.get(f"{API}/codes/ABCD0123"), 404, "code-not-found")
    with joined(gateway, "film") as member:
        assert member.get(f"{API}/codes/{made['code']}").json()["uses_left"] == 1


# -- other sites


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1"])
def test_with_a_cookie_nothing_changes_unless_our_own_page_asks(gateway: Gateway, origin: str | None) -> None:
    created = gateway.create()
    path = f"{API}/acquisitions/{created['id']}"
    with joined(gateway, "manage") as admin, browser(gateway, origin=origin) as elsewhere:
        elsewhere.cookies.update(admin.cookies)
        check_problem(elsewhere.delete(path), 403, "forbidden")
        check_problem(elsewhere.post(f"{API}/codes", json={"right": "manage"}), 403, "forbidden")
        check_problem(elsewhere.delete(f"{API}/session"), 403, "forbidden")
        assert elsewhere.get(path).status_code == 200
        assert admin.delete(path).status_code == 204


def test_another_site_cannot_let_a_browser_in_to_what_is_not_its_own(gateway: Gateway) -> None:
    with browser(gateway, origin="https://evil.example") as client:
        check_problem(client.post(f"{API}/session", json={"token": ADMIN_TOKEN}), 403, "forbidden")


def test_a_program_with_a_token_needs_no_page(gateway: Gateway) -> None:
    with browser(gateway, origin="https://elsewhere.example") as program:
        headers = bearer(ADMIN_TOKEN)
        assert program.post(f"{API}/acquisitions", json={}, headers=headers).status_code == 201


def test_the_live_image_opens_by_cookie_for_our_own_page_alone(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"ws{gateway.address.removeprefix('http')}{API}/acquisitions/{created['id']}/live"
    with joined(gateway, "watch", created["id"]) as guest:
        headers = {"Cookie": "=".join(cookie_of(guest))}
        with connect(address, additional_headers=headers, origin=Origin(gateway.address)) as socket:
            assert '"opening"' in str(socket.recv())
        for origin in (None, Origin("https://evil.example")):
            with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers, origin=origin):
                pass
            assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refused, connect(address, origin=Origin(gateway.address)):
            pass
        assert refused.value.response.status_code == 401
        assert b"urn:cellstorm:problem:not-allowed" in (refused.value.response.body or b"")
