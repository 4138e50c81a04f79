"""The bits inside a NAL unit: its escaping, and the fields of its headers (ITU-T H.264, 7.4.1 and 9.1)."""

from __future__ import annotations

from cellstorm.errors import InvalidVideo


def unescape(nal_unit: bytes) -> bytes:
    """Without the bytes that keep start codes from arising inside (7.4.1)."""
    parts = []
    start = 0
    position = nal_unit.find(b"\0\0\3")
    while position >= 0:
        parts.append(nal_unit[start : position + 2])
        start = position + 3
        position = nal_unit.find(b"\0\0\3", start)
    parts.append(nal_unit[start:])
    return b"".join(parts)


def escape(payload: bytes) -> bytes:
    """Inverse of `unescape`."""
    escaped = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(escaped)


class Bits:
    """Reads fixed-length and exp-Golomb fields (9.1) from the front of a NAL unit."""

    def __init__(self, nal_unit: bytes, limit: int) -> None:
        payload = unescape(nal_unit[1 : 1 + limit])
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def read(self, count: int) -> int:
        if count > self._left:
            raise InvalidVideo("an H.264 header is cut short; send a key frame or export the video again")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def unsigned(self, maximum: int = 2**32 - 2) -> int:
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise InvalidVideo("an H.264 header holds a number that is too large; export the video again")
        value = (1 << zeros) - 1 + self.read(zeros)
        if value > maximum:
            raise InvalidVideo(f"an H.264 header holds {value} where at most {maximum} may be; export the video again")
        return value

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -value // 2
