"""What a phone sends, from access units to the store and the kept video."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import cast
from weakref import ref

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, FrameSizeChanged, StorageFull, WrongState
from cellstorm.gaps import LinkGap
from cellstorm.h264 import AccessUnit
from cellstorm.mp4 import FragmentedWriter, join
from cellstorm.settings import Settings
from cellstorm.sources import open_source
from cellstorm.store import Store
from cellstorm_server import feeder
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.peer import Peer
from cellstorm_server.ingest.session import FIRST_CHUNK_FRAMES, Intake, Session
from cellstorm_server.ingest.sessions import Sessions
from cellstorm_server.library import Library
from cellstorm_server.queueing import JobQueues, job_name
from tests.fakes import encode_h264, numbered_frames
from tests.redis_server import RedisServer
from tests.webrtc import Recorded, offer_of

ID = "intake-test"
GROUP = 10


class Bench:
    """A gateway's inner parts on a real Redis and a real disk."""

    def __init__(self, redis_url: str, folder: Path, **settings: int) -> None:
        self.settings = Settings(data=folder, redis_url=redis_url, **settings)  # type: ignore[arg-type]  # all are numbers
        self.store = Store.connect(redis_url)
        self.queues = JobQueues(self.store.redis)
        self.library = Library(folder, min_free_bytes=0)
        self.feeder = Feeder(self.store, self.queues, self.library, self.settings)
        if not self.store.ids():
            self.store.create(ID, AcquisitionSettings(), owner="me", token_digest="")
            self.library.create(ID)
            self.store.transition(ID, State.RECEIVING)

    def intake(self) -> Intake:
        return self.begin("session")

    def begin(self, session_id: str, told: LinkGap | None = None) -> Intake:
        intake = Intake(ID, session_id, self.store, self.feeder, self.library)
        if told is not None:
            intake.tell_gap(told)
        return intake

    def stored(self) -> list[Chunk]:
        """Chunks in the store, by number."""
        chunks = [self.store.get_chunk(ID, number) for number in sorted(self.store.pending(ID))]
        return [chunk for chunk in chunks if chunk is not None]

    def kept(self, folder: Path) -> list[Chunk]:
        """Chunks of the video that is kept in the end."""
        join(self.library.parts(ID), folder / "video.mp4")
        return list(open_source(folder / "video.mp4").chunks())


