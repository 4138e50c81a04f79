from __future__ import annotations

import re

import pytest

from cellstorm.errors import InvalidOffer, NoUsableCodec
from cellstorm_server.ingest.offers import MAX_CANDIDATES, Bitrates, check_offer, filter_candidates, with_bitrates

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "a=fingerprint:sha-256 AA",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "",
    ]
)


def with_candidates(*addresses: str) -> str:
    lines = [f"a=candidate:{n} 1 udp 2122260223 {address} {40000 + n} typ host" for n, address in enumerate(addresses)]
    return OFFER + "\r\n".join([*lines, "a=end-of-candidates", ""])


def probed(offer: str) -> list[str]:
    return re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+)", offer, re.MULTILINE)


def test_only_the_clients_own_address_is_probed() -> None:
    offer = with_candidates("192.0.2.7", "192.0.2.8", "10.0.0.1", "abc.local")
    assert probed(filter_candidates(offer, "192.0.2.7", {"192.0.2.1"})) == ["192.0.2.7"]


def test_a_client_on_this_machine_may_name_any_of_its_addresses() -> None:
    offer = with_candidates("192.0.2.1", "203.0.113.9")
    assert probed(filter_candidates(offer, "127.0.0.1", {"192.0.2.1"})) == ["192.0.2.1"]


def test_the_number_of_candidates_is_capped() -> None:
    assert len(probed(filter_candidates(with_candidates(*["192.0.2.7"] * 50), "192.0.2.7", set()))) == MAX_CANDIDATES


def test_the_end_of_candidates_is_left_open() -> None:
    assert "end-of-candidates" not in filter_candidates(with_candidates("192.0.2.7"), "192.0.2.7", set())


def test_bitrates_stand_with_h264_alone() -> None:
    answer = with_bitrates(OFFER, Bitrates(4000, 2000, 8000))
    assert (
        "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f;"
        "x-google-start-bitrate=4000;x-google-min-bitrate=2000;x-google-max-bitrate=8000\r\n"
    ) in answer
    assert "a=fmtp:97 apt=96\r\n" in answer


@pytest.mark.parametrize(
    ("offer", "error"),
    [
        pytest.param("", InvalidOffer, id="nothing"),
        pytest.param("garbage", InvalidOffer, id="garbage"),
        pytest.param(OFFER.replace("m=video", "m=audio"), InvalidOffer, id="no video"),
        pytest.param(OFFER.replace("H264", "VP8"), NoUsableCodec, id="no H.264"),
        pytest.param(OFFER + "a=recvonly\r\n", InvalidOffer, id="sends nothing"),
    ],
)
def test_what_cannot_be_answered_is_refused(offer: str, error: type[InvalidOffer]) -> None:
    with pytest.raises(error):
        check_offer(offer)


def test_a_plain_offer_is_accepted() -> None:
    check_offer(OFFER)
