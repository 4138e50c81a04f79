from __future__ import annotations

import pytest

from cellstorm_server.ingest.assembly import AccessUnitAssembler, EncodedFrame, Packet, Unwrapper, begins_picture

STEP = 3000  # 30 frames/s
PICTURE = b"\0\0\0\1\x41\x9a"  # a slice whose first macroblock is 0
LATER_PART = b"tail"


def packet(sequence: int, frame: int, *, is_last: bool = True, data: bytes = PICTURE) -> Packet:
    return Packet(sequence & 0xFFFF, (frame * STEP) & 0xFFFFFFFF, is_last, data)


def fed(assembler: AccessUnitAssembler, *packets: Packet) -> list[EncodedFrame]:
    return [frame for p in packets for frame in assembler.add(p)]


def test_a_unit_is_handed_over_with_its_last_packet() -> None:
    assembler = AccessUnitAssembler()
    assert assembler.add(packet(0, 0, is_last=False)) == []
    assert assembler.add(packet(1, 0, data=LATER_PART)) == [EncodedFrame(PICTURE + LATER_PART, 0, follows_gap=False)]


def test_a_sender_without_marker_bits_ends_a_unit_by_the_next_timestamp() -> None:
    assembler = AccessUnitAssembler()
    assert fed(assembler, packet(0, 0, is_last=False), packet(1, 0, is_last=False)) == []
    assert [f.timestamp for f in assembler.add(packet(2, 1, is_last=False))] == [0]


def test_packets_out_of_order_are_put_in_order() -> None:
    frames = fed(AccessUnitAssembler(), packet(0, 0), packet(2, 2), packet(1, 1), packet(3, 3))
    assert [f.timestamp for f in frames] == [0, STEP, 2 * STEP, 3 * STEP]
    assert not any(f.follows_gap for f in frames)


def test_all_units_behind_a_filled_gap_come_at_once() -> None:
    assembler = AccessUnitAssembler()
    assert len(fed(assembler, packet(0, 0), packet(2, 2), packet(3, 3))) == 1
    assert len(assembler.add(packet(1, 1))) == 3


def test_a_packet_that_comes_twice_counts_once() -> None:
    assert len(fed(AccessUnitAssembler(), packet(0, 0), packet(0, 0), packet(1, 1), packet(0, 0))) == 2


def test_a_missing_packet_is_waited_for_half_a_second_and_no_longer() -> None:
    assembler = AccessUnitAssembler()
    before = fed(assembler, packet(0, 0), *(packet(n, n) for n in range(2, 18)))
    assert [f.timestamp for f in before] == [0]
    after = assembler.add(packet(18, 18))
    assert [f.timestamp // STEP for f in after] == list(range(2, 19))
    assert [f.follows_gap for f in after] == [True] + [False] * 16
    assert assembler.packets_missed == 1


def test_a_picture_whose_beginning_is_missing_is_left_out() -> None:
    assembler = AccessUnitAssembler(max_wait_ticks=STEP)
    torn = [packet(2, 1, is_last=False, data=LATER_PART), packet(3, 1, data=LATER_PART)]  # 1 is missing
    frames = fed(assembler, packet(0, 0), *torn, packet(4, 2), packet(5, 3))
    assert [f.timestamp // STEP for f in frames] == [0, 2, 3]
    assert [f.follows_gap for f in frames] == [False, True, False]


def test_a_whole_key_frame_behind_a_gap_is_kept() -> None:
    assembler = AccessUnitAssembler(max_wait_ticks=STEP)
    key_frame = b"\0\0\0\1\x67\x42"
    frames = fed(assembler, packet(0, 0), packet(2, 2, data=key_frame), packet(3, 3), packet(4, 4))
    assert [f.timestamp // STEP for f in frames] == [0, 2, 3, 4]


def test_a_picture_whose_end_is_missing_is_left_out() -> None:
    assembler = AccessUnitAssembler(max_wait_ticks=STEP)
    frames = fed(assembler, packet(0, 0, is_last=False), packet(2, 1), packet(3, 2), packet(4, 3))
    assert [f.timestamp // STEP for f in frames] == [1, 2, 3]
    assert frames[0].follows_gap


def test_counters_run_over_without_a_gap() -> None:
    first = 0xFFFF - 1
    clock = (1 << 32) - 2 * STEP
    packets = [Packet((first + n) & 0xFFFF, (clock + n * STEP) & 0xFFFFFFFF, True, PICTURE) for n in range(5)]
    frames = fed(AccessUnitAssembler(), *packets)
    assert [f.timestamp - frames[0].timestamp for f in frames] == [n * STEP for n in range(5)]


def test_what_is_held_is_bounded() -> None:
    assembler = AccessUnitAssembler(max_packets=10)
    endless = [packet(n, 0, is_last=False) for n in range(100)]
    assert fed(assembler, *endless) == []
    assert assembler.packets_missed > 0
    assert [f.timestamp // STEP for f in fed(assembler, packet(100, 1), packet(101, 2))][-1] == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\0\0\0\1\x67\x42", True, id="parameter set"),
        pytest.param(b"\0\0\0\1\x41\x9a", True, id="first slice"),
        pytest.param(b"\0\0\0\1\x41\x5a", False, id="later slice"),
        pytest.param(b"tail of one", False, id="fragment"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_knows_where_a_picture_begins(data: bytes, expected: bool) -> None:
    assert begins_picture(data) is expected


def test_unwrapping_goes_back_as_well_as_on() -> None:
    unwrapper = Unwrapper(16)
    assert [unwrapper.unwrap(v) for v in (65530, 4, 65534, 5)] == [65530, 65540, 65534, 65541]
