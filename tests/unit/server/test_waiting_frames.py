from __future__ import annotations

import pytest

from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.waiting_frames import WaitingFrames
from tests.fakes import encode_h264, numbered_frames

GROUP = 10
FRAMES = [EncodedFrame(unit.data, unit.timestamp, False) for unit in encode_h264(numbered_frames(60), group=GROUP)]


def waiting(limit: int, count: int) -> WaitingFrames:
    frames = WaitingFrames(limit)
    for number in range(count):
        frames.add(FRAMES[number], number)
    return frames


def test_frames_come_out_as_they_came_and_once() -> None:
    frames = waiting(limit=20, count=20)
    assert frames.take() == [(FRAMES[number], number) for number in range(20)]
    assert (frames.take(), frames.dropped) == ([], 0)


@pytest.mark.parametrize(("count", "first"), [(21, 10), (30, 10), (31, 20), (60, 40)])
def test_of_too_many_the_oldest_groups_go_and_the_next_key_frame_tells_of_the_gap(count: int, first: int) -> None:
    frames = waiting(limit=20, count=count)
    left = frames.take()
    assert [received_at_s for _, received_at_s in left] == list(range(first, count))
    assert [frame.follows_gap for frame, _ in left] == [True] + [False] * (count - first - 1)
    assert frames.dropped == first


def test_where_no_key_frame_waits_the_next_one_is_waited_for() -> None:
    frames = WaitingFrames(limit=3)
    for number in range(1, 13):
        frames.add(FRAMES[number], number)
    assert [(received_at_s, frame.follows_gap) for frame, received_at_s in frames.take()] == [
        (10, True),
        (11, False),
        (12, False),
    ]
    assert frames.dropped == 9
