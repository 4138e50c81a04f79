"""What is done to session descriptions, as text: an offer's candidates are filtered, an answer gets bitrates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cellstorm.errors import InvalidOffer, NoUsableCodec

MAX_OFFER_BYTES: Final = 64 * 1024
MAX_CANDIDATES: Final = 16
_H264: Final = re.compile(r"^a=rtpmap:(\d+) H264/90000\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Bitrates:
    """That a sender is to begin with, and to stay between."""

    start_kbps: int
    minimum_kbps: int
    maximum_kbps: int


def check_offer(offer: str) -> None:
    """Nothing, if an answer can be tried.

    Raises
    ------
    InvalidOffer
        If it is no offer of one video.
    NoUsableCodec
        If the video is offered without H.264.
    """
    if not offer.startswith("v=0") or "\na=ice-ufrag:" not in offer or "\na=fingerprint:" not in offer:
        raise InvalidOffer("this is not a WebRTC offer; send the SDP that createOffer() made, as application/sdp")
    if len(re.findall(r"^m=video ", offer, re.MULTILINE)) != 1:
        raise InvalidOffer("the offer must hold exactly one video; offer the camera's track alone")
    if re.search(r"^a=(recvonly|inactive)\s*$", offer, re.MULTILINE):
        raise InvalidOffer("the offer sends no video; offer the camera's track as sendonly")
    if not _H264.search(offer):
        raise NoUsableCodec("the offer holds no H.264; choose a browser or an encoder that sends H.264")


def filter_candidates(offer: str, client: str, own_addresses: Collection[str]) -> str:
    """The offer with only those candidates that lie at the client's own address, so that nobody can make us probe others.

    A client on this machine may name any of `own_addresses`. The end of candidates is left open: a phone whose address
    is hidden (mDNS) or translated is found when its own checks arrive.
    """
    allowed = {client, *own_addresses} if _is_loopback(client) else {client}
    kept = 0
    lines = []
    for line in offer.splitlines():
        if line.startswith("a=end-of-candidates"):
            continue
        if line.startswith("a=candidate:"):
            fields = line.split()
            if len(fields) < 8 or fields[2].lower() != "udp" or fields[4] not in allowed or kept >= MAX_CANDIDATES:
                continue
            kept += 1
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def with_bitrates(answer: str, bitrates: Bitrates) -> str:
    """The answer with bitrates in the parameters of its H.264, which Chromium heeds.

    Without them it begins at 300 kbit/s and takes some twenty seconds to reach a rate at which spots survive.
    """
    least, most = bitrates.minimum_kbps, bitrates.maximum_kbps
    rates = f"x-google-start-bitrate={bitrates.start_kbps};x-google-min-bitrate={least};x-google-max-bitrate={most}"
    for payload_type in _H264.findall(answer):
        answer = re.sub(rf"^(a=fmtp:{payload_type} [^\r\n]*)", rf"\1;{rates}", answer, flags=re.MULTILINE)
    return answer


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False  # a Unix socket's peer, or a test client's name
