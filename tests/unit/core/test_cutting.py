from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cellstorm import cutting, raw_chunks
from cellstorm.chunks import MAX_CHUNK_FRAMES, Chunk, ChunkHeader
from cellstorm.cutting import ChunkCutter, CutChunk
from cellstorm.decoding import decode
from cellstorm.errors import FrameSizeChanged, InvalidVideo
from cellstorm.frame_marks import FrameMark, read_frame_index_sei
from cellstorm.h264 import PPS, SLICE, SPS, AccessUnit, join_annex_b, nal_type, parse_sps, split_annex_b
from tests.fakes import INTERLACED, encode_h264, numbered_frames, read_index, with_mark

STEP = 3000


def cut(
    units: Iterable[AccessUnit], *, lost_before: Mapping[int, int] | None = None, **arguments: int | bool
) -> tuple[ChunkCutter, list[CutChunk]]:
    """All that a cutter makes of units; `lost_before` by timestamp."""
    cutter = ChunkCutter(**arguments)  # type: ignore[arg-type]  # each test gives the right ones
    made: list[CutChunk] = []
    for unit in units:
        made += cutter.add(unit, (lost_before or {}).get(unit.timestamp, 0))
    return cutter, made + cutter.finish()


def without(units: list[AccessUnit], *positions: int) -> list[AccessUnit]:
    return [unit for position, unit in enumerate(units) if position not in positions]


def chunks_of(made: list[CutChunk]) -> list[Chunk]:
    return [cut.chunk for cut in made if cut.chunk is not None]


def video_of(made: list[CutChunk]) -> list[AccessUnit]:
    return [unit for cut in made for unit in cut.units]


def summary(made: list[CutChunk]) -> list[tuple[int, int, int, int]]:
    """(first frame, frames, lost, damaged) of each chunk."""
    headers = [chunk.header for chunk in chunks_of(made)]
    return [(h.first_frame, h.frame_count, h.lost, h.damaged) for h in headers]


def assert_frames_are_where_they_belong(made: list[CutChunk]) -> None:
    """Each frame's picture shows the index that its chunk gives it."""
    for chunk in chunks_of(made):
        first, count = chunk.header.first_frame, chunk.header.frame_count
        assert [read_index(frame) for frame in decode(chunk)] == list(range(first, first + count))
    for before, after in pairwise(chunk.header for chunk in chunks_of(made)):
        assert after.first_frame == before.next_frame
        assert after.number == before.number + 1


def assert_the_kept_video_gives_the_same(made: list[CutChunk], first_timestamp: int) -> None:
    """What the file's side makes of the video that the live side hands over."""
    stored = [replace(unit, timestamp=unit.timestamp - first_timestamp) for unit in video_of(made)]
    _, again = cut(stored, trust_marks=True)
    assert chunks_of(again) == chunks_of(made)
    assert [unit.data for unit in video_of(again)] == [unit.data for unit in video_of(made)]


