"""Acquisitions over HTTP: tokens, states, problems, health."""

from __future__ import annotations

import httpx
import pytest

from cellstorm.localizations import empty
from tests.fakes import star_localizations
from tests.gateway import Gateway

API = "/api/v1/acquisitions"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def check_problem(response: httpx.Response, status: int, kind: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:cellstorm:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in response.text


def test_a_new_acquisition_tells_where_to_publish_upload_and_watch(gateway: Gateway) -> None:
    response = gateway.http.post(
        API, json={"name": "actin", "pixel_size_nm": 80, "roi": "8,8,64,64", "camera": "emccd"}
    )
    created = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{gateway.address}{API}/{created['id']}"
    assert created["state"] == "waiting"
    assert created["settings"]["roi"] == "8,8,64,64"
    assert created["settings"]["camera"]["gain"] == 1.0
    assert created["whip_url"] == f"{gateway.address}/whip/{created['id']}"
    assert created["upload_url"] == f"{gateway.address}{API}/{created['id']}/video"
    assert created["live_url"] == f"{gateway.address.replace('http', 'ws')}{API}/{created['id']}/live"
    assert created["viewer_url"] == f"{gateway.address}/#/view/{created['id']}"


def test_an_acquisition_s_token_opens_that_acquisition_alone(gateway: Gateway) -> None:
    mine, other = gateway.create(), gateway.create()
    headers = bearer(mine["token"])
    assert httpx.get(f"{gateway.address}{API}/{mine['id']}", headers=headers).json()["id"] == mine["id"]
    check_problem(httpx.get(f"{gateway.address}{API}/{other['id']}", headers=headers), 401, "not-allowed")
    check_problem(httpx.get(f"{gateway.address}{API}", headers=headers), 401, "not-allowed")
    check_problem(httpx.post(f"{gateway.address}{API}", json={}, headers=headers), 401, "not-allowed")


def test_the_token_is_kept_as_a_digest_only(gateway: Gateway) -> None:
    created = gateway.create()
    state = gateway.store.redis.hgetall(f"acq:{{{created['id']}}}:state")
    assert created["token"] not in str(state)


def test_a_stranger_cannot_tell_ids_that_exist_from_ids_that_do_not(gateway: Gateway) -> None:
    created = gateway.create()
    answers = [
        httpx.get(f"{gateway.address}{API}/{acquisition_id}", headers=bearer("wrong"))
        for acquisition_id in (created["id"], "doesnotexist")
    ]
    for answer in answers:
        check_problem(answer, 401, "not-allowed")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}, {"Authorization": "Bearer"}])
def test_a_missing_token_is_asked_for(gateway: Gateway, headers: dict[str, str]) -> None:
    check_problem(httpx.get(f"{gateway.address}{API}", headers=headers), 401, "not-allowed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/finish"),
        ("PUT", "/video"),
        ("GET", "/events"),
        ("GET", "/reconstruction.png"),
        ("GET", "/widefield.png"),
        ("GET", "/localizations.csv"),
        ("GET", "/archive.zip"),
    ],
)
def test_an_unknown_id_is_a_404_for_the_admin(gateway: Gateway, method: str, path: str) -> None:
    check_problem(gateway.http.request(method, f"{API}/doesnotexist{path}"), 404, "acquisition-not-found")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"pixel_size_nm": 0}, "pixel_size_nm"),
        ({"pixel_size_nm": "wide"}, "pixel_size_nm"),
        ({"roi": "1,2,3"}, "roi"),
        ({"roi": "0,0,4,4"}, "roi"),
        ({"camera": "no-such-camera"}, "camera"),
        ({"frames": "5:5"}, "frames"),
        ({"nonsense": 1}, "nonsense"),
        ({"name": ""}, "name"),
        ({"model": "../../etc"}, "model"),
    ],
)
def test_a_wrong_setting_is_named(gateway: Gateway, body: dict[str, object], named: str) -> None:
    response = gateway.http.post(API, json=body)
    check_problem(response, 422, "invalid-request")
    assert response.json()["detail"].startswith(f"{named}: ")
    assert "Value error" not in response.text


