from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from cellstorm.chunks import Chunk
from cellstorm.cutting import ChunkCutter, CutChunk
from cellstorm.errors import InvalidVideo
from cellstorm.h264 import TICKS_PER_SECOND, AccessUnit, AvcConfiguration, join_annex_b, nal_type, split_annex_b
from cellstorm.mp4 import FragmentedWriter, join
from cellstorm.sources import open_source
from cellstorm.sources.video import H264Source
from tests.fakes import encode_h264, numbered_frames

STEP = 3000


def record(part: Path, units: Sequence[AccessUnit], lost_before: dict[int, int], cutter: ChunkCutter) -> list[CutChunk]:
    """What a gateway does with one session: cut, and keep the video chunk by chunk."""
    made = [c for unit in units for c in cutter.add(unit, lost_before.get(unit.timestamp, 0))] + cutter.finish()
    assert cutter.first_timestamp is not None
    with FragmentedWriter(part, made[0].units[0], first_timestamp=cutter.first_timestamp) as writer:
        for cut in made:
            writer.append(cut.units)
    return made


def units_in(file: Path) -> list[AccessUnit]:
    """In decoding order and Annex B form, as a demuxer gives them."""
    with av.open(str(file), options={"ignore_editlist": "0"}) as container:
        (stream,) = container.streams.video
        configuration = AvcConfiguration.parse(stream.codec_context.extradata or b"")
        packets = [packet for packet in container.demux(stream) if packet.size]
        ticks = [round((packet.pts or 0) * packet.time_base * TICKS_PER_SECOND) for packet in packets]
        return [
            AccessUnit(join_annex_b(configuration.split(bytes(packet))), at)
            for packet, at in zip(packets, ticks, strict=True)
        ]


def assert_same(file: Path, made: Sequence[CutChunk], first_timestamp: int) -> None:
    """Live equals batch: the kept video gives the same units, byte by byte, and the same chunks."""
    source = open_source(file)
    assert isinstance(source, H264Source)
    live = [unit for cut in made for unit in cut.units]
    kept = units_in(file)
    assert [unit.data for unit in kept] == [unit.data for unit in live]
    assert [unit.timestamp for unit in kept] == [unit.timestamp - first_timestamp for unit in live]
    batch: list[Chunk] = list(source.chunks())
    assert [c.header for c in batch] == [c.chunk.header for c in made if c.chunk is not None]
    assert [c.payloads for c in batch] == [c.chunk.payloads for c in made if c.chunk is not None]


def jittered(units: Sequence[AccessUnit], first_timestamp: int) -> list[AccessUnit]:
    """Times as a browser's camera has them."""
    return [replace(u, timestamp=first_timestamp + u.timestamp + (i * 977) % 1900) for i, u in enumerate(units)]


@pytest.mark.parametrize(
    ("lost", "lost_before"),
    [
        pytest.param((), {}, id="nothing lost"),
        pytest.param((13, 14, 26), {}, id="lost between key frames"),
        pytest.param((18, 19), {20: 2}, id="lost before a key frame"),
        pytest.param((3, 20), {}, id="lost key frame"),
    ],
)
def test_the_kept_video_gives_what_the_live_stream_gave(
    tmp_path: Path, lost: tuple[int, ...], lost_before: dict[int, int]
) -> None:
    units = jittered(encode_h264(numbered_frames(40)), 123_456_789)
    losses = {units[position].timestamp: count for position, count in lost_before.items()}
    received = [unit for position, unit in enumerate(units) if position not in lost]
    made = record(tmp_path / "part.mp4", received, losses, ChunkCutter())
    if lost:
        assert sum(c.chunk.header.lost for c in made if c.chunk is not None) == len(lost)
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert_same(tmp_path / "video.mp4", made, units[0].timestamp)
    assert_same(tmp_path / "part.mp4", made, units[0].timestamp)


def test_b_frames_keep_their_times(tmp_path: Path) -> None:
    units = encode_h264(numbered_frames(45), group=15, options={"bf": "3", "preset": "medium"})
    made = record(tmp_path / "part.mp4", units, {}, ChunkCutter())
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert_same(tmp_path / "video.mp4", made, 0)


