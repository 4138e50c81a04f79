"""From Redis's answers to what the rest of the program works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from cellstorm import gaps
from cellstorm.acquisitions import OVER, STORED, Acquisition, AcquisitionSettings, Priority, State
from cellstorm.generator import GeneratorSpec
from cellstorm.pace import Milestone, Pace, Pause
from cellstorm.roi import RegionOfInterest


def text(value: object) -> str:
    """Of what a script has answered."""
    return value.decode() if isinstance(value, bytes) else str(value)


def texts(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    """Of a hash."""
    return {name.decode(): value.decode() for name, value in raw.items()}


def pace_of(fields: Mapping[str, str], progress: Sequence[bytes], now: float) -> Pace:
    """An acquisition's pace from its fields and its list of progress."""
    rows = [entry.split() for entry in progress]
    pauses = [Pause(*map(float, pause.split(":"))) for pause in fields.get("pauses", "").split()]
    if paused_at := fields.get("paused_at"):
        pauses.append(Pause(float(paused_at), now))
    return Pace([Milestone(float(time_s), int(frames)) for time_s, frames in rows], pauses)


def frames_left(fields: Mapping[str, str]) -> int | None:
    """Frames that are still to be processed; None where nobody knows how many will come."""
    expected = fields.get("frames_expected")
    if fields["state"] == State.PROCESSING:  # all has come
        expected = fields.get("frames_received", "0")
    if expected is None:
        return None
    done = (int(fields.get(name, 0)) for name in ("frames_processed", "frames_damaged", "frames_left_out"))
    return max(0, int(expected) - sum(done))


def settings_of(fields: Mapping[str, str]) -> AcquisitionSettings:
    """Of an acquisition or a batch."""
    return AcquisitionSettings.model_validate_json(fields["settings"], context=STORED)


def acquisition_of(
    acquisition_id: str, fields: Mapping[str, str], progress: Sequence[bytes], now: float
) -> Acquisition:
    """An acquisition from its fields and its list of progress."""

    def count(name: str) -> int:
        return int(fields.get(name, 0))

    def number(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    def measured(name: str) -> float | None:
        return float(fields[name]) if fields.get(name) else None  # empty: it was known, and is no longer

    state = State(fields["state"])
    paused = bool(fields.get("paused_at")) and state not in OVER
    newest = float(fields.get("newest_received_at", 0))
    is_busy = state in (State.RECEIVING, State.PROCESSING)
    fps, eta_s = _fps_and_eta(fields, progress, now) if is_busy and not paused else (None, None)
    return Acquisition(
        id=acquisition_id,
        settings=settings_of(fields),
        state=state,
        paused=paused,
        priority=Priority(fields.get("priority", Priority.NORMAL)),
        batch_id=fields.get("batch_id"),
        reprocessed_from=fields.get("reprocessed_from"),
        video_from=_video_from(fields),
        video_sha256=fields.get("video_sha256"),
        generator=_generator(fields),
        created_at=datetime.fromtimestamp(float(fields["created_at"]), UTC),
        frame_width=number("frame_width"),
        frame_height=number("frame_height"),
        roi=RegionOfInterest.parse(fields["roi"]) if "roi" in fields else None,
        frames_expected=number("frames_expected"),
        frames_received=count("frames_received"),
        frames_lost=count("frames_lost"),
        gaps=gaps.from_json(fields.get("gaps")),
        frames_damaged=count("frames_damaged"),
        frames_processed=count("frames_processed"),
        frames_left_out=count("frames_left_out"),
        localizations=count("localizations"),
        chunks_received=count("chunks_received"),
        chunks_processed=count("chunks_processed"),
        waiting_chunk_bytes=count("waiting_chunk_bytes"),
        spooled_chunks=count("spooled_chunks"),
        lag_s=round(now - newest, 3) if is_busy and newest > 0 else None,
        fps=fps,
        eta_s=eta_s,
        resolution_nm=measured("resolution_nm"),
        drift_nm=measured("drift_nm"),
        error=fields.get("error") or None,
        notice=fields.get("notice") or None,
    )


def _generator(fields: Mapping[str, str]) -> GeneratorSpec | None:
    """Without its judge: hundreds of numbers, in answers that many ask for again and again."""
    if "generator" not in fields:
        return None
    return GeneratorSpec.model_validate_json(fields["generator"]).model_copy(update={"judge": None})


def _video_from(fields: Mapping[str, str]) -> Literal["phone", "file"] | None:
    if "live" in fields or fields.get("video_from") == "phone":
        return "phone"
    return "file" if "source" in fields or fields.get("video_from") == "file" else None


def _fps_and_eta(fields: Mapping[str, str], progress: Sequence[bytes], now: float) -> tuple[float | None, float | None]:
    pace, left = pace_of(fields, progress, now), frames_left(fields)
    eta_s = pace.eta_s(left, now) if left else None
    fps = pace.fps(now)
    return None if fps is None else round(fps, 2), None if eta_s is None else round(eta_s, 1)
