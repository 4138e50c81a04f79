"""A phone made of aiortc's sender: publishes pictures over WHIP in real time, and comes back when the link is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.stats import RTCRemoteInboundRtpStreamStats
from av.stream import Stream

from cellstorm.errors import Busy, CellstormError, SessionReplaced, StoreUnavailable
from cellstorm.gaps import LinkGap
from cellstorm.h264 import TICKS_PER_SECOND
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.playback import Picture
from cellstorm_client.errors import Unreachable

log = structlog.get_logger()

_LINK_LOST_S: Final = 3.0
"""A receiver reports about each second; after three silent ones nobody listens any more."""
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)
_DRAIN_S: Final = 0.5
_CONNECT_S: Final = 10.0


class PictureTrack(MediaStreamTrack):
    """Hands encoded pictures to aiortc's sender, each when it is due."""

    kind = "video"

    def __init__(self, pictures: Iterator[Picture], on_sent: Callable[[Picture], None]) -> None:
        super().__init__()
        self._pictures = pictures
        self._on_sent = on_sent
        self._start: float | None = None
        self.is_exhausted = asyncio.Event()

    async def recv(self) -> av.Packet[Stream]:
        picture = await asyncio.to_thread(next, self._pictures, None)
        if picture is None:
            self.is_exhausted.set()
            raise MediaStreamError
        now = time.monotonic()
        if self._start is None:
            self._start = now - picture.due_s
        await asyncio.sleep(max(0.0, self._start + picture.due_s - now))
        packet = av.Packet(picture.data)
        packet.pts = round(picture.due_s * TICKS_PER_SECOND)
        packet.time_base = Fraction(1, TICKS_PER_SECOND)
        self._on_sent(picture)
        return packet


@dataclass(frozen=True, slots=True)
class _Lost:
    """A session whose link was lost, and when (monotonic) the gateway was last heard of."""

    session_id: str
    frames_sent: int
    heard_at: float


class Phone:
    """Publishes to one acquisition."""

    def __init__(self, client: GatewayClient, whip_url: str, *, give_up_after_s: float) -> None:
        self._client = client
        self._whip_url = whip_url
        self._give_up_after_s = give_up_after_s
        self._next_frame = 0
        self.pictures_sent = 0
        self.sessions = 0
        self._lost_since: float | None = None
        self._attempt = 0
        self._lost: _Lost | None = None
        self._heard_at = 0.0

    async def publish(
        self, pictures_from: Callable[[int], Iterator[Picture]], on_sent: Callable[[Picture], None]
    ) -> None:
        """Send all pictures, each when it is due.

        `pictures_from(n)` gives those from frame n on, beginning with a key frame: after a lost link it is asked again.

        Raises
        ------
        CellstormError
            If the gateway refuses, or no frame has reached it for too long.
        """
        while True:
            pictures = pictures_from(self._next_frame)
            first = await asyncio.to_thread(next, pictures, None)
            missed = 0 if first is None else first.frame_index - self._next_frame
            again = pictures if first is None else itertools.chain([first], pictures)
            track = PictureTrack(again, lambda picture: self._count(picture, on_sent))
            try:
                await self._publish_once(track, missed)
                return
            except (StoreUnavailable, Busy) as error:
                await self._wait_to_return(error)

    async def _wait_to_return(self, error: CellstormError) -> None:
        now = time.monotonic()
        if self._lost_since is None:
            self._lost_since, self._attempt = now, 0
        if now - self._lost_since > self._give_up_after_s:
            raise error
        log.info("link lost", reason=str(error))
        await asyncio.sleep(_RETRY_S[min(self._attempt, len(_RETRY_S) - 1)])
        self._attempt += 1

    def _count(self, picture: Picture, on_sent: Callable[[Picture], None]) -> None:
        self.pictures_sent += 1
        self._next_frame = picture.frame_index + 1
        on_sent(picture)

    async def _publish_once(self, track: PictureTrack, missed: int) -> None:
        """Return when all pictures were sent; raise Unreachable when the link was lost before, or never made.

        `missed` frames lie between the last one that was sent and the track's first.
        """
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            sender = _add_h264(connection, track)
            await connection.setLocalDescription(await connection.createOffer())
            response = await self._client.request(
                "POST",
                self._whip_url,
                content=connection.localDescription.sdp,
                headers={"Content-Type": "application/sdp"},
            )
            location = response.headers["Location"]
            await self._tell_gap(location, missed)
            await connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
            self.sessions += 1
            sent_before = self.pictures_sent
            is_complete = await self._until_sent_or_lost(connection, sender, track)
            if is_complete:
                await asyncio.sleep(_DRAIN_S)
            else:
                await connection.close()  # then no more is sent
                frames_sent = self.pictures_sent - sent_before
                if frames_sent:
                    self._lost = _Lost(location.rpartition("/")[2], frames_sent, self._heard_at)
            await self._end_session(location)
            if not is_complete:
                raise Unreachable(f"{self._client.server} answers, but nothing reaches it over UDP; open its UDP ports")
        finally:
            await connection.close()

    async def _tell_gap(self, location: str, missed: int) -> None:
        """Of the session that was lost before, while no frame of this one has been sent; frames count as lost then."""
        if self._lost is None:
            return
        lost = self._lost
        gap = LinkGap(
            session_id=lost.session_id,
            frames_sent=lost.frames_sent,
            frames_missed=missed,
            away_s=time.monotonic() - lost.heard_at,
        )
        try:
            await self._client.request("PUT", f"{location}/gap", json=gap.model_dump())
        except CellstormError as error:
            log.warning("lost frames not told", session=lost.session_id, reason=str(error))

    async def _until_sent_or_lost(
        self, connection: RTCPeerConnection, sender: RTCRtpSender, track: PictureTrack
    ) -> bool:
        """Whether all pictures were sent."""
        self._heard_at = time.monotonic()
        reported: object = None
        while not track.is_exhausted.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await track.is_exhausted.wait()
            if connection.connectionState in ("failed", "closed"):
                return track.is_exhausted.is_set()
            report = await _last_report(sender)
            if report is not None and report != reported:
                reported, self._heard_at = report, time.monotonic()
                self._lost_since = None  # not earlier: a session may be opened over HTTP though no frame ever arrives
            allowed_s = _LINK_LOST_S if reported is not None else _CONNECT_S
            if time.monotonic() - self._heard_at > allowed_s:
                return track.is_exhausted.is_set()
        return True

    async def _end_session(self, location: str) -> None:
        """One that is gone is no error, unless another phone took its place: then this one does not take it back."""
        try:
            await self._client.request("DELETE", location)
        except SessionReplaced:
            raise
        except CellstormError as error:
            log.info("session not ended", reason=str(error))


def _add_h264(connection: RTCPeerConnection, track: MediaStreamTrack) -> RTCRtpSender:
    transceiver = connection.addTransceiver(track, direction="sendonly")
    capabilities = RTCRtpSender.getCapabilities("video")
    assert capabilities is not None
    wanted = ("video/h264", "video/rtx")
    transceiver.setCodecPreferences([codec for codec in capabilities.codecs if codec.mimeType.lower() in wanted])
    return transceiver.sender


async def _last_report(sender: RTCRtpSender) -> object:
    """When the receiver last told what it has received; None before it did."""
    for stats in (await sender.getStats()).values():
        if isinstance(stats, RTCRemoteInboundRtpStreamStats):
            return stats.timestamp
    return None