def test_an_unknown_model_is_refused_and_leaves_nothing(gateway: Gateway) -> None:
    before = gateway.store.ids(), gateway.library.ids()
    response = gateway.http.post(API, json={"model": "nobody"})
    check_problem(response, 422, "model-unavailable")
    assert "default" in response.json()["detail"]
    assert (gateway.store.ids(), gateway.library.ids()) == before


def test_a_body_that_is_not_json_is_refused(gateway: Gateway) -> None:
    response = gateway.http.post(API, content=b"{not json", headers={"Content-Type": "application/json"})
    check_problem(response, 422, "invalid-request")


def test_a_body_that_is_too_large_is_refused(gateway: Gateway) -> None:
    check_problem(gateway.http.post(API, json={"name": "x" * 300_000}), 413, "too-large")


def test_a_wrong_method_or_address_is_a_problem_too(gateway: Gateway) -> None:
    check_problem(gateway.http.get("/api/v1/nothing"), 404, "not-found")
    check_problem(gateway.http.patch(API), 405, "method-not-allowed")


def test_acquisitions_are_listed_newest_first(gateway: Gateway) -> None:
    ids = [gateway.create(name=str(number))["id"] for number in range(3)]
    listed = [acquisition["id"] for acquisition in gateway.http.get(API, params={"limit": 3}).json()]
    assert listed == ids[::-1]


def test_a_deleted_acquisition_leaves_nothing_behind(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(10))
    assert gateway.http.delete(f"{API}/{created['id']}").status_code == 204
    check_problem(gateway.http.get(f"{API}/{created['id']}"), 404, "acquisition-not-found")
    assert created["id"] not in gateway.library.ids()
    assert list(gateway.store.redis.scan_iter(f"acq:{{{created['id']}}}:*")) == []


def test_what_has_received_nothing_cannot_be_finished(gateway: Gateway) -> None:
    created = gateway.create()
    check_problem(gateway.http.post(f"{API}/{created['id']}/finish"), 409, "wrong-state")
    assert gateway.http.get(f"{API}/{created['id']}").json()["state"] == "waiting"


def test_finishing_again_is_no_error(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], empty())
    first = gateway.http.post(f"{API}/{created['id']}/finish")
    assert first.json()["state"] == "processing"
    gateway.wait_for(created["id"], "finished")
    assert gateway.http.post(f"{API}/{created['id']}/finish").json()["state"] == "finished"


def test_the_zoo_is_listed_with_its_cards(gateway: Gateway) -> None:
    (model,) = gateway.http.get("/api/v1/models").json()
    assert model["spec"]["name"] == "default"
    assert model["is_default"]
    assert model["is_for_live"]  # there is no other
    assert model["card"].startswith("# A generator")


def test_health_and_metrics_are_told_without_a_token(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(7), frames=10)
    assert httpx.get(f"{gateway.address}/livez").status_code == 200
    ready = httpx.get(f"{gateway.address}/readyz").json()
    assert ready == {"ready": True, "problems": {}, "workers": 0}
    metrics = httpx.get(f"{gateway.address}/metrics").text
    assert 'cellstorm_acquisitions{state="waiting"}' in metrics
    assert created["id"] not in metrics
    assert "cellstorm_store_up 1.0" in metrics


def test_the_interface_describes_itself(gateway: Gateway) -> None:
    paths = httpx.get(f"{gateway.address}/openapi.json").json()["paths"]
    assert f"{API}/{{acquisition_id}}/video" in paths
    assert paths[f"{API}/{{acquisition_id}}"]["get"]["security"]
    assert "application/problem+json" in str(paths[API]["post"]["responses"]["4XX"])


def test_without_a_built_page_the_root_says_how_to_build_it(gateway: Gateway) -> None:
    response = httpx.get(gateway.address)
    assert response.status_code == 503
    assert "make setup" in response.text
    assert "'unsafe-" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