def test_sessions_with_other_parameter_sets_become_one_video(tmp_path: Path) -> None:
    start = 5_000_000
    parts = [tmp_path / "0.mp4", tmp_path / "1.mp4"]
    first_units = encode_h264(numbered_frames(25), first_timestamp=start)
    options = {"crf": "36", "profile": "baseline", "x264-params": "sps-id=3"}
    later_units = encode_h264(numbered_frames(25, first=25), first_timestamp=start + 90 * STEP, options=options)
    first = ChunkCutter()
    made = record(parts[0], first_units[:12] + first_units[13:], {}, first)
    later = ChunkCutter(
        first_frame=first.next_frame, first_chunk=first.next_chunk, first_timestamp=first.first_timestamp
    )
    made += record(parts[1], later_units[:7] + later_units[8:], {}, later)
    join(parts, tmp_path / "video.mp4")
    assert_same(tmp_path / "video.mp4", made, start)
    with av.open(str(tmp_path / "video.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 48
    last_pts, time_base = frames[-1].pts, frames[-1].time_base
    assert last_pts is not None
    assert time_base is not None
    assert last_pts * time_base * 90_000 == 90 * STEP + 24 * STEP


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_video_may_begin_after_the_acquisitions_start(tmp_path: Path, b_frames: str) -> None:
    units = encode_h264(numbered_frames(40), first_timestamp=1000, options={"bf": b_frames, "preset": "medium"})
    made = record(tmp_path / "part.mp4", units[4:], {}, ChunkCutter(first_timestamp=0))
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert_same(tmp_path / "part.mp4", made, 0)
    assert_same(tmp_path / "video.mp4", made, 0)


def test_a_later_part_alone_gives_its_chunks_as_they_were(tmp_path: Path) -> None:
    cutter = ChunkCutter(first_frame=25, first_chunk=3, first_timestamp=0)
    made = record(tmp_path / "1.mp4", encode_h264(numbered_frames(20), first_timestamp=900_000), {}, cutter)
    assert list(open_source(tmp_path / "1.mp4", is_part=True).chunks()) == [cut.chunk for cut in made]
    uploaded = [chunk.header for chunk in open_source(tmp_path / "1.mp4").chunks()]
    assert [(h.number, h.first_frame, h.times_s[0]) for h in uploaded] == [
        (0, 25, 10.0),
        (1, 35, pytest.approx(10 + 1 / 3)),
    ]


def test_units_that_only_the_recorder_gets_are_kept(tmp_path: Path) -> None:
    units = encode_h264(numbered_frames(1300), group=2000)
    made = record(tmp_path / "part.mp4", units[:9] + units[10:], {}, ChunkCutter())
    assert [c.chunk is None for c in made] == [True, True, False]
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert_same(tmp_path / "video.mp4", made, 0)


def frames_that_can_be_read(part: Path) -> int:
    try:
        return sum(chunk.header.frame_count for chunk in open_source(part, is_part=True).chunks())
    except InvalidVideo:
        return 0


def test_a_part_cut_anywhere_is_whole_up_to_its_last_fragment(tmp_path: Path) -> None:
    part, out = tmp_path / "part.mp4", tmp_path / "video.mp4"
    made = record(part, encode_h264(numbered_frames(30)), {}, ChunkCutter())
    whole = part.read_bytes()
    counts = []
    for size in range(0, len(whole), 97):
        part.write_bytes(whole[:size])
        read = frames_that_can_be_read(part)
        try:
            join([part], out)
        except InvalidVideo:
            counts.append(0)
            continue
        chunks = list(open_source(out).chunks())
        assert [c.payloads for c in chunks] == [c.chunk.payloads for c in made[: len(chunks)] if c.chunk is not None]
        counts.append(len(chunks))
        assert read >= 10 * len(chunks)
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_what_was_appended_is_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    made = [*(cutter := ChunkCutter()).finish()]
    made += [c for unit in encode_h264(numbered_frames(30)) for c in cutter.add(unit)]
    writer = FragmentedWriter(tmp_path / "part.mp4", made[0].units[0], first_timestamp=0)
    frames = []
    for cut in made:
        writer.append(cut.units)
        frames.append(sum(c.header.frame_count for c in open_source(tmp_path / "part.mp4").chunks()))
    writer.close()
    assert frames == [10, 20]


def test_a_full_disk_tears_no_fragment(tmp_path: Path) -> None:
    cutter = ChunkCutter()
    made = [c for unit in encode_h264(numbered_frames(40)) for c in cutter.add(unit)] + cutter.finish()
    part = tmp_path / "part.mp4"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with FragmentedWriter(part, made[0].units[0], first_timestamp=0) as writer:
        writer.append(made[0].units)
        whole = part.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 100, limits[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                writer.append(made[1].units)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert part.stat().st_size == whole
        for cut in made[1:]:
            writer.append(cut.units)
    assert_same(part, made, 0)


def battered(units: list[AccessUnit], random: np.random.Generator) -> tuple[list[AccessUnit], dict[int, int]]:
    """What arrives when up to eight pictures are lost, halved or garbled; and what the network tells of it."""
    received = []
    bad = set(random.choice(len(units), int(random.integers(0, 9)), replace=False).tolist())
    for position, unit in enumerate(units):
        fate = random.choice(["lost", "half", "garbage"]) if position in bad else "came"
        if fate == "came":
            received.append(unit)
        elif fate == "garbage":
            received.append(replace(unit, data=random.bytes(40)))
        elif fate == "half":
            nal_units = split_annex_b(unit.data)
            first_slice = next(nal for nal in nal_units if nal_type(nal) in (1, 5))
            received.append(replace(unit, data=join_annex_b([nal for nal in nal_units if nal is not first_slice])))
    return received, {units[p + 1].timestamp: 1 for p in bad if p + 1 < len(units)}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_lost_live_equals_batch(tmp_path: Path, seed: int) -> None:
    """Three sessions with key frames at any distance, with and without B frames."""
    random = np.random.default_rng(seed)
    start = int(random.integers(1, 2**40))
    parts = [tmp_path / f"{session}.mp4" for session in range(3)]
    made: list[CutChunk] = []
    cutter = ChunkCutter()
    for session, part in enumerate(parts):
        units = encode_h264(
            numbered_frames(60),
            group=int(random.integers(1, 40)),
            first_timestamp=start + 500_000 * session,
            options={"slices": "2", "bf": str(seed % 2)},
        )
        made += record(part, *battered(units, random), cutter)
        cutter = ChunkCutter(
            first_frame=cutter.next_frame, first_chunk=cutter.next_chunk, first_timestamp=cutter.first_timestamp
        )
    join(parts, tmp_path / "video.mp4")
    assert cutter.first_timestamp is not None
    assert_same(tmp_path / "video.mp4", made, cutter.first_timestamp)


def test_parts_without_a_fragment_are_passed_over(tmp_path: Path) -> None:
    parts = [tmp_path / "0.mp4", tmp_path / "1.mp4"]
    parts[0].write_bytes(b"")
    made = record(parts[1], encode_h264(numbered_frames(10)), {}, ChunkCutter())
    join(parts, tmp_path / "video.mp4")
    assert_same(tmp_path / "video.mp4", made, 0)


def test_joining_nothing_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "0.mp4").write_bytes(b"")
    with pytest.raises(InvalidVideo, match="no video was kept"):
        join([tmp_path / "0.mp4"], tmp_path / "video.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["0.mp4"]


def test_times_that_stand_still_or_go_back_spoil_nothing(tmp_path: Path) -> None:
    units = [
        replace(u, timestamp=t) for u, t in zip(encode_h264(numbered_frames(10)), [0, 5, 5, 5, 3, 9] * 2, strict=False)
    ]
    made = record(tmp_path / "part.mp4", units, {}, ChunkCutter())
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert [u.data for u in units_in(tmp_path / "video.mp4")] == [u.data for c in made for u in c.units]


def test_the_video_begins_with_its_index_and_plays_anywhere(tmp_path: Path) -> None:
    record(tmp_path / "part.mp4", encode_h264(numbered_frames(10)), {}, ChunkCutter())
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    data = (tmp_path / "video.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"avc1" in data
    assert b"moof" not in data


def test_a_browsers_stream_survives(tmp_path: Path, shared: Path) -> None:
    whole = units_in(shared / "bench" / "chromium.mp4")
    units = [unit for position, unit in enumerate(whole) if position not in (40, 41, 300)]
    made = record(tmp_path / "part.mp4", units, {}, ChunkCutter())
    join([tmp_path / "part.mp4"], tmp_path / "video.mp4")
    assert sum(c.chunk.header.frame_count + c.chunk.header.damaged for c in made if c.chunk is not None) == 496
    assert sum(c.chunk.header.lost for c in made if c.chunk is not None) == 3
    assert_same(tmp_path / "video.mp4", made, 0)
    assert all(split_annex_b(unit.data) for unit in units)
