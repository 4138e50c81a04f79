"""A sender for tests: encoded pictures over aiortc, fifty a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fractions import Fraction

import av
from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.stream import Stream


class Recorded(MediaStreamTrack):
    """Yields encoded pictures, 50 a second."""

    kind = "video"

    def __init__(self, pictures: Iterator[bytes]) -> None:
        super().__init__()
        self._pictures = enumerate(pictures)
        self.is_over = asyncio.Event()

    async def recv(self) -> av.Packet[Stream]:
        await asyncio.sleep(0.02)
        index, data = next(self._pictures, (0, None))
        if data is None:
            self.is_over.set()
            raise MediaStreamError
        packet = av.Packet(data)
        packet.pts, packet.time_base = index * 1800, Fraction(1, 90_000)
        return packet


async def offer_of(connection: RTCPeerConnection, track: MediaStreamTrack, codec: str = "video/h264") -> str:
    transceiver = connection.addTransceiver(track, direction="sendonly")
    capabilities = RTCRtpSender.getCapabilities("video")
    assert capabilities is not None
    transceiver.setCodecPreferences([c for c in capabilities.codecs if c.mimeType.lower() == codec])
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    return sdp