def test_a_chunk_begins_at_each_key_frame_and_decodes_on_its_own() -> None:
    cutter, made = cut(encode_h264(numbered_frames(30)))
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0), (20, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert (cutter.frame_width, cutter.frame_height) == (96, 64)
    assert (cutter.next_frame, cutter.next_chunk) == (30, 3)
    assert chunks_of(made)[1].header.times_s == pytest.approx([(10 + i) / 30 for i in range(10)], abs=1e-9)


def test_key_frames_that_are_close_together_share_a_chunk() -> None:
    _, made = cut(encode_h264(numbered_frames(27), group=3))
    assert summary(made) == [(0, 9, 0, 0), (9, 9, 0, 0), (18, 9, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_frames_after_a_lost_one_are_damaged_until_the_next_key_frame() -> None:
    cutter, made = cut(without(encode_h264(numbered_frames(30)), 13, 14))
    assert summary(made) == [(0, 10, 0, 0), (10, 3, 2, 5), (20, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert len(video_of(made)) == 28
    assert cutter.next_frame == 30


def test_several_losses_in_one_group_add_up() -> None:
    _, made = cut(without(encode_h264(numbered_frames(30)), 13, 15, 16))
    assert summary(made)[1] == (10, 3, 3, 4)
    assert_frames_are_where_they_belong(made)


def test_a_short_chunk_with_a_loss_ends_at_the_next_key_frame() -> None:
    _, made = cut(without(encode_h264(numbered_frames(20), group=4), 2))
    assert summary(made) == [(0, 2, 1, 1), (4, 8, 0, 0), (12, 8, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_frames_lost_just_before_a_key_frame_are_told_by_the_network_and_kept_in_the_video() -> None:
    units = without(encode_h264(numbered_frames(30), first_timestamp=77), 18, 19)
    _, made = cut(units, lost_before={77 + 20 * STEP: 2})
    assert summary(made) == [(0, 10, 0, 0), (10, 8, 2, 0), (20, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 77)


def test_packets_missing_between_key_frames_are_no_loss_while_frame_numbers_go_on() -> None:
    _, made = cut(encode_h264(numbered_frames(20)), lost_before={5 * STEP: 3})
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]


def test_a_lost_key_frame_loses_the_frames_that_passed_and_not_what_wrapping_numbers_would_say() -> None:
    units = encode_h264(numbered_frames(60), group=20)
    _, made = cut(without(units, 20, 21))
    assert summary(made) == [(0, 20, 2, 18), (40, 20, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_a_loss_where_frame_numbers_wrap_is_counted_right() -> None:
    units = encode_h264(numbered_frames(60), group=40, options={"ref": "1"})
    modulus_frames = 1 << parse_sps(split_annex_b(units[0].data)[0]).log2_max_frame_num
    assert modulus_frames == 16
    _, made = cut(without(units, modulus_frames - 1, modulus_frames, modulus_frames + 1))
    assert summary(made) == [(0, 15, 3, 22), (40, 20, 0, 0)]


@pytest.mark.parametrize("lost", [14, 15, 16, 17, 20, 31, 32, 33])
@pytest.mark.parametrize("reported", [-2, 0, 2])
def test_more_lost_frames_than_there_are_numbers_are_counted_by_what_the_network_says(lost: int, reported: int) -> None:
    units = encode_h264(numbered_frames(60), group=50, options={"ref": "1"}, first_timestamp=77)
    units = without(units, *range(5, 5 + lost))
    _, made = cut(units, lost_before={77 + (5 + lost) * STEP: lost + reported})
    assert summary(made) == [(0, 5, lost, 45 - lost), (50, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 77)


def test_a_camera_that_pauses_loses_nothing_however_few_frame_numbers_there_are() -> None:
    units = encode_h264(numbered_frames(30), group=30, options={"ref": "1"})
    paused = [replace(unit, timestamp=unit.timestamp + (16 * STEP if at >= 5 else 0)) for at, unit in enumerate(units)]
    _, made = cut(paused)
    assert summary(made) == [(0, 30, 0, 0)]


def test_the_first_chunk_may_be_shorter_than_the_others() -> None:
    _, made = cut(encode_h264(numbered_frames(20), group=4), first_chunk_frames=4, first_timestamp=0)
    assert summary(made) == [(0, 4, 0, 0), (4, 8, 0, 0), (12, 8, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 0)


def test_chunks_may_be_asked_to_be_long() -> None:
    _, made = cut(encode_h264(numbered_frames(60), group=4), chunk_frames=22, first_timestamp=0)
    assert summary(made) == [(0, 24, 0, 0), (24, 24, 0, 0), (48, 12, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_of_large_frames_fewer_are_enough_but_not_very_few(monkeypatch: pytest.MonkeyPatch) -> None:
    units = encode_h264(numbered_frames(60), group=4)
    for enough, lengths in ((16 * 96 * 64, [16, 16, 16, 12]), (1, [8] * 7 + [4])):
        monkeypatch.setattr(cutting, "FILE_CHUNK_BYTES", enough)
        _, made = cut(units, chunk_frames=22, first_timestamp=0)
        assert [frames for _, frames, _, _ in summary(made)] == lengths


def test_frames_before_the_first_key_frame_have_no_index() -> None:
    _, made = cut(encode_h264(numbered_frames(30))[4:])
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]
    assert read_index(decode(chunks_of(made)[0])[0]) == 10
    assert chunks_of(made)[0].header.times_s[0] == 0


def test_garbage_counts_as_a_lost_frame_and_harms_nothing_else() -> None:
    units = encode_h264(numbered_frames(30))
    units[14] = replace(units[14], data=b"\xde\xad\xbe\xef" * 50)
    units[27] = replace(units[27], data=b"")
    _, made = cut(units)
    assert summary(made) == [(0, 10, 0, 0), (10, 4, 1, 5), (20, 7, 1, 2)]
    assert_the_kept_video_gives_the_same(made, 0)


def test_garbage_just_before_a_key_frame_is_one_lost_frame() -> None:
    units = encode_h264(numbered_frames(30))
    units[19] = replace(units[19], data=b"garbage")
    _, made = cut(units)
    assert summary(made) == [(0, 10, 0, 0), (10, 9, 1, 0), (20, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 0)


@pytest.mark.parametrize(("data", "lost"), [(b"garbage", 0), (None, 1)], ids=["garbage", "half a picture"])
def test_what_ends_a_stream_counts_only_if_the_kept_video_shows_it(data: bytes | None, lost: int) -> None:
    units = encode_h264(numbered_frames(20), options={"slices": "2"})
    half = join_annex_b(split_annex_b(units[-1].data)[1:])
    units[-1] = replace(units[-1], data=half if data is None else data)
    _, made = cut(units)
    assert summary(made) == [(0, 10, 0, 0), (10, 9, lost, 0)]
    assert_the_kept_video_gives_the_same(made, 0)


def test_half_a_picture_counts_as_lost_and_stays_in_the_video() -> None:
    units = encode_h264(numbered_frames(20), options={"slices": "2"})
    nal_units = split_annex_b(units[5].data)
    units[5] = replace(units[5], data=join_annex_b(nal_units[1:]))
    _, made = cut(units)
    assert summary(made) == [(0, 5, 1, 4), (10, 10, 0, 0)]
    assert len(video_of(made)) == 20
    assert_the_kept_video_gives_the_same(made, 0)


def test_parameter_sets_that_come_alone_are_no_frame() -> None:
    units = encode_h264(numbered_frames(20))
    nal_units = split_annex_b(units[0].data)
    alone = [nal for nal in nal_units if nal_type(nal) in (SPS, PPS)]
    rest = [nal for nal in nal_units if nal_type(nal) not in (SPS, PPS)]
    units[:1] = [replace(units[0], data=join_annex_b(alone)), replace(units[0], data=join_annex_b(rest))]
    _, made = cut(units)
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_a_key_frame_without_parameter_sets_gets_the_ones_known() -> None:
    units = encode_h264(numbered_frames(20))
    outside = [nal for nal in split_annex_b(units[0].data) if nal_type(nal) in (SPS, PPS)]
    bare = [
        replace(u, data=join_annex_b([n for n in split_annex_b(u.data) if nal_type(n) not in (SPS, PPS)]))
        for u in units
    ]
    cutter = ChunkCutter()
    cutter.add_parameter_sets(outside)
    made = [chunk for unit in bare for chunk in cutter.add(unit)] + cutter.finish()
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)


def test_a_later_session_continues_the_first() -> None:
    first, before = cut(encode_h264(numbered_frames(24), first_timestamp=1000))
    later = encode_h264(
        numbered_frames(20, first=24), first_timestamp=1000 + 240 * STEP, options={"crf": "35", "profile": "baseline"}
    )
    assert first.first_timestamp == 1000
    _, after = cut(
        later, first_frame=first.next_frame, first_chunk=first.next_chunk, first_timestamp=first.first_timestamp
    )
    made = before + after
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0), (20, 4, 0, 0), (24, 10, 0, 0), (34, 10, 0, 0)]
    assert_frames_are_where_they_belong(made)
    assert chunks_of(made)[3].header.times_s[0] == pytest.approx(8.0)
    assert_the_kept_video_gives_the_same(made, 1000)


def test_a_phone_cannot_write_frame_marks() -> None:
    units = encode_h264(numbered_frames(20))
    units[10] = with_mark(units[10], FrameMark(4711, 1))
    _, made = cut(units)
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]
    assert [read_frame_index_sei(cut.units[0]) for cut in made] == [FrameMark(0, 0), FrameMark(10, 1)]


@pytest.mark.parametrize("index", [3, 2**31], ids=["backwards", "absurdly far"])
def test_a_mark_that_cannot_be_is_not_believed(index: int) -> None:
    units = encode_h264(numbered_frames(20))
    units[10] = with_mark(units[10], FrameMark(index, 1))
    _, made = cut(units, trust_marks=True)
    assert summary(made) == [(0, 10, 0, 0), (10, 10, 0, 0)]


def test_b_frames_travel_in_decoding_order_and_are_shown_in_theirs() -> None:
    units = encode_h264(numbered_frames(40), group=20, options={"bf": "3", "preset": "medium"})
    _, made = cut(units)
    assert summary(made) == [(0, 20, 0, 0), (20, 20, 0, 0)]
    header = chunks_of(made)[0].header
    assert header.display_ranks != tuple(range(20))
    assert list(header.times_s) == sorted(header.times_s)
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 0)


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_group_that_is_too_long_is_cut_anew_without_loss(b_frames: str) -> None:
    units = encode_h264(
        numbered_frames(2 * MAX_CHUNK_FRAMES + 60), group=2 * MAX_CHUNK_FRAMES + 50, options={"bf": b_frames}
    )
    _, made = cut(units)
    assert [chunk.header.codec for chunk in chunks_of(made)] == ["raw", "raw", "raw", "h264"]
    assert [s[1] for s in summary(made)] == [MAX_CHUNK_FRAMES, MAX_CHUNK_FRAMES, 50, 10]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 0)
    whole = ChunkHeader.model_validate({**chunks_of(made)[3].header.model_dump(), "times_s": (0.0,) * 10})
    assert whole.next_frame == len(units)


def test_cutting_anew_gives_the_very_counts_that_decoding_gives() -> None:
    units = encode_h264(numbered_frames(MAX_CHUNK_FRAMES + 20), group=1000)
    _, encoded = cut(units[:MAX_CHUNK_FRAMES])
    _, recut = cut(units)
    np.testing.assert_array_equal(decode(chunks_of(recut)[0]), decode(chunks_of(encoded)[0]))
    assert chunks_of(recut)[0].header.times_s == chunks_of(encoded)[0].header.times_s


def test_a_loss_in_a_group_that_is_cut_anew_is_counted() -> None:
    units = encode_h264(numbered_frames(MAX_CHUNK_FRAMES + 100), group=MAX_CHUNK_FRAMES + 90)
    _, made = cut(without(units, MAX_CHUNK_FRAMES + 40))
    assert summary(made) == [
        (0, MAX_CHUNK_FRAMES, 0, 0),
        (MAX_CHUNK_FRAMES, 40, 1, 49),
        (MAX_CHUNK_FRAMES + 90, 10, 0, 0),
    ]
    assert_frames_are_where_they_belong(made)
    assert_the_kept_video_gives_the_same(made, 0)


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_picture_that_cannot_be_decoded_leaves_the_later_ones_of_a_long_group_their_places(b_frames: str) -> None:
    units = encode_h264(numbered_frames(MAX_CHUNK_FRAMES + 100), group=1000, options={"bf": b_frames})
    spoilt = [unit[:4] if nal_type(unit) == SLICE else unit for unit in split_annex_b(units[90].data)]
    units[90] = replace(units[90], data=join_annex_b(spoilt))
    _, made = cut(units)
    headers = [chunk.header for chunk in chunks_of(made)]
    assert sum(header.frame_count for header in headers) == len(units) - 1
    assert sum(header.damaged for header in headers) == 1
    for header in headers:
        frames = header.first_frame + np.arange(header.frame_count)
        assert np.array(header.times_s) == pytest.approx(frames * STEP / 90_000)
    assert_the_kept_video_gives_the_same(made, 0)


def test_large_frames_make_shorter_raw_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_chunks, "MAX_COUNTS_BYTES", 70 * 96 * 64)
    _, made = cut(encode_h264(numbered_frames(MAX_CHUNK_FRAMES + 1), group=1000))
    assert [s[1] for s in summary(made)] == [70, 70, 70, 70, 21]
    assert_frames_are_where_they_belong(made)


def test_damaged_video_is_handed_over_before_it_grows_without_bound() -> None:
    units = encode_h264(numbered_frames(4 * MAX_CHUNK_FRAMES), group=5000)
    cutter = ChunkCutter()
    early = [made for unit in without(units, 9) for made in cutter.add(unit)]
    assert early
    assert all(made.chunk is None for made in early)
    made = early + cutter.finish()
    assert summary(made) == [(0, 9, 1, 4 * MAX_CHUNK_FRAMES - 10)]
    assert len(video_of(made)) == len(units) - 1
    assert_the_kept_video_gives_the_same(made, 0)


def test_another_frame_size_is_refused_and_what_came_before_is_kept() -> None:
    cutter = ChunkCutter()
    for unit in encode_h264(numbered_frames(10)):
        assert cutter.add(unit) == []
    with pytest.raises(FrameSizeChanged, match="96x64 pixels of 8 bits and now are 128x64"):
        cutter.add(encode_h264(numbered_frames(1, width=128))[0])
    assert summary(cutter.finish()) == [(0, 10, 0, 0)]


def test_interlaced_video_is_refused() -> None:
    units = encode_h264(numbered_frames(2), options=INTERLACED)
    data = bytearray(units[0].data)
    with pytest.raises(InvalidVideo, match="interlaced"):
        ChunkCutter().add(replace(units[0], data=_as_field(bytes(data))))


def _as_field(data: bytes) -> bytes:
    """The key frame with field_pic_flag set: x264 never writes fields of their own.

    The slice header begins first_mb 1, slice_type 7 0001000, pps 1, frame_num 4 zeros or more, then the flag.
    """
    nal_units = split_annex_b(data)
    slices = [position for position, nal in enumerate(nal_units) if nal_type(nal) == 5]
    changed = bytearray(nal_units[slices[0]])
    bits = int.from_bytes(changed[1:5], "big") | 1 << (31 - 13)
    changed[1:5] = bits.to_bytes(4, "big")
    nal_units[slices[0]] = bytes(changed)
    return join_annex_b(nal_units)


def test_random_damage_never_stops_the_cutter() -> None:
    units = encode_h264(numbered_frames(40))
    random = np.random.default_rng(3)
    for _ in range(150):
        damaged = list(units)
        for position in random.integers(0, len(units), 8):
            data = bytearray(damaged[position].data)
            data[random.integers(0, min(60, len(data)))] = random.integers(0, 256)
            damaged[position] = replace(damaged[position], data=bytes(data[: random.integers(1, len(data) + 1)]))
        cutter = ChunkCutter()
        made: list[CutChunk] = []
        for unit in damaged:
            try:
                made += cutter.add(unit)
            except (FrameSizeChanged, InvalidVideo):
                made += cutter.finish()
                break
        headers = [chunk.header for chunk in chunks_of(made + cutter.finish())]
        for before, after in pairwise(headers):
            assert after.first_frame == before.next_frame


def test_the_arrival_of_the_last_frame_is_the_chunks() -> None:
    units = [replace(u, received_at_s=100 + i) for i, u in enumerate(encode_h264(numbered_frames(20)))]
    _, made = cut(units)
    assert [chunk.header.received_at_s for chunk in chunks_of(made)] == [109, 119]
