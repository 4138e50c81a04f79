"""What a phone sends, from access units to the store and the kept video."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast
from weakref import ref

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.errors import AcquisitionNotFound, Busy, FrameSizeChanged, InvalidOffer, StorageFull, WrongState
from cellstorm.gaps import LinkGap
from cellstorm_server.ingest import session
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.peer import Peer
from cellstorm_server.ingest.session import FIRST_CHUNK_FRAMES, Intake, Session
from cellstorm_server.ingest.sessions import Sessions
from cellstorm_server.library import Library
from cellstorm_server.queueing import job_name
from tests.fakes import encode_h264, numbered_frames
from tests.intake_bench import ID, Bench, frames_of, headers, recording
from tests.integration.test_jobs import wait_for
from tests.webrtc import Recorded, offer_of


def test_the_kept_video_gives_the_chunks_that_were_stored(bench: Bench, tmp_path: Path) -> None:
    intake = bench.intake()
    intake.take(frames_of(recording(45)))
    intake.finish()
    stored, kept = bench.stored(), bench.kept(tmp_path)
    assert headers(stored) == headers(kept)
    assert [c.header.frame_count for c in stored] == [10, 10, 10, 10, 5]
    acquisition = bench.store.get(ID)
    assert (acquisition.frames_received, acquisition.frames_lost, acquisition.frames_damaged) == (45, 0, 0)
    assert (acquisition.frame_width, acquisition.frame_height) == (96, 64)
    assert bench.queues.waiting() == {job_name(ID, n) for n in range(5)}


class RecordedPhone:
    """In place of a `Peer`: its frames come all at once; it notes how many had come when a key frame was asked for."""

    def __init__(self, frames: Sequence[EncodedFrame]) -> None:
        self._frames = frames
        self._sent = 0
        self.asked_after: list[int] = []
        self.ended = asyncio.Event()

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        for frame in self._frames:
            self._sent += 1
            yield frame

    async def request_key_frame(self) -> None:
        self.asked_after.append(self._sent)

    async def close(self) -> None:
        self.ended.set()


def test_the_first_chunk_of_a_session_is_short_so_that_its_localizations_come_soon(
    redis_url: str, tmp_path: Path
) -> None:
    bench = Bench(redis_url, tmp_path / "data", key_frame_interval_s=3600)

    async def film() -> RecordedPhone:
        phone = RecordedPhone([frame for frame, _ in frames_of(encode_h264(numbered_frames(40), group=5))])
        session = Session("first", ID, cast(Peer, phone), bench.intake(), bench.store, bench.settings)
        await phone.ended.wait()
        await session.end("closed")
        return phone

    assert asyncio.run(film()).asked_after == [FIRST_CHUNK_FRAMES]
    stored = bench.stored()
    assert [chunk.header.frame_count for chunk in stored] == [5, 10, 10, 10, 5]
    assert headers(stored) == headers(bench.kept(tmp_path))
    bench.store.redis.close()


class FilmingPhone(RecordedPhone):
    """Sends its first frames, the others when it `may_go_on`, and then stays connected until its session ends."""

    def __init__(self, frames: Sequence[EncodedFrame], first: int) -> None:
        super().__init__(frames)
        self._first = first
        self.may_go_on = asyncio.Event()
        self.has_sent_all = asyncio.Event()

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        async for frame in super().frames():
            if self._sent == self._first + 1:
                await self.may_go_on.wait()
            yield frame
        self.has_sent_all.set()
        await self.ended.wait()


class StalledIntake(Intake):
    """Stands still before the frames that it is given first, until it `may_go_on`."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(ID, "stalled", bench.store, bench.feeder, bench.library)
        self.is_stalled = threading.Event()
        self.may_go_on = threading.Event()

    def take(self, frames: list[tuple[EncodedFrame, float]]) -> None:
        self.is_stalled.set()
        assert self.may_go_on.wait(timeout=30)
        super().take(frames)


