"""What a phone has sent where Redis, the disk or the gateway fails: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cellstorm.acquisitions import State
from cellstorm.chunks import Chunk
from cellstorm.errors import StorageFull
from cellstorm.h264 import AccessUnit
from cellstorm.mp4 import FragmentedWriter
from cellstorm_server import feeder
from cellstorm_server.feeder import Feeder
from cellstorm_server.library import Library
from tests.intake_bench import ID, Bench, frames_of, headers, recording
from tests.redis_server import RedisServer


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


def test_what_waits_on_disk_of_a_failed_acquisition_is_let_go(redis_url: str, tmp_path: Path) -> None:
    bench = Bench(redis_url, tmp_path / "data", chunk_budget_bytes=1)
    intake = bench.intake()
    intake.take(frames_of(recording(40)))
    intake.finish()
    bench.store.transition(ID, State.FAILED, error="there is no such model")
    bench.store.discard_pending(ID)
    bench.feeder.drain()
    acquisition = bench.store.get(ID)
    assert (acquisition.chunks_received, acquisition.spooled_chunks) == (1, 0)
    assert acquisition.error == "there is no such model"
    assert (bench.feeder.spooled(ID), bench.stored()) == ([], [])
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
