from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm import decoding
from cellstorm.chunks import Chunk
from cellstorm.cutting import ChunkCutter
from cellstorm.decoding import decode, decode_frame
from cellstorm.errors import InvalidChunk, InvalidSetting, InvalidVideo
from cellstorm.h264 import SPS, join_annex_b, nal_type, parse_sps, split_annex_b
from cellstorm.luma import luma
from cellstorm.roi import RegionOfInterest
from tests.fakes import encode_h264, numbered_frames, read_index


def encoded_chunk(options: Mapping[str, str] | None = None) -> Chunk:
    cutter = ChunkCutter()
    made = [c for unit in encode_h264(numbered_frames(12), group=12, options=options) for c in cutter.add(unit)]
    (cut,) = made + cutter.finish()
    assert cut.chunk is not None
    return cut.chunk


def with_header(chunk: Chunk, update: dict[str, Any]) -> Chunk:
    return replace(chunk, header=chunk.header.model_copy(update=update))


def ramp(dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    return np.arange(5 * 8 * 12, dtype=dtype).reshape(5, 8, 12) * (1 if dtype == np.uint8 else 137)


def test_luma_comes_out_as_the_encoder_was_given_it() -> None:
    """Also beyond the "limited" range: nothing is stretched (100 would become 98) or clipped."""
    ramp_frame = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    cutter = ChunkCutter()
    for unit in encode_h264([ramp_frame], options={"qp": "0"}):
        cutter.add(unit)
    (cut,) = cutter.finish()
    assert cut.chunk is not None
    (frame,) = decode(cut.chunk)
    assert frame.dtype == np.uint8
    np.testing.assert_allclose(frame.astype(int), ramp_frame, atol=1)


@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_frames_come_in_display_order(b_frames: str) -> None:
    counts = decode(encoded_chunk({"bf": b_frames, "preset": "medium"}))
    assert [read_index(frame) for frame in counts] == list(range(12))


def test_reordering_that_the_stream_does_not_announce_loses_no_frame() -> None:
    """As some cameras write it: the same parameters without bitstream_restriction."""
    options = {"preset": "slow", "ref": "4", "x264-params": "b-adapt=0:bframes=7:b-pyramid=normal"}
    bare = bytes.fromhex("6764000aacc8618990")
    cutter = ChunkCutter()
    made = []
    for unit in encode_h264(numbered_frames(40), group=40, options=options):
        nal_units = split_annex_b(unit.data)
        if nal_type(nal_units[0]) == SPS:
            assert parse_sps(nal_units[0]) == parse_sps(bare)
            nal_units[0] = bare
        made += cutter.add(replace(unit, data=join_annex_b(nal_units)))
    (cut,) = made + cutter.finish()
    assert cut.chunk is not None
    assert [read_index(frame) for frame in decode(cut.chunk)] == list(range(40))


def test_deep_video_gives_its_deep_values() -> None:
    cutter = ChunkCutter()
    for unit in encode_h264([np.full((64, 96), 100, np.uint8)], pixel_format="yuv420p10le", options={"qp": "0"}):
        cutter.add(unit)
    (cut,) = cutter.finish()
    assert cut.chunk is not None
    assert cut.chunk.header.dtype == "uint16"
    counts = decode(cut.chunk)
    assert counts.dtype == np.uint16
    assert set(np.unique(counts)) == {400}


def test_only_the_region_of_interest_is_returned() -> None:
    chunk = encoded_chunk()
    roi = RegionOfInterest(x=3, y=5, width=40, height=20)
    np.testing.assert_array_equal(decode(chunk, roi), decode(chunk)[:, 5:25, 3:43])
    raw = Chunk.of_counts(0, 0, [0.0] * 12, decode(chunk))
    np.testing.assert_array_equal(decode(raw, roi), decode(chunk)[:, 5:25, 3:43])
    with pytest.raises(InvalidSetting):
        decode(chunk, RegionOfInterest(x=60, y=0, width=40, height=20))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_raw_chunks_come_back_as_they_were(dtype: type[np.uint8] | type[np.uint16]) -> None:
    counts = ramp(dtype)
    chunk = Chunk.from_bytes(Chunk.of_counts(0, 0, range(5), counts).to_bytes())
    again = decode(chunk)
    np.testing.assert_array_equal(again, counts)
    assert again.dtype == dtype


def test_raw_chunks_that_older_versions_packed_at_once_can_be_read() -> None:
    counts = ramp(np.uint16)
    chunk = Chunk.of_counts(0, 0, range(5), counts)
    payload = zlib.compress(counts.astype("<u2").tobytes(), level=1)
    header = chunk.header.model_copy(update={"payload_sizes": (len(payload),)})
    np.testing.assert_array_equal(decode(Chunk(header, (payload,))), counts)


def large_chunk(codec: str) -> Chunk:
    """64 frames of 1 MiB, in one group of pictures where they are encoded."""
    frames = np.stack(list(numbered_frames(64, width=1024, height=1024)))
    if codec == "raw":
        return Chunk.of_counts(0, 0, [0.0] * 64, frames)
    cutter = ChunkCutter()
    made = [cut for unit in encode_h264(frames, group=64) for cut in cutter.add(unit)]
    (cut,) = made + cutter.finish()
    assert cut.chunk is not None
    return cut.chunk


def peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", ["h264", "raw"])
def test_hardly_more_is_held_than_what_is_asked_for(codec: str) -> None:
    chunk = large_chunk(codec)
    roi = RegionOfInterest(x=0, y=0, width=64, height=64)
    assert peak_mib(lambda: decode(chunk, roi)) < 35
    assert peak_mib(lambda: decode_frame(chunk, 63)) < 35
    assert peak_mib(lambda: decode(chunk)) < 64 + 35
    assert decode(chunk, roi).base is None


@pytest.mark.parametrize("codec", ["h264", "raw"])
def test_a_frame_alone_is_as_it_is_among_the_others(codec: str) -> None:
    roi = RegionOfInterest(x=3, y=5, width=700, height=20)
    chunk = large_chunk(codec)
    counts = decode(chunk)
    for position in (0, 11, 63):
        np.testing.assert_array_equal(decode_frame(chunk, position), counts[position])
        np.testing.assert_array_equal(decode_frame(chunk, position, roi), counts[position, 5:25, 3:703])
    with pytest.raises(InvalidSetting):
        decode_frame(chunk, 0, RegionOfInterest(x=1000, y=0, width=40, height=20))


def test_a_frame_alone_comes_in_display_order_and_despite_others_that_are_missing() -> None:
    chunk = encoded_chunk({"bf": "3", "preset": "medium"})
    assert [read_index(decode_frame(chunk, position)) for position in range(12)] == list(range(12))
    chunk = encoded_chunk()
    cut_short = replace(chunk, payloads=(*chunk.payloads[:7], *[b""] * 5))
    assert read_index(decode_frame(cut_short, 6)) == 6
    with pytest.raises(InvalidChunk, match="frame 7 of a chunk cannot be decoded"):
        decode_frame(cut_short, 7)


def test_frames_that_cannot_be_decoded_are_counted() -> None:
    chunk = encoded_chunk()
    payloads = (*chunk.payloads[:7], b"\0\0\0\1\x41nonsense", *chunk.payloads[8:11], b"")
    with pytest.raises(InvalidChunk, match="of a chunk's 12 frames cannot be decoded"):
        decode(replace(chunk, payloads=payloads))


def test_a_chunk_without_its_key_frame_is_refused() -> None:
    chunk = encoded_chunk()
    with pytest.raises(InvalidChunk, match="12 of a chunk's 12 frames"):
        decode(replace(chunk, payloads=(b"", *chunk.payloads[1:])))


@pytest.mark.parametrize("update", [{"width": 98}, {"height": 32}, {"dtype": "uint16"}])
def test_a_header_that_does_not_fit_the_frames_is_refused(update: dict[str, Any]) -> None:
    with pytest.raises(InvalidChunk, match="decodes to 96x64"):
        decode(with_header(encoded_chunk(), update))


def test_a_raw_chunk_that_swells_is_stopped() -> None:
    honest = Chunk.of_counts(0, 0, range(5), ramp(np.uint8))
    bomb = zlib.compress(bytes(50_000_000), level=9)
    with pytest.raises(InvalidChunk, match="more or fewer bytes"):
        decode(replace(honest, payloads=(bomb,)))
    with pytest.raises(InvalidChunk, match="damaged"):
        decode(replace(honest, payloads=(b"\0" * 30,)))
    with pytest.raises(InvalidChunk, match="more or fewer bytes"):
        decode(replace(honest, payloads=(honest.payloads[0][:-9],)))


@pytest.mark.parametrize("size_change", [-1, 1])
def test_a_raw_chunk_of_many_pieces_is_as_long_as_its_header_says(size_change: int) -> None:
    random = np.random.default_rng(3)
    counts = random.integers(
        0, 256, (5, 2000, 3000), dtype=np.uint8
    )  # each more than half a piece, and as large packed
    chunk = Chunk.of_counts(0, 0, range(5), counts)
    np.testing.assert_array_equal(decode(chunk), counts)
    other = zlib.compress((counts.tobytes() + b"\0")[: counts.size + size_change], level=1)
    with pytest.raises(InvalidChunk, match="more or fewer bytes"):
        decode(replace(chunk, payloads=(other,)))


def test_too_many_pixels_ask_for_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_DECODED_BYTES", 12 * 96 * 64 - 1)
    with pytest.raises(InvalidChunk, match="smaller region of interest"):
        decode(encoded_chunk())
    assert decode(encoded_chunk(), RegionOfInterest(x=0, y=0, width=64, height=64)).shape == (12, 64, 64)


def test_random_bytes_raise_nothing_but_invalid_chunk() -> None:
    chunk = encoded_chunk()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(60):
        payloads = [bytearray(payload) for payload in chunk.payloads]
        for payload in payloads:
            payload[random.integers(0, len(payload))] = random.integers(0, 256)
        try:
            assert decode(replace(chunk, payloads=tuple(map(bytes, payloads)))).shape == (12, 64, 96)
        except InvalidChunk:
            refused += 1
    assert refused


GRAY = np.random.default_rng(2).integers(0, 256, (34, 62), dtype=np.uint8)


@pytest.mark.parametrize("pixel_format", ["gray", "rgb24", "bgr24", "bgra", "rgb0", "gbrp", "gbrap"])
def test_gray_stays_gray_in_any_colour_format(pixel_format: str) -> None:
    frame = av.VideoFrame.from_ndarray(np.repeat(GRAY[:, :, np.newaxis], 3, 2), "rgb24")
    if pixel_format == "gray":
        frame = av.VideoFrame.from_ndarray(GRAY, "gray")
    np.testing.assert_array_equal(luma(frame.reformat(format=pixel_format)), GRAY)


@pytest.mark.parametrize("pixel_format", ["rgb48le", "bgr48be", "rgba64le", "gbrp16le", "gbrp10le"])
def test_deep_gray_stays_gray_in_any_colour_format(pixel_format: str) -> None:
    deep = GRAY.astype(np.uint16) * (201 if "10" not in pixel_format else 4)
    channels = 4 if "a" in pixel_format else 3
    frame = av.VideoFrame.from_ndarray(np.repeat(deep[:, :, np.newaxis], channels, 2), pixel_format)
    np.testing.assert_array_equal(luma(frame), deep)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "nv12", "yuyv422", "uyvy422", "yuva420p"])
