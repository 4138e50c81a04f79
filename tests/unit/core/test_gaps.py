"""Frames that a phone made while nobody listened keep their place, and are counted once."""

from __future__ import annotations

from cellstorm.gaps import MAX_GAPS, Gap, LinkGap, Place, after_gap


def told(session: str = "a", sent: int = 0, missed: int = 0, away_s: float = 1.0) -> LinkGap:
    return LinkGap(session_id=session, frames_sent=sent, frames_missed=missed, away_s=away_s)


def test_a_session_that_comes_without_a_gap_goes_on_where_the_last_frame_was() -> None:
    assert after_gap(None, 120, Place(session_id="a", first_frame=0), ()) == (120, ())
    assert after_gap(None, 0, None, ()) == (0, ())


def test_what_was_not_sent_and_what_was_sent_in_vain_are_both_missing() -> None:
    first, gaps = after_gap(told(sent=130, missed=50), 120, Place(session_id="a", first_frame=0), ())
    assert first == 120 + 10 + 50
    assert gaps == (Gap(session_id="a", first_frame=120, frames_lost=60, frames_missed=50, away_s=1.0),)


def test_a_later_session_counts_from_where_it_began() -> None:
    first, gaps = after_gap(told("b", sent=45, missed=5), 160, Place(session_id="b", first_frame=120), ())
    assert (first, gaps[0].frames_lost) == (170, 10)


def test_the_phone_never_takes_frames_back() -> None:
    first, gaps = after_gap(told(sent=100, missed=7), 120, Place(session_id="a", first_frame=0), ())
    assert (first, gaps[0].frames_lost) == (127, 7)


def test_of_a_session_that_is_not_known_only_what_was_not_sent_counts() -> None:
    first, gaps = after_gap(told("x", sent=10_000, missed=7), 120, Place(session_id="a", first_frame=0), ())
    assert (first, gaps[0].frames_lost) == (127, 7)


def test_a_gap_that_is_told_again_before_a_frame_came_only_grows() -> None:
    place = Place(session_id="a", first_frame=0)
    first, gaps = after_gap(told(sent=130, missed=50), 120, place, ())
    again, grown = after_gap(told(sent=130, missed=80, away_s=3.0), 120, Place(session_id="b", first_frame=first), gaps)
    assert again == 120 + 10 + 80
    assert grown == (Gap(session_id="a", first_frame=120, frames_lost=90, frames_missed=80, away_s=3.0),)


def test_a_session_that_brought_nothing_keeps_the_gap_before_it() -> None:
    first, gaps = after_gap(told("a", sent=120, missed=50), 120, Place(session_id="a", first_frame=0), ())
    again, both = after_gap(told("b", sent=0, missed=30), 120, Place(session_id="b", first_frame=first), gaps)
    assert again == 120 + 50 + 30
    assert [gap.frames_lost for gap in both] == [50, 30]


def test_old_gaps_leave_the_list() -> None:
    place, first, gaps = Place(session_id="0", first_frame=0), 0, ()
    kept: tuple[Gap, ...] = gaps
    for number in range(MAX_GAPS + 5):
        first, kept = after_gap(told(str(number), missed=1), first, place, kept)
        place = Place(session_id=str(number + 1), first_frame=first)
    assert len(kept) == MAX_GAPS
    assert first == MAX_GAPS + 5
