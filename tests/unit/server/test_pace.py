from __future__ import annotations

from cellstorm_server.ingest.pace import Pace

STEP = 4500  # 20 frames/s


def paced(frames: int = 20) -> Pace:
    pace = Pace()
    for n in range(frames):
        assert pace.lost_before(n * STEP, follows_gap=False) == 0
    return pace


def test_a_long_step_alone_is_no_lost_frame() -> None:
    assert paced(20).lost_before(23 * STEP, follows_gap=False) == 0


def test_missing_packets_are_counted_in_frames_by_the_time_between() -> None:
    assert paced(20).lost_before(23 * STEP, follows_gap=True) == 3


def test_jitter_does_not_change_the_count() -> None:
    assert paced(20).lost_before(round(20.6 * STEP), follows_gap=True) == 1


def test_a_gap_is_at_least_one_frame() -> None:
    assert Pace().lost_before(0, follows_gap=True) == 1
