"""One WebRTC connection: an offer in, an answer out, encoded frames until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import ifaddr
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from cellstorm.errors import InvalidOffer, NoUsableCodec
from cellstorm.settings import Settings
from cellstorm_server.ingest import aiortc_seam, offers
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.offers import Bitrates


class Peer:
    """A phone, seen from aiortc. Made by `Peer.answer`; ends by `close`, or when the other side does."""

    def __init__(self, settings: Settings) -> None:
        aiortc_seam.install()
        self._bitrates = Bitrates(settings.start_bitrate_kbps, settings.min_bitrate_kbps, settings.max_bitrate_kbps)
        # Without STUN servers: in a laboratory's network their look-ups only cost seconds.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._receiver: RTCRtpReceiver | None = None
        self._connection.on("track", self._on_track)
        self._connection.on("connectionstatechange", self._on_connection_state)
        self.ended = asyncio.Event()

    async def answer(self, offer: str, client: str) -> str:
        """The answer to an offer from the address `client`.

        Raises
        ------
        InvalidOffer
            If it cannot be answered; `NoUsableCodec` if that is for want of H.264. Call `close` then, too.
        """
        offers.check_offer(offer)
        own_addresses = {
            str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)
        }
        filtered = offers.filter_candidates(offer, client, own_addresses)
        transceiver = self._connection.addTransceiver("video", direction="recvonly")
        transceiver.setCodecPreferences(_h264_capabilities())
        self._receiver = transceiver.receiver
        aiortc_seam.ask_for(self._bitrates, transceiver.receiver)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(filtered, "offer"))
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except OperationError as error:
            raise NoUsableCodec(
                "none of the offered H.264 profiles can be received; offer constrained baseline (42e01f), packetization mode 1"
            ) from error
        except (
            ValueError,
            KeyError,
            IndexError,
            AssertionError,
            AttributeError,
            RuntimeError,
            InvalidAccessError,
            InvalidStateError,
        ) as error:
            # aiortc's parser knows no error of its own.
            raise InvalidOffer("the offer cannot be understood; send the SDP that createOffer() made") from error
        return offers.with_bitrates(self._connection.localDescription.sdp, self._bitrates)

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        """Access units in their order, until the connection ends."""
        track = await self._track
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            yield cast(EncodedFrame, frame)

    async def request_key_frame(self) -> None:
        """Ask the phone for a key frame; it needs a round trip to come."""
        if self._receiver is not None and self._connection.connectionState == "connected":
            await aiortc_seam.request_key_frame(self._receiver)

    async def close(self) -> None:
        """End the connection and free its sockets; again is no error."""
        await self._connection.close()
        self.ended.set()
        self._track.cancel()

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and not self._track.done():
            self._track.set_result(track)

    def _on_connection_state(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self.ended.set()


def _h264_capabilities() -> list[RTCRtpCodecCapability]:
    capabilities = RTCRtpReceiver.getCapabilities("video")
    assert capabilities is not None
    return [codec for codec in capabilities.codecs if codec.mimeType.lower() in ("video/h264", "video/rtx")]
