"""Where a phone's link was lost: what the phone tells on its return, and where that leaves the numbering of frames.

Frames that a phone made while nobody listened never came, so that they count as lost, and the frames after them keep the
index that they would have had. A retry of the same return must not count them twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_GAPS: Final = 100
"""Kept in an acquisition; older ones still count in its lost frames."""
_MAX_FRAMES: Final = 1_000_000
"""Nine hours at 30 frames/s: more is not believed."""


class LinkGap(BaseModel):
    """What a phone knows of a lost link when it publishes again (`PUT` on the new session's `/gap`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str = Field(max_length=64, description="The session that was lost: the last part of its Location.")
    frames_sent: int = Field(ge=0, le=2**31, description="In that session, whether they arrived or not.")
    frames_missed: int = Field(ge=0, le=_MAX_FRAMES, description="Made since then, and not sent.")
    away_s: float = Field(ge=0, description="From the loss to now.")


class Gap(BaseModel):
    """A lost link, as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    first_frame: int = Field(description="Index of the first frame that never came.")
    frames_lost: int
    frames_missed: int = Field(description="Of those, the ones that the phone did not even send.")
    away_s: float


_GAPS: Final = TypeAdapter(tuple[Gap, ...])


def to_json(gaps: Sequence[Gap]) -> str:
    """As one text, as it is kept."""
    return _GAPS.dump_json(tuple(gaps)).decode()


def from_json(text: str | None) -> tuple[Gap, ...]:
    """The opposite; none where nothing was kept."""
    return () if text is None else _GAPS.validate_json(text)


class Place(BaseModel):
    """Where a session began, to tell later how many of its frames came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    first_frame: int


def after_gap(
    told: LinkGap | None, next_frame: int, last: Place | None, gaps: Sequence[Gap]
) -> tuple[int, tuple[Gap, ...]]:
    """Index of the first frame of a session that begins now, and all gaps.

    Parameters
    ----------
    told
        By the phone; None where it does not come back from a lost link.
    next_frame
        Behind the last frame that came.
    last
        Where the session before began; it may have begun behind `next_frame` and brought nothing.
    """
    known = tuple(gaps[-MAX_GAPS:])
    position = next_frame if last is None else max(next_frame, last.first_frame)
    if told is None:
        return position, known
    repeated = known[-1] if known and known[-1].session_id == told.session_id else None
    if repeated is not None:
        return _told_again(told, repeated, next_frame, known)
    came = 0 if last is None or last.session_id != told.session_id else position - last.first_frame
    unheard = told.frames_sent - came if last is not None and last.session_id == told.session_id else 0
    gap = Gap(
        session_id=told.session_id,
        first_frame=position,
        frames_lost=min(_MAX_FRAMES, max(0, unheard) + told.frames_missed),
        frames_missed=told.frames_missed,
        away_s=told.away_s,
    )
    return position + gap.frames_lost, (*known, gap)[-MAX_GAPS:]


def _told_again(told: LinkGap, before: Gap, next_frame: int, known: tuple[Gap, ...]) -> tuple[int, tuple[Gap, ...]]:
    """The phone could not connect after it had told of a gap: meanwhile that has grown."""
    grown = max(0, told.frames_missed - before.frames_missed)
    gap = before.model_copy(
        update={
            "frames_lost": before.frames_lost + grown,
            "frames_missed": before.frames_missed + grown,
            "away_s": max(before.away_s, told.away_s),
        }
    )
    return max(next_frame + grown, gap.first_frame + gap.frames_lost), (*known[:-1], gap)
