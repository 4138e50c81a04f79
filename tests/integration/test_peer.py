"""aiortc's private seam, held in place: if a new version moves it, these fail."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from cellstorm.errors import InvalidOffer, NoUsableCodec
from cellstorm.h264 import join_annex_b, split_annex_b
from cellstorm.settings import Settings
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.peer import Peer
from tests.fakes import encode_h264
from tests.webrtc import Recorded, offer_of

FRAMES = 40


async def received(pictures: list[bytes]) -> list[EncodedFrame]:
    """What comes out of a Peer when a sender on loopback sends these."""
    sender, peer = RTCPeerConnection(RTCConfiguration(iceServers=[])), Peer(Settings())
    track = Recorded(iter(pictures))
    frames: list[EncodedFrame] = []

    async def collect() -> None:
        async for frame in peer.frames():
            frames.append(frame)

    try:
        answer = await peer.answer(await offer_of(sender, track), "127.0.0.1")
        await sender.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        collecting = asyncio.create_task(collect())
        async with asyncio.timeout(20):
            await track.is_over.wait()
        await asyncio.sleep(0.3)
    finally:
        await sender.close()
        await peer.close()
    async with asyncio.timeout(5):
        await collecting
    return frames


def test_access_units_arrive_as_they_were_sent_down_to_the_last() -> None:
    noise = np.random.default_rng(1)
    frames_of_noise = (noise.integers(0, 255, (192, 256), np.uint8) for _ in range(FRAMES))
    pictures = [join_annex_b(split_annex_b(unit.data)) for unit in encode_h264(frames_of_noise)]
    assert max(len(picture) for picture in pictures) > 3000  # some are cut into several packets
    frames = asyncio.run(received(pictures))
    assert [frame.data for frame in frames] == pictures
    assert [frame.timestamp - frames[0].timestamp for frame in frames] == [1800 * n for n in range(FRAMES)]
    assert not any(frame.follows_gap for frame in frames)


def test_the_answer_asks_for_a_high_bitrate() -> None:
    async def answer() -> str:
        sender, peer = RTCPeerConnection(RTCConfiguration(iceServers=[])), Peer(Settings())
        try:
            return await peer.answer(await offer_of(sender, Recorded(iter([]))), "127.0.0.1")
        finally:
            await sender.close()
            await peer.close()

    assert "x-google-start-bitrate=6000;x-google-min-bitrate=3500;x-google-max-bitrate=8000" in asyncio.run(answer())


def answer_after(pattern: str, replacement: str, codec: str = "video/h264") -> None:
    async def answer() -> None:
        sender, peer = RTCPeerConnection(RTCConfiguration(iceServers=[])), Peer(Settings())
        try:
            offer = await offer_of(sender, Recorded(iter([])), codec)
            await peer.answer(re.sub(pattern, replacement, offer), "127.0.0.1")
        finally:
            await sender.close()
            await peer.close()

    asyncio.run(answer())


def test_an_offer_without_h264_is_refused() -> None:
    with pytest.raises(NoUsableCodec):
        answer_after("^$", "", codec="video/vp8")


def test_an_offer_of_profiles_that_cannot_be_received_is_refused() -> None:
    with pytest.raises(NoUsableCodec):
        answer_after("profile-level-id=......", "profile-level-id=4d001f")


def test_a_mangled_offer_is_refused() -> None:
    with pytest.raises(InvalidOffer):
        answer_after("a=fingerprint:sha-256 ", "a=fingerprint:")
