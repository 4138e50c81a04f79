"""The private seams of aiortc that are used: access units are taken before they would be decoded, and bitrates are asked for.

aiortc's receiver makes its jitter buffer and its decoder from names of its own module. `install` puts ours in their place
for H.264: a buffer that hands units over early and gives up on time (assembly.py), and a decoder that decodes nothing.
`ask_for` puts an `Estimator` in the place of a receiver's own. Pinned by tests/unit/server/test_aiortc_seam.py, which fails
when the names move, and by the version in pyproject.toml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCRtpReceiver, rtcrtpreceiver
from aiortc.codecs import get_decoder as get_aiortc_decoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from cellstorm_server.ingest.assembly import AccessUnitAssembler, EncodedFrame, Packet
from cellstorm_server.ingest.offers import Bitrates


@dataclass
class _Bundle:
    """Several access units where aiortc expects one frame; it writes to `timestamp`, nobody reads it."""

    frames: list[EncodedFrame]
    timestamp: int = 0


class _VideoBuffer:
    """In place of aiortc's JitterBuffer for video."""

    def __init__(self) -> None:
        self._assembler = AccessUnitAssembler()

    def add(self, packet: RtpPacket) -> tuple[bool, _Bundle | None]:
        """Whether a key frame is needed, and what is complete."""
        data: bytes = packet._data  # type: ignore[attr-defined]  # set by the receiver, from depayload()
        frames = self._assembler.add(Packet(packet.sequence_number, packet.timestamp, bool(packet.marker), data))
        return any(frame.follows_gap for frame in frames), _Bundle(frames) if frames else None


class Estimator(RemoteBitrateEstimator):
    """What the link is said to carry (REMB), from the first packet on.

    aiortc is silent for three seconds and then says what has come until then. Browsers that begin at 300 kbit/s and take no
    other advice (Firefox, Safari) would grow from there by 8 % a second; in their first two seconds they believe what is said.
    """

    def __init__(self, bitrates: Bitrates) -> None:
        super().__init__()
        self._bitrates = bitrates
        self._is_measured = False
        self._begin_told_ms: int | None = None

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """Bits per second and the sources that it holds for, as often as it is to be said."""
        measured = super().add(arrival_time_ms, abs_send_time, payload_size, ssrc)
        if measured is not None:
            self._is_measured = True
            bitrate, sources = measured
            least, most = 1000 * self._bitrates.minimum_kbps, 1000 * self._bitrates.maximum_kbps
            return max(least, min(bitrate, most)), sources
        if self._is_measured or not self._is_due(arrival_time_ms):
            return None
        self._begin_told_ms = arrival_time_ms
        return 1000 * self._bitrates.start_kbps, list(self.ssrcs)

    def _is_due(self, now_ms: int) -> bool:
        return self._begin_told_ms is None or now_ms - self._begin_told_ms > self.rate_control.feedback_interval()


@dataclass
class _PassOn:
    """In place of aiortc's decoder: what comes out of it is still encoded."""

    passed: int = field(default=0)

    def decode(self, bundle: _Bundle) -> list[EncodedFrame]:
        self.passed += len(bundle.frames)
        return bundle.frames


def _buffer(capacity: int, prefetch: int = 0, is_video: bool = False) -> Any:  # noqa: ANN401  # one of two unrelated classes
    return _VideoBuffer() if is_video else JitterBuffer(capacity, prefetch)


def _decoder(codec: RTCRtpCodecParameters) -> Any:  # noqa: ANN401
    return _PassOn() if codec.mimeType.lower() == "video/h264" else get_aiortc_decoder(codec)


def install() -> None:
    """From now on, H.264 tracks of this process yield `EncodedFrame`s. Calling it again changes nothing."""
    seam: Any = rtcrtpreceiver
    seam.JitterBuffer = _buffer
    seam.get_decoder = _decoder


def ask_for(bitrates: Bitrates, receiver: RTCRtpReceiver) -> None:
    """Of whoever will send to this receiver."""
    seam: Any = receiver
    seam._RTCRtpReceiver__remote_bitrate_estimator = Estimator(bitrates)


async def request_key_frame(receiver: RTCRtpReceiver) -> None:
    """Ask the sender for a key frame (picture loss indication, RFC 4585, 6.3.1); nothing before its first packet."""
    for source in receiver.getSynchronizationSources():
        await receiver._send_rtcp_pli(source.source)
