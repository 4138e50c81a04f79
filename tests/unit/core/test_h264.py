from __future__ import annotations

import av
import numpy as np
import pytest

from cellstorm.errors import InvalidVideo
from cellstorm.frame_marks import FrameMark, read_frame_index_sei
from cellstorm.h264 import (
    PPS,
    SPS,
    AccessUnit,
    AvcConfiguration,
    ParameterSets,
    join_annex_b,
    nal_type,
    parse_sps,
    read_facts,
    split_annex_b,
)
from cellstorm.h264_bits import escape, unescape
from tests.fakes import INTERLACED, encode_h264, numbered_frames, with_mark


def sps_of(unit: AccessUnit) -> bytes:
    return next(nal for nal in split_annex_b(unit.data) if nal_type(nal) == SPS)


def test_start_codes_of_three_and_four_bytes_and_padding_are_understood() -> None:
    data = b"noise\0\0\1\x67first\0\0\0\1\x68second\0\0\0\0\0\1\x65third\0\0"
    assert split_annex_b(data) == [b"\x67first", b"\x68second", b"\x65third"]
    assert split_annex_b(join_annex_b(split_annex_b(data))) == split_annex_b(data)


def test_bytes_without_start_codes_hold_no_nal_unit() -> None:
    assert split_annex_b(b"this is not a video") == []
    with pytest.raises(InvalidVideo, match=r"not H\.264"):
        read_facts([], ParameterSets())


def test_lengths_of_an_mp4_become_start_codes() -> None:
    sps, pps, idr = b"\x67abc\x01", b"\x68de", b"\x65slice"
    avcc = b"\1\x42\0\x1e\xfd\xe1\0\5" + sps + b"\1\0\3" + pps
    configuration = AvcConfiguration.parse(avcc)
    assert configuration == AvcConfiguration(2, (sps, pps))
    assert configuration.split(b"\0\3\x68de\0\6\x65slice") == [pps, idr]


@pytest.mark.parametrize("sample", [b"\0\0\0\x09\x65abc", b"\xff\xff\xff\xff", b"\0\0\0\2\x65a\0"])
def test_a_length_beyond_the_sample_is_refused(sample: bytes) -> None:
    with pytest.raises(InvalidVideo, match="cut short"):
        AvcConfiguration(4, ()).split(sample)


def test_a_configuration_cut_anywhere_is_refused_and_no_more() -> None:
    avcc = b"\1\x42\0\x1e\xfd\xe1\0\5\x67abc\1\1\0\3\x68de"
    for size in range(len(avcc)):
        with pytest.raises(InvalidVideo):
            AvcConfiguration.parse(avcc[:size])


def test_emulation_prevention_is_reversible() -> None:
    payload = bytes(np.random.default_rng(1).integers(0, 5, 5000, dtype=np.uint8)) + b"\x80"
    escaped = escape(payload)
    assert b"\0\0\0" not in escaped
    assert b"\0\0\1" not in escaped
    assert unescape(escaped) == payload


@pytest.mark.parametrize(("width", "height"), [(96, 64), (98, 66), (1280, 720), (1920, 1080)])
def test_the_frame_size_accounts_for_cropping(width: int, height: int) -> None:
    (unit,) = encode_h264(numbered_frames(1, width, height))
    sequence = parse_sps(sps_of(unit))
    assert (sequence.width, sequence.height) == (width, height)
    assert sequence.frame_mbs_only
    assert not sequence.gaps_in_frame_num_allowed


@pytest.mark.parametrize(
    ("pixel_format", "chroma_format", "bit_depth"),
    [("yuv420p", 1, 8), ("yuv420p10le", 1, 10), ("yuv422p10le", 2, 10), ("yuv444p", 3, 8), ("gray", 0, 8)],
)
def test_chroma_format_and_bit_depth_are_read(pixel_format: str, chroma_format: int, bit_depth: int) -> None:
    (unit,) = encode_h264(numbered_frames(1, 98, 66), pixel_format=pixel_format)
    sequence = parse_sps(sps_of(unit))
    assert (sequence.chroma_format, sequence.bit_depth) == (chroma_format, bit_depth)
    assert (sequence.width, sequence.height) == (98, 66)


