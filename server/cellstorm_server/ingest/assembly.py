"""Puts the packets of a video stream together into access units, and decides how long to wait for those that are missing.

A unit is handed over as soon as its last packet is there (the marker bit of RFC 6184, 5.1), not when the next one begins.
A missing packet is waited for at most `max_wait_ticks` of the stream's own clock: then what cannot be completed is left
out, so that one lost packet of a slow stream does not hold up everything behind it. What was left out is told with the
next unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cellstorm.h264 import DELIMITER, IDR_SLICE, SEI, SLICE, SPS

MAX_WAIT_TICKS: Final = 45_000
"""Half a second: enough for two retransmissions over a busy Wi-Fi."""
MAX_PACKETS: Final = 4096
"""Held at once: a key frame of 4 MB."""
_START_CODE: Final = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Packet:
    """A media packet whose payload is already Annex B (RFC 6184 fragments without their headers)."""

    sequence_number: int
    timestamp: int
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One access unit as it came.

    Attributes
    ----------
    data
        Annex B bytes.
    timestamp
        Ticks of 1/90000 s, unwrapped, of an arbitrary origin.
    follows_gap
        Packets between this unit and the one before never came.
    """

    data: bytes
    timestamp: int
    follows_gap: bool


class Unwrapper:
    """Counts on where a counter of so many bits starts again; small steps back are allowed."""

    def __init__(self, bits: int) -> None:
        self._modulus = 1 << bits
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        """The number nearest to the one before that equals `value` modulo 2^bits."""
        if self._last is None:
            self._last = value
        half = self._modulus // 2
        self._last += (value - self._last + half) % self._modulus - half
        return self._last


class AccessUnitAssembler:
    """Reorders, completes, gives up. Knows no sockets and no clock but the packets' own."""

    def __init__(self, max_wait_ticks: int = MAX_WAIT_TICKS, max_packets: int = MAX_PACKETS) -> None:
        self._max_wait_ticks = max_wait_ticks
        self._max_packets = max_packets
        self._sequence = Unwrapper(16)
        self._clock = Unwrapper(32)
        self._waiting: dict[int, Packet] = {}
        self._next: int | None = None
        self._follows_gap = False
        self.packets_missed = 0

    def add(self, packet: Packet) -> list[EncodedFrame]:
        """Take a packet; return the units that are complete by it, in their order."""
        sequence = self._sequence.unwrap(packet.sequence_number)
        if self._next is None:
            self._next = sequence
        if sequence < self._next:
            return []  # came after it was given up, or twice
        self._waiting[sequence] = Packet(sequence, self._clock.unwrap(packet.timestamp), packet.is_last, packet.data)
        frames = self._take_complete()
        while self._waits_too_long():
            self._skip_to_next_picture()
            frames += self._take_complete()
        return frames

    def _take_complete(self) -> list[EncodedFrame]:
        frames = []
        while (frame := self._take_one()) is not None:
            frames.append(frame)
        return frames

    def _take_one(self) -> EncodedFrame | None:
        assert self._next is not None
        packets: list[Packet] = []
        sequence = self._next
        while (packet := self._waiting.get(sequence)) is not None:
            if packets and packet.timestamp != packets[0].timestamp:
                return self._release(packets)  # a sender that sets no marker
            packets.append(packet)
            sequence += 1
            if packet.is_last:
                return self._release(packets)
        return None

    def _release(self, packets: list[Packet]) -> EncodedFrame:
        for packet in packets:
            del self._waiting[packet.sequence_number]
        self._next = packets[-1].sequence_number + 1
        frame = EncodedFrame(b"".join(packet.data for packet in packets), packets[0].timestamp, self._follows_gap)
        self._follows_gap = False
        return frame

    def _waits_too_long(self) -> bool:
        if not self._waiting or self._next is None:
            return False
        held = sorted(self._waiting)
        if held[-1] - self._next + 1 == len(held):
            return len(held) > self._max_packets  # no gap: a picture that is still coming
        oldest, newest = self._waiting[held[0]].timestamp, self._waiting[held[-1]].timestamp
        return newest - oldest > self._max_wait_ticks or held[-1] - self._next >= self._max_packets

    def _skip_to_next_picture(self) -> None:
        """Leave out the incomplete picture at the front, to the first packet behind the gap that begins another."""
        held = sorted(self._waiting)
        first = self._next if self._next in self._waiting else None
        begin = next((s for s in held if s != first and self._begins_picture(s)), held[-1] + 1)
        assert self._next is not None
        self.packets_missed += begin - self._next
        for sequence in held:
            if sequence < begin:
                del self._waiting[sequence]
        self._next = begin
        self._follows_gap = True

    def _begins_picture(self, sequence: int) -> bool:
        packet, before = self._waiting[sequence], self._waiting.get(sequence - 1)
        if before is not None:
            return before.is_last or before.timestamp != packet.timestamp
        return begins_picture(packet.data)


def begins_picture(data: bytes) -> bool:
    """Whether Annex B bytes begin an access unit (7.4.1.2.3), as far as their first NAL unit tells."""
    if not data.startswith(_START_CODE) or len(data) < 6:
        return False
    kind = data[4] & 0x1F
    if kind in (SLICE, IDR_SLICE):
        return data[5] & 0x80 != 0  # first_mb_in_slice is 0
    return kind in (SEI, SPS, DELIMITER)
