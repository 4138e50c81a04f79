"""WHIP on a real gateway: what it accepts, what it refuses, and when it ends a session by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from redis.exceptions import TimeoutError as RedisTimeoutError

from cellstorm.settings import Settings
from cellstorm_server.app import create_app
from cellstorm_server.services import Services
from tests.fakes import encode_h264, numbered_frames
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_rest import bearer, check_problem
from tests.webrtc import Recorded, offer_of

SDP = {"Content-Type": "application/sdp"}
API = "/api/v1/acquisitions"


async def _offer(codec: str = "video/h264") -> str:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        return await offer_of(connection, Recorded(iter([])), codec)
    finally:
        await connection.close()


def offer(codec: str = "video/h264") -> str:
    return asyncio.run(_offer(codec))


async def film(address: str, pictures: Sequence[bytes], *, stop: bool = True) -> httpx.Response:
    """Publish to a WHIP address, send it all; `stop` ends the session, else the phone just falls silent and leaves."""
    connection, track = RTCPeerConnection(RTCConfiguration(iceServers=[])), Recorded(iter(pictures))
    closed = asyncio.Event()
    connection.on("connectionstatechange", lambda: closed.set() if connection.connectionState == "closed" else None)
    async with httpx.AsyncClient(headers={**bearer(ADMIN_TOKEN), **SDP}, timeout=30, trust_env=False) as http:
        response = await http.post(address, content=await offer_of(connection, track))
        response.raise_for_status()
        try:
            await connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
            await _first_of(track.is_over, closed)
            await asyncio.sleep(0.5)
            if stop:
                (await http.delete(response.headers["Location"])).raise_for_status()
        finally:
            await connection.close()
    return response


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def pictures(count: int, width: int = 96) -> list[bytes]:
    return [unit.data for unit in encode_h264(numbered_frames(count, width))]


def test_a_session_is_opened_and_ended_and_all_it_sent_is_there(gateway: Gateway) -> None:
    created = gateway.create()
    response = asyncio.run(film(created["whip_url"], pictures(35)))
    assert response.status_code == 201
    assert response.headers["content-type"] == SDP["Content-Type"]
    assert response.headers["location"].startswith(f"{created['whip_url']}/sessions/")
    acquisition = gateway.http.get(f"{API}/{created['id']}").json()
    assert acquisition["frames_received"] == 35
    assert acquisition["chunks_received"] == 4
    assert acquisition["state"] == "waiting"


def test_another_session_continues_the_acquisition(gateway: Gateway) -> None:
    created = gateway.create()
    for _ in range(2):
        asyncio.run(film(created["whip_url"], pictures(20)))
    acquisition = gateway.http.get(f"{API}/{created['id']}").json()
    assert (acquisition["frames_received"], acquisition["frames_lost"]) == (40, 0)


def test_a_replaced_phone_is_told_so_that_two_do_not_drive_each_other_out(gateway: Gateway) -> None:
    created = gateway.create()
    first, _ = (gateway.http.post(f"/whip/{created['id']}", content=offer(), headers=SDP) for _ in range(2))
    check_problem(httpx.delete(first.headers["Location"], headers=bearer(created["token"])), 410, "session-replaced")


def test_publishing_without_an_id_opens_an_acquisition(gateway: Gateway) -> None:
    before = {acquisition["id"] for acquisition in gateway.http.get(API).json()}
    asyncio.run(film(f"{gateway.address}/whip", pictures(20)))
    opened = [a for a in gateway.http.get(API).json() if a["id"] not in before]
    assert [a["frames_received"] for a in opened] == [20]


def test_a_phone_that_falls_silent_is_noticed_and_its_session_freed(gateway: Gateway) -> None:
    created = gateway.create()
    response = asyncio.run(film(created["whip_url"], pictures(20), stop=False))
    acquisition = gateway.wait_for(created["id"], "waiting")
    assert acquisition["frames_received"] == 20
    deadline = time.monotonic() + 20
    while "cellstorm_sessions 0.0" not in gateway.http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert response.headers["location"]


def test_ending_a_session_again_is_no_error_for_whoever_may_film(gateway: Gateway) -> None:
    created, other = gateway.create(), gateway.create()
    session = gateway.http.post(f"/whip/{created['id']}", content=offer(), headers=SDP).headers["Location"]
    check_problem(httpx.delete(session, headers=bearer(other["token"])), 401, "not-allowed")
    for _ in range(2):
        assert httpx.delete(session, headers=bearer(created["token"])).status_code == 200


def test_a_frame_size_that_changes_is_told_and_what_came_before_is_kept(gateway: Gateway) -> None:
    created = gateway.create()
    asyncio.run(film(created["whip_url"], [*pictures(20), *pictures(20, width=128)], stop=False))
    acquisition = gateway.wait_for(created["id"], "waiting")
    assert "128x64" in acquisition["error"]
    assert acquisition["frames_received"] == 20
    assert gateway.http.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("", 400, id="nothing"),
        pytest.param("v=0\r\ngarbage", 400, id="garbage"),
        pytest.param("\udcff", 400, id="not text"),
        pytest.param("v=0\r\n" + "a=x\r\n" * 20_000, 413, id="too long"),
    ],
)
def test_what_is_no_offer_is_refused_and_leaves_nothing_behind(gateway: Gateway, body: str, status: int) -> None:
    content = body.encode(errors="surrogateescape")
    created, before = gateway.create(), len(gateway.http.get(API).json())
    kinds = {400: "invalid-offer", 413: "too-large"}
    check_problem(gateway.http.post(f"/whip/{created['id']}", content=content, headers=SDP), status, kinds[status])
    check_problem(gateway.http.post("/whip", content=content, headers=SDP), status, kinds[status])
    assert len(gateway.http.get(API).json()) == before
    # the acquisition is as good as new: an upload may still come
    assert gateway.http.get(f"{API}/{created['id']}").json()["state"] == "waiting"
    assert gateway.store.field(created["id"], "live") is None


@pytest.mark.parametrize(
    "trouble", [RedisTimeoutError("too slow"), asyncio.CancelledError()], ids=["redis", "given up"]
)
def test_an_acquisition_whose_first_session_does_not_open_is_not_left_behind(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    async def fail(*_: str) -> tuple[str, str]:
        raise trouble

    async def publish() -> list[str]:
        app = create_app(Settings(data=tmp_path, redis_url=redis_url, admin_token=ADMIN_TOKEN))
        async with app.router.lifespan_context(app):
            services: Services = app.state.services
            monkeypatch.setattr(services.sessions, "open", fail)
            headers = {**bearer(ADMIN_TOKEN), **SDP}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
                with suppress(asyncio.CancelledError):
                    check_problem(await http.post("/whip", content="v=0", headers=headers), 503, "store-unavailable")
            return [*services.store.ids(), *services.library.ids()]

    assert asyncio.run(publish()) == []


def test_an_offer_without_h264_is_not_acceptable(gateway: Gateway) -> None:
    created = gateway.create()
    answer = gateway.http.post(f"/whip/{created['id']}", content=offer("video/vp8"), headers=SDP)
    check_problem(answer, 406, "no-usable-codec")


def test_an_offer_of_another_type_is_refused(gateway: Gateway) -> None:
    created = gateway.create()
    answer = gateway.http.post(f"/whip/{created['id']}", content=offer(), headers={"Content-Type": "text/plain"})
    check_problem(answer, 400, "invalid-offer")


def test_only_the_right_token_may_publish(gateway: Gateway) -> None:
    created = gateway.create()
    other = gateway.create()
    for headers in ({}, bearer("wrong"), bearer(other["token"])):
        answer = httpx.post(f"{gateway.address}/whip/{created['id']}", content=offer(), headers={**SDP, **headers})
        check_problem(answer, 401, "not-allowed")
    check_problem(
        httpx.post(f"{gateway.address}/whip", content=offer(), headers={**SDP, **bearer(other["token"])}),
        401,
        "not-allowed",
    )
    check_problem(gateway.http.post("/whip/unknown-id", content=offer(), headers=SDP), 404, "acquisition-not-found")


def test_trickled_candidates_are_not_implemented_and_say_so(gateway: Gateway) -> None:
    created = gateway.create()

    async def patched() -> int:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        async with httpx.AsyncClient(
            base_url=gateway.address, headers=bearer(created["token"]), trust_env=False
        ) as http:
            try:
                sdp = await offer_of(connection, Recorded(iter([])))
                answer = await http.post(f"/whip/{created['id']}", content=sdp, headers=SDP)
                return (await http.patch(answer.headers["Location"])).status_code
            finally:
                await connection.close()

    assert asyncio.run(patched()) == 501


def test_a_finished_acquisition_takes_no_more_video(gateway: Gateway) -> None:
    created = gateway.create()
    asyncio.run(film(created["whip_url"], pictures(20)))
    gateway.http.post(f"{API}/{created['id']}/finish").raise_for_status()
    check_problem(gateway.http.post(f"/whip/{created['id']}", content=offer(), headers=SDP), 409, "wrong-state")


def test_a_whip_address_says_what_may_be_sent_to_it(gateway: Gateway) -> None:
    for address, allowed in (("/whip", "POST"), ("/whip/some-id", "POST"), ("/whip/some-id/sessions/one", "DELETE")):
        answer = httpx.options(f"{gateway.address}{address}", trust_env=False)
        assert answer.status_code == 204
        assert allowed in answer.headers["allow"]
        assert answer.headers.get("accept-post", SDP["Content-Type"]) == SDP["Content-Type"]


def test_a_gap_is_told_of_a_session_that_is_open(gateway: Gateway) -> None:
    created = gateway.create()
    gap = {"session_id": "before", "frames_sent": 3, "frames_missed": 40, "away_s": 2.0}
    response = httpx.post(
        created["whip_url"], content=offer(), headers={**bearer(created["token"]), **SDP}, trust_env=False
    )
    address = f"{response.headers['Location']}/gap"
    for _ in range(2):
        assert gateway.http.put(address, json=gap).status_code == 204
    acquisition = gateway.http.get(f"{API}/{created['id']}").json()
    assert [(found["first_frame"], found["frames_lost"]) for found in acquisition["gaps"]] == [(0, 40)]
    check_problem(gateway.http.put(address, json={**gap, "frames_missed": -1}), 422, "invalid-request")
    gateway.http.delete(response.headers["Location"])
    check_problem(gateway.http.put(address, json=gap), 409, "wrong-state")
