"""Answers STUN on UDP at the numbers of the HTTP ports: by it a phone hears at once that its lost link is back.

HTTP cannot tell it soon. A connection that was begun while packets were lost sends its next SYN after 1, 2, 4, 8, 16 s, browsers
take such connections over for later requests, and hold new WebSockets back after many that failed.

Browsers hide an address that they are told when it is their own, as it is on a local network; so each is told one that is
nobody's. Whether an answer comes is all that a phone wants to know.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final, cast

import structlog

log = structlog.get_logger()

_HEADER: Final = struct.Struct("!HHI12s")
"""RFC 8489, 5: type, length of what follows, magic cookie, transaction."""
_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_COOKIE: Final = 0x2112A442
_XOR_MAPPED_ADDRESS: Final = struct.Struct("!HHBBHI")
"""RFC 8489, 14.2: type 0x0020, 8 bytes, 0, family 1 (IPv4), port and address, both combined with the cookie."""
_NOBODYS_ADDRESS: Final = 0xC0000201
"""192.0.2.1, for documentation alone (RFC 5737)."""
_NOBODYS_PORT: Final = 9


def answer_to(datagram: bytes) -> bytes | None:
    """The answer to a binding request; None to anything else."""
    if len(datagram) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(datagram)
    if (kind, cookie, length) != (_BINDING_REQUEST, _COOKIE, len(datagram) - _HEADER.size):
        return None
    port, address = _NOBODYS_PORT ^ (_COOKIE >> 16), _NOBODYS_ADDRESS ^ _COOKIE
    attribute = _XOR_MAPPED_ADDRESS.pack(0x0020, 8, 0, 1, port, address)
    return _HEADER.pack(_BINDING_SUCCESS, len(attribute), _COOKIE, transaction) + attribute


async def listen(host: str, port: int) -> asyncio.DatagramTransport | None:
    """Answers until the transport is closed; None where the port is taken: phones then ask over HTTP, and wait longer."""
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(_Answers, local_addr=(host, port))
    except OSError as error:
        log.warning(
            "no answers over UDP: phones notice later that a lost link is back",
            host=host,
            port=port,
            reason=str(error),  # asyncio raises one of its own, without `strerror`
        )
        return None
    return transport


class _Answers(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = answer_to(data)
        if answer is not None:
            self._transport.sendto(answer, addr)