def test_frames_that_find_no_room_while_the_disk_stalls_are_counted_as_lost(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_WAITING_FRAMES", 25)

    async def film() -> None:
        intake = StalledIntake(bench)
        phone = FilmingPhone([frame for frame, _ in frames_of(recording(70))], first=15)
        filming = Session("stalled", ID, cast(Peer, phone), intake, bench.store, bench.settings)
        assert await asyncio.to_thread(intake.is_stalled.wait, 30)
        phone.may_go_on.set()
        await phone.has_sent_all.wait()
        intake.may_go_on.set()
        await filming.end("closed")

    asyncio.run(film())
    stored, acquisition = bench.stored(), bench.store.get(ID)
    assert [chunk.header.first_frame for chunk in stored] == [0, 10, 50, 60]
    assert (acquisition.frames_received, acquisition.frames_lost, acquisition.frames_damaged) == (35, 35, 0)
    assert headers(stored) == headers(bench.kept(tmp_path))


def test_a_phone_that_films_on_is_stopped_when_its_acquisition_has_failed(bench: Bench, tmp_path: Path) -> None:
    async def film() -> None:
        phone = FilmingPhone([frame for frame, _ in frames_of(recording(45))], first=25)
        session = Session("failing", ID, cast(Peer, phone), bench.intake(), bench.store, bench.settings)
        await asyncio.to_thread(wait_for, lambda: bench.store.get(ID).chunks_received == 2)
        bench.store.transition(ID, State.FAILED, error="there is no such model")
        phone.may_go_on.set()
        async with asyncio.timeout(bench.settings.freed_after_s / 2):
            await phone.ended.wait()
        await session.end("closed")

    asyncio.run(film())
    acquisition = bench.store.get(ID)
    assert (acquisition.state, acquisition.error) == (State.FAILED, "there is no such model")
    assert acquisition.chunks_received == 2
    assert sum(chunk.header.frame_count for chunk in bench.kept(tmp_path)) > 30  # for another try


def test_a_session_that_is_over_is_let_go_with_its_connection(bench: Bench) -> None:
    async def film() -> bool:
        sessions = Sessions(bench.store, bench.feeder, bench.library, bench.settings)
        sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        session_id, _ = await sessions.open(ID, await offer_of(sender, Recorded(iter(()))), "127.0.0.1")
        over = ref(sessions.active[0])
        await sessions.close(ID, session_id)
        await sender.close()
        gc.collect()
        return over() is None

    assert asyncio.run(film())


def test_of_many_phones_that_come_at_once_no_more_are_let_in_than_there_are_places(
    redis_url: str, tmp_path: Path
) -> None:
    bench = Bench(redis_url, tmp_path / "data", max_sessions=2)
    keys = [f"acquisition-{number}" for number in range(6)]
    for key in keys:
        bench.store.create(key, AcquisitionSettings(), owner="me", token_digest="")

    async def press_film() -> list[object]:
        sessions = Sessions(bench.store, bench.feeder, bench.library, bench.settings)
        sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offer = await offer_of(sender, Recorded(iter(())))
        refused = await asyncio.gather(
            *(sessions.open(key, "no offer", "") for key in keys[:2]), return_exceptions=True
        )
        answers = await asyncio.gather(*(sessions.open(key, offer, "") for key in keys), return_exceptions=True)
        await sessions.shutdown()
        await sender.close()
        return [type(answer) for answer in (*refused, *answers)]

    assert asyncio.run(press_film()) == [InvalidOffer] * 2 + [tuple] * 2 + [Busy] * 4
    bench.store.redis.close()


def test_lost_frames_are_counted_alike_live_and_from_the_kept_video(bench: Bench, tmp_path: Path) -> None:
    intake = bench.intake()
    # one inside a group; two at a group's end, where frame_num cannot tell; a key frame itself
    intake.take(frames_of(recording(60), lost=frozenset({14, 28, 29, 40})))
    intake.finish()
    stored = bench.stored()
    assert headers(stored) == headers(bench.kept(tmp_path))
    acquisition = bench.store.get(ID)
    assert acquisition.frames_lost == 4
    assert acquisition.frames_damaged == 5 + 9
    assert acquisition.frames_received == 56
    assert stored[-1].header.next_frame == 60
    assert [c.header.first_frame for c in stored] == [0, 10, 20, 30, 50]


@pytest.mark.parametrize("second_start_s", [pytest.param(1005.0, id="later"), pytest.param(900.0, id="clock set back")])
def test_a_phone_that_comes_back_continues_the_same_recording(
    bench: Bench, tmp_path: Path, second_start_s: float
) -> None:
    for start_s in (1000.0, second_start_s):
        intake = bench.intake()
        intake.take(frames_of(recording(13), start_s=start_s))
        intake.finish()
    stored = bench.stored()
    assert headers(stored) == headers(bench.kept(tmp_path))
    assert [(c.header.number, c.header.first_frame) for c in stored] == [(0, 0), (1, 10), (2, 13), (3, 23)]


def test_times_never_go_back_though_the_clock_does_and_a_phone_came_and_left_without_a_frame(
    bench: Bench, tmp_path: Path
) -> None:
    for count, start_s in ((20, 1000.0), (0, 1001.0), (20, 900.0)):
        intake = bench.intake()
        if count:
            intake.take(frames_of(recording(count), start_s=start_s))
        intake.finish()
    stored = bench.stored()
    times_s = [time_s for chunk in stored for time_s in chunk.header.times_s]
    assert len(times_s) == 40
    assert times_s == sorted(set(times_s))
    assert headers(stored) == headers(bench.kept(tmp_path))


def test_another_frame_size_is_refused_and_what_came_before_is_kept(bench: Bench) -> None:
    intake = bench.intake()
    with pytest.raises(FrameSizeChanged):
        intake.take(frames_of([*recording(10), *recording(10, width=128)]))
    intake.finish()
    assert bench.store.get(ID).frames_received == 10


def test_another_frame_size_is_refused_in_a_later_session_too(bench: Bench) -> None:
    first, second = bench.intake(), None
    first.take(frames_of(recording(10)))
    first.finish()
    second = bench.intake()
    second.take(frames_of(recording(10, width=128)))
    with pytest.raises(FrameSizeChanged):
        second.finish()
    assert bench.store.get(ID).frames_received == 10


def test_a_deleted_acquisition_takes_nothing_more(bench: Bench) -> None:
    intake = bench.intake()
    intake.take(frames_of(recording(25)))
    bench.store.delete(ID)
    with pytest.raises(AcquisitionNotFound):
        intake.finish()


def test_a_full_disk_is_told_before_anything_is_written(redis_url: str, tmp_path: Path) -> None:
    bench = Bench(redis_url, tmp_path / "data")
    full = Library(tmp_path / "data", min_free_bytes=2**62)
    intake = Intake(ID, "session", bench.store, bench.feeder, full)
    with pytest.raises(StorageFull):
        intake.take(frames_of(recording(25)))
    assert bench.library.parts(ID) == []
    bench.store.redis.close()


def test_frames_missed_while_the_link_was_lost_keep_their_place_and_are_counted(bench: Bench, tmp_path: Path) -> None:
    units = recording(60)
    first = bench.begin("one")
    first.take(frames_of(units[:30]))
    first.finish()
    told = LinkGap(session_id="one", frames_sent=34, frames_missed=16, away_s=0.8)
    second = bench.begin("two", told)
    second.take(frames_of(units[:30], start_s=1003.0))
    second.finish()

    acquisition = bench.store.get(ID)
    assert (acquisition.frames_received, acquisition.frames_lost) == (60, 20)
    assert [(gap.first_frame, gap.frames_lost, gap.frames_missed) for gap in acquisition.gaps] == [(30, 20, 16)]
    assert [chunk.header.first_frame for chunk in bench.stored()] == [0, 10, 20, 50, 60, 70]
    again = [chunk.header.first_frame for chunk in bench.kept(tmp_path)]
    assert again == [0, 10, 20, 50, 60, 70]


def test_a_gap_is_told_before_the_first_frame_or_not_at_all(bench: Bench) -> None:
    intake = bench.begin("one")
    intake.take(frames_of(recording(10)))
    with pytest.raises(WrongState, match="before the first"):
        intake.tell_gap(LinkGap(session_id="zero", frames_sent=0, frames_missed=1, away_s=1.0))
    intake.finish()
