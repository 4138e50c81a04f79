"""The names of aiortc that ours take the place of, and what its estimator is made to say."""

from __future__ import annotations

import asyncio

from aiortc import RTCPeerConnection, RTCRtpReceiver, rtcrtpreceiver
from aiortc.rate import RemoteBitrateEstimator

from cellstorm_server.ingest.aiortc_seam import Estimator, ask_for
from cellstorm_server.ingest.offers import Bitrates

BITRATES = Bitrates(start_kbps=6000, minimum_kbps=3500, maximum_kbps=8000)
ABS_SEND_TIME_PER_S = 1 << 18
PACKET_BYTES = 1000


def told(seconds: int, packets_per_s: int) -> list[tuple[int, int]]:
    """Of packets at an even pace: milliseconds since the first, and bits per second."""
    estimator = Estimator(BITRATES)
    said = []
    for n in range(seconds * packets_per_s):
        at_ms = 1000 * n // packets_per_s
        answer = estimator.add(at_ms, (at_ms * ABS_SEND_TIME_PER_S // 1000) % (1 << 24), PACKET_BYTES, 7)
        if answer is not None:
            bitrate, sources = answer
            assert sources == [7]
            said.append((at_ms, bitrate))
    return said


def estimators_of(receiver: RTCRtpReceiver) -> list[type]:
    return [type(value) for value in vars(receiver).values() if isinstance(value, RemoteBitrateEstimator)]


def test_the_names_that_are_replaced_are_there() -> None:
    assert {"get_decoder", "JitterBuffer"} <= vars(rtcrtpreceiver).keys()


def test_what_is_asked_for_takes_the_place_of_aiortc_s_estimate() -> None:
    async def before_and_after() -> tuple[list[type], list[type]]:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("video").receiver
        before = estimators_of(receiver)
        ask_for(BITRATES, receiver)
        await connection.close()
        return before, estimators_of(receiver)

    assert asyncio.run(before_and_after()) == ([RemoteBitrateEstimator], [Estimator])


def test_the_first_packet_is_answered_with_the_bitrate_to_begin_with() -> None:
    assert told(seconds=1, packets_per_s=100)[:2] == [(0, 6_000_000), (510, 6_000_000)]


def test_a_sender_that_sends_little_is_asked_for_the_least_that_is_wanted() -> None:
    said = told(seconds=10, packets_per_s=40)
    assert said[-1] == (said[-1][0], 3_500_000)


def test_a_sender_that_sends_much_is_asked_for_no_more_than_the_most() -> None:
    measured = [bitrate for at_ms, bitrate in told(seconds=20, packets_per_s=1000) if at_ms > 5000]
    assert max(measured) == 8_000_000