def test_luma_is_found_wherever_it_lies(pixel_format: str) -> None:
    planes = np.concatenate([GRAY, np.full((17, 62), 128, np.uint8)])
    frame = av.VideoFrame.from_ndarray(planes, "yuv420p").reformat(format=pixel_format)
    np.testing.assert_array_equal(luma(frame), GRAY)


@pytest.mark.parametrize(
    ("pixel_format", "scale"),
    [("yuv420p10le", 4), ("yuv420p10be", 4), ("p010le", 4), ("yuv422p12le", 16), ("gray16le", 257), ("gray16be", 257)],
)
def test_deep_luma_keeps_its_own_scale(pixel_format: str, scale: int) -> None:
    if pixel_format.startswith("gray"):
        frame = av.VideoFrame.from_ndarray(GRAY.astype(np.uint16) * 257, "gray16le").reformat(format=pixel_format)
    else:
        planes = np.concatenate([GRAY, np.full((17, 62), 128, np.uint8)])
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p").reformat(format=pixel_format)
    counts = luma(frame)
    assert counts.dtype == np.uint16
    np.testing.assert_allclose(counts, GRAY.astype(int) * scale, atol=scale - 1 if scale == 4 else scale)


def test_colour_is_weighted_as_in_bt_601() -> None:
    colour = np.zeros((2, 2, 3), np.uint8)
    colour[0, 0], colour[0, 1], colour[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    np.testing.assert_array_equal(luma(av.VideoFrame.from_ndarray(colour, "rgb24")), [[76, 150], [29, 0]])


def test_pixels_that_are_no_counts_are_refused() -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((8, 8), np.float32), "grayf32le")
    with pytest.raises(InvalidVideo, match="pixel format grayf32le"):
        luma(frame)