def test_frame_numbers_count_references_and_start_again_at_key_frames() -> None:
    parameter_sets = ParameterSets()
    facts = [read_facts(split_annex_b(u.data), parameter_sets) for u in encode_h264(numbered_frames(9), group=4)]
    assert [f.is_idr for f in facts] == [True, False, False, False] * 2 + [True]
    assert [f.frame_num for f in facts] == [0, 1, 2, 3] * 2 + [0]
    assert all(f.is_picture and f.is_reference and not f.is_field for f in facts)
    assert [f.has_parameter_sets for f in facts] == [f.is_idr for f in facts]


def test_b_frames_are_not_references() -> None:
    units = encode_h264(numbered_frames(9), group=9, options={"bf": "2", "preset": "fast", "b-pyramid": "none"})
    parameter_sets = ParameterSets()
    facts = [read_facts(split_annex_b(u.data), parameter_sets) for u in units]
    assert [u.timestamp for u in units] != sorted(u.timestamp for u in units)
    assert not all(f.is_reference for f in facts)


def test_the_second_slice_alone_is_a_partial_picture() -> None:
    (unit,) = encode_h264(numbered_frames(1), options={"slices": "2"})
    nal_units = split_annex_b(unit.data)
    slices = [n for n in nal_units if nal_type(n) == 5]
    assert len(slices) == 2
    facts = read_facts([n for n in nal_units if n != slices[0]], ParameterSets())
    assert facts.is_partial
    assert not facts.is_picture


def test_slices_without_their_parameter_sets_are_refused() -> None:
    (unit,) = encode_h264(numbered_frames(1))
    nal_units = [n for n in split_annex_b(unit.data) if nal_type(n) not in (SPS, PPS)]
    with pytest.raises(InvalidVideo, match="parameter sets are missing"):
        read_facts(nal_units, ParameterSets())


def test_interlaced_pictures_are_told() -> None:
    units = encode_h264(numbered_frames(2, 96, 64), options=INTERLACED)
    facts = read_facts(split_annex_b(units[0].data), ParameterSets())
    assert facts.sequence is not None
    assert not facts.sequence.frame_mbs_only
    assert facts.sequence.height == 64


def test_damaged_bytes_raise_nothing_but_invalid_video() -> None:
    data = b"".join(u.data[:120] for u in encode_h264(numbered_frames(3), group=1, pixel_format="yuv420p10le"))
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(3000):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 6):
            damaged[position] = random.integers(0, 256)
        try:
            read_facts(split_annex_b(bytes(damaged[: random.integers(4, len(data))])), ParameterSets())
        except InvalidVideo:
            refused += 1
    assert 0 < refused < 3000


@pytest.mark.parametrize("index", [0, 1, 3, 256, 65536, 2**32 - 1])
def test_a_frame_mark_is_read_back_and_the_picture_stays(index: int) -> None:
    (unit,) = encode_h264(numbered_frames(1))
    marked = with_mark(unit, FrameMark(index, 3))
    assert read_frame_index_sei(unit) is None
    assert read_frame_index_sei(marked) == FrameMark(index, 3)
    decoder = av.CodecContext.create("h264", "r")
    assert len(decoder.decode(av.Packet(marked.data)) + decoder.decode(None)) == 1
    assert [nal_type(n) for n in split_annex_b(marked.data)] == [7, 8, 6, 6, 5]


def test_a_frame_mark_replaces_an_older_one() -> None:
    (unit,) = encode_h264(numbered_frames(1))
    twice = with_mark(with_mark(unit, FrameMark(5, 1)), FrameMark(9, 2))
    assert twice == with_mark(unit, FrameMark(9, 2))
