from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from cellstorm.errors import Busy
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import Picture


class Walled(GatewayClient):
    """A gateway behind a firewall that passes HTTP alone: it answers each offer, and no address in the answer can be reached."""

    def __init__(self) -> None:
        super().__init__("http://gateway", "token")
        self.asked: list[str] = []

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401  # as it is there
        self.asked.append(method)
        if method == "DELETE":
            return httpx.Response(200)
        answer = await _answer_to(kwargs["content"])
        reachable_nowhere = "".join(line for line in answer.splitlines(keepends=True) if "a=candidate" not in line)
        return httpx.Response(201, text=reachable_nowhere, headers={"Location": f"{path}/session"})


async def _answer_to(offer: str) -> str:
    connection = RTCPeerConnection()
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp


def pictures(first_frame: int) -> Iterator[Picture]:
    return iter([Picture(n, n / 20, b"picture") for n in range(first_frame, 20)])


def test_where_udp_is_blocked_it_gives_up_in_time_and_says_so() -> None:
    client = Walled()
    phone = Phone(client, "http://gateway/whip/abc", give_up_after_s=0.5)

    async def publish() -> None:
        async with asyncio.timeout(20):
            await phone.publish(pictures, lambda _: None)

    with pytest.raises(Busy, match="nothing reaches it over UDP; open its UDP ports"):
        asyncio.run(publish())
    assert phone.pictures_sent == 0
    assert phone.sessions <= 4  # with a pause before each but the first
    assert client.asked == ["POST", "DELETE"] * phone.sessions