@pytest.fixture
def bench(redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(redis_url, tmp_path / "data")
    yield bench
    bench.store.redis.close()


def frames_of(
    units: Sequence[AccessUnit], lost: frozenset[int] = frozenset(), start_s: float = 1000.0
) -> list[tuple[EncodedFrame, float]]:
    """As they come from the network; a gap is told where units are missing."""
    return [
        (EncodedFrame(unit.data, unit.timestamp, follows_gap=(n - 1) in lost), start_s + n / 30)
        for n, unit in enumerate(units)
        if n not in lost
    ]


def recording(count: int, width: int = 96) -> list[AccessUnit]:
    return encode_h264(numbered_frames(count, width), group=GROUP)


def headers(chunks: Sequence[Chunk]) -> list[tuple[int, int, int, int, int, tuple[float, ...]]]:
    """What must agree between live and kept video."""
    return [
        (h.number, h.first_frame, h.frame_count, h.lost, h.damaged, tuple(round(t, 6) for t in h.times_s))
        for h in (chunk.header for chunk in chunks)
    ]


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


def test_over_the_budget_chunks_wait_on_disk_and_follow_in_order(redis_url: str, tmp_path: Path) -> None:
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    intake = bench.intake()
    intake.take(frames_of(recording(40)))
    intake.finish()
    assert [c.header.number for c in bench.stored()] == [0]
    assert bench.store.get(ID).spooled_chunks == 3
    assert bench.feeder.next_position(ID) == (4, 40)
    for number in range(1, 4):
        bench.store.give_up(ID, bench.stored()[0], "made room")
        bench.feeder.drain()
        assert [c.header.number for c in bench.stored()] == [number]
    assert bench.store.get(ID).spooled_chunks == 0
    bench.store.redis.close()


def test_while_redis_is_away_nothing_is_lost(redis_server: RedisServer, tmp_path: Path) -> None:
    bench = Bench(redis_server.url, tmp_path / "data")
    intake, frames = bench.intake(), frames_of(recording(40))
    intake.take(frames[:15])
    redis_server.stop()
    intake.take(frames[15:])
    intake.finish()
    assert len(bench.feeder.spooled(ID)) == 3
    redis_server.start()
    bench.feeder.drain()
    assert [c.header.number for c in bench.stored()] == [0, 1, 2, 3]
    bench.store.redis.close()


def test_while_redis_has_no_memory_left_nothing_is_lost(bench: Bench) -> None:
    intake, frames = bench.intake(), frames_of(recording(40))
    intake.take(frames[:15])
    bench.store.redis.config_set("maxmemory", 1)
    intake.take(frames[15:])
    intake.finish()
    assert len(bench.feeder.spooled(ID)) == 3
    bench.store.redis.config_set("maxmemory", 0)
    bench.feeder.drain()
    assert [c.header.number for c in bench.stored()] == [0, 1, 2, 3]


def test_chunks_that_redis_has_forgotten_are_read_back_from_the_video(bench: Bench) -> None:
    intake, frames = bench.intake(), frames_of(recording(40))
    intake.take(frames[:25])
    before = bench.stored()
    state = f"acq:{{{ID}}}:state"
    bench.store.redis.hset(state, "chunks_received", 0)  # as after a restart with an append-only file a second old
    bench.store.redis.delete(f"acq:{{{ID}}}:pending")
    intake.take(frames[25:])
    intake.finish()
    bench.feeder.drain()
    after = bench.stored()
    assert [c.header.number for c in after] == [0, 1, 2, 3]
    assert headers(after[:2]) == headers(before)


def forget_last_chunk(bench: Bench) -> None:
    """As Redis does that comes back a second older."""
    last = bench.stored()[-1].header
    counted = {"chunks_received": last.number, "next_frame": last.first_frame, "frames_received": last.first_frame}
    bench.store.set_fields(ID, **counted)
    bench.store.redis.zrem(f"acq:{{{ID}}}:pending", last.number)


def test_a_chunk_that_a_killed_gateway_had_only_written_to_the_video_is_handed_on(bench: Bench, tmp_path: Path) -> None:
    intake = bench.intake()
    intake.take(frames_of(recording(25)))
    intake.finish()
    forget_last_chunk(bench)
    Feeder(bench.store, bench.queues, bench.library, bench.settings).recover()
    assert headers(bench.stored()) == headers(bench.kept(tmp_path))


@pytest.fixture
def crowded(redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    """A gateway on whose Redis one chunk has room, and whose disk was full for a while as a phone filmed.

    Chunk 0 is in the store; 1 and 2 are in the kept video alone.
    """
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    intake, frames = bench.intake(), frames_of(recording(21))
    intake.take(frames[:11])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Library, "check_room", refuse)
        with pytest.raises(StorageFull):
            intake.take(frames[11:])
        with pytest.raises(StorageFull):
            intake.finish()
    assert [chunk.header.number for chunk in bench.stored()] == [0]
    assert bench.feeder.spooled(ID) == []
    yield bench
    bench.store.redis.close()


def refuse(library: Library, wanted_bytes: int = 0) -> None:
    raise StorageFull("the disk is full")


def make_room(bench: Bench) -> None:
    """In Redis, as workers do, for one chunk at a time."""
    bench.store.give_up(ID, bench.stored()[0], "made room")


def worked_off(bench: Bench, feeder: Feeder) -> list[Chunk]:
    """All chunks, in the order in which they come into the store as there is room in it."""
    came = bench.stored()
    deadline = time.monotonic() + 20
    while feeder.is_behind(ID):
        assert time.monotonic() < deadline
        if bench.stored():
            make_room(bench)
        feeder.drain()
        came += bench.stored()
    return came


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept video is read again as soon as it is asked for."""
    monkeypatch.setattr(feeder, "_REREAD_S", 0.0)


@pytest.mark.usefixtures("eager")
def test_on_a_full_disk_a_gateway_starts_and_goes_on_as_there_is_room(crowded: Bench, tmp_path: Path) -> None:
    full = Library(crowded.library.root, min_free_bytes=2**62)
    started_again = Feeder(crowded.store, crowded.queues, full, crowded.settings)
    started_again.recover()
    assert started_again.is_behind(ID)
    assert headers(worked_off(crowded, started_again)) == headers(crowded.kept(tmp_path))
    assert crowded.store.get(ID).frames_received == 21


@pytest.mark.usefixtures("eager")
def test_what_found_no_room_keeps_its_numbers_and_is_counted(crowded: Bench, tmp_path: Path) -> None:
    assert crowded.feeder.next_position(ID) == (3, 21)
    later = crowded.begin("later")
    later.take(frames_of(recording(20), start_s=1010.0))
    later.finish()
    came = worked_off(crowded, crowded.feeder)
    assert headers(came) == headers(crowded.kept(tmp_path))
    assert [chunk.header.first_frame for chunk in came] == [0, 10, 20, 21, 31]
    assert crowded.store.get(ID).frames_received == 41


def test_a_kept_video_is_not_read_again_in_every_round(crowded: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[int] = []

    def read(parts: Sequence[Path], first: int, stop: int) -> Iterator[Chunk]:
        readings.append(first)
        return iter(())

    monkeypatch.setattr(feeder, "kept_chunks", read)
    for _ in range(3):
        crowded.feeder.drain()
    assert readings == [1]


def test_an_older_state_of_redis_is_noticed_though_no_further_chunk_comes(bench: Bench, tmp_path: Path) -> None:
    intake = bench.intake()
    intake.take(frames_of(recording(25)))
    intake.finish()
    forget_last_chunk(bench)
    assert bench.feeder.is_behind(ID)
    assert bench.feeder.next_position(ID) == (3, 25)
    bench.feeder.drain()
    assert not bench.feeder.is_behind(ID)
    assert headers(bench.stored()) == headers(bench.kept(tmp_path))


def test_what_begins_anew_comes_from_its_upload_and_not_from_the_kept_video_besides(bench: Bench) -> None:
    intake = bench.intake()
    intake.take(frames_of(recording(25)))
    intake.finish()
    forget_last_chunk(bench)
    bench.library.upload(ID).touch()
    bench.feeder.recover()
    assert not bench.feeder.is_behind(ID)
    assert [chunk.header.number for chunk in bench.stored()] == [0, 1]


def test_nothing_follows_a_chunk_that_the_video_could_not_take(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(writer: FragmentedWriter, units: Sequence[AccessUnit]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    intake, frames = bench.intake(), frames_of(recording(30))
    intake.take(frames[:11])
    with monkeypatch.context() as patched:
        patched.setattr(FragmentedWriter, "append", no_space)
        with pytest.raises(StorageFull):
            intake.take(frames[11:])
    intake.finish()  # by then there is room again
    assert headers(bench.stored()) == headers(bench.kept(tmp_path))
    assert bench.feeder.next_position(ID) == (1, 10)


def spooled(bench: Bench, count: int) -> list[Path]:
    """The files of so many chunks that wait on disk."""
    intake = bench.intake()
    intake.take(frames_of(recording(10 * (count + 1))))
    intake.finish()
    files = bench.feeder.spooled(ID)
    assert len(files) == count
    return files


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_torn_spool_file_is_set_aside_and_its_chunk_read_from_the_video(
    redis_url: str, tmp_path: Path, place: int
) -> None:
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    torn = spooled(bench, 3)[place]
    torn.write_bytes(b"")  # as after a power cut
    started_again = Feeder(bench.store, bench.queues, bench.library, bench.settings)
    started_again.recover()
    assert started_again.next_position(ID) == (4, 40)
    assert headers(worked_off(bench, started_again)) == headers(bench.kept(tmp_path))
    assert [path.name for path in bench.library.spool(ID).iterdir()] == [f"{torn.name}.unreadable"]
    bench.store.redis.close()


def test_an_acquisition_in_trouble_holds_up_no_other(redis_url: str, tmp_path: Path) -> None:
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    spooled(bench, 1)
    make_room(bench)
    trouble = bench.library.spool("before-the-others") / "00000000"
    trouble.mkdir(parents=True)  # which cannot be read, and is told by an OSError
    bench.feeder.drain()
    assert [chunk.header.number for chunk in bench.stored()] == [1]
    bench.store.redis.close()


def test_a_spooled_chunk_has_its_name_only_when_it_is_on_disk(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    there_before: list[list[str]] = []

    def note(descriptor: int) -> None:
        there_before.append([path.name for path in bench.library.spool(ID).iterdir()])

    monkeypatch.setattr(os, "fsync", note)
    spooled(bench, 1)
    assert there_before == [["00000001.part"]]
    bench.store.redis.close()


def test_a_chunk_that_cannot_be_spooled_leaves_nothing_behind(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    monkeypatch.setattr(os, "fsync", no_space)
    intake = bench.intake()
    intake.take(frames_of(recording(20)))
    with pytest.raises(StorageFull):
        intake.finish()
    assert list(bench.library.spool(ID).iterdir()) == []
    bench.store.redis.close()


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
