"""The one private seam of aiortc that is used: access units are taken before they would be decoded.

aiortc's receiver makes its jitter buffer and its decoder from names of its own module. `install` puts ours in their place
for H.264: a buffer that hands units over early and gives up on time (assembly.py), and a decoder that decodes nothing.
Pinned by tests/unit/server/test_aiortc_seam.py, which fails when the names move, and by the version in pyproject.toml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCRtpReceiver, rtcrtpreceiver
from aiortc.codecs import get_decoder as get_aiortc_decoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from cellstorm_server.ingest.assembly import AccessUnitAssembler, EncodedFrame, Packet


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


async def request_key_frame(receiver: RTCRtpReceiver) -> None:
    """Ask the sender for a key frame (picture loss indication, RFC 4585, 6.3.1); nothing before its first packet."""
    for source in receiver.getSynchronizationSources():
        await receiver._send_rtcp_pli(source.source)
