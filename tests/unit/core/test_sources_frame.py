"""One frame of a recording, without all those before it."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cellstorm.chunks import MAX_CHUNK_FRAMES
from cellstorm.decoding import decode
from cellstorm.errors import InvalidInput
from cellstorm.sources import open_source
from tests.fakes import INTERLACED, encode_h264, numbered_frames
from tests.unit.core.test_sources import mux_units, write_video

STACK = np.random.default_rng(4).integers(0, 2**16, (70, 20, 30), dtype=np.uint16)
HEVC = "keyint=20:min-keyint=20:bframes=4:log-level=none"


def assert_frames_are_those_of_the_chunks(path: Path) -> None:
    source = open_source(path)
    chunks = list(source.chunks())
    frames = {chunk.header.first_frame + place: f for chunk in chunks for place, f in enumerate(decode(chunk))}
    last = max(frames)
    for frame_count in (None, chunks[-1].header.next_frame):
        for index in (0, 1, last // 2, last - 1, last, last + 9):
            found = source.frame(index, frame_count)
            assert found is not None
            assert found[0] == min(index, last)
            np.testing.assert_array_equal(found[1], frames[found[0]])


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        pytest.param("video.mp4", "libx265", {"x265-params": HEVC}, id="HEVC"),
        pytest.param("video.mkv", "libx265", {"x265-params": f"{HEVC}:open-gop=1"}, id="HEVC in open groups"),
        pytest.param("video.ts", "libx265", {"x265-params": HEVC}, id="HEVC in a transport stream"),
        pytest.param("video.hevc", "libx265", {"x265-params": HEVC}, id="HEVC without times"),
        pytest.param("video.webm", "libvpx", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}, id="VP8"),
        pytest.param("video.webm", "libvpx-vp9", {"g": "20"}, id="VP9"),
        pytest.param("video.mp4", "mpeg4", {"bf": "2"}, id="MPEG-4"),
        pytest.param("video.avi", "mpeg4", {"bf": "2"}, id="MPEG-4 in AVI"),
        pytest.param("video.mkv", "ffv1", {}, id="FFV1"),
    ],
)
def test_a_frame_of_a_decoded_video_is_that_of_its_chunk(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    assert_frames_are_those_of_the_chunks(write_video(tmp_path / name, numbered_frames(70), codec, **options))


@pytest.mark.parametrize("options", [{}, {"bf": "2", "preset": "medium"}, INTERLACED])
def test_a_frame_of_h264_is_that_of_its_chunk(tmp_path: Path, options: dict[str, str]) -> None:
    units = encode_h264(numbered_frames(70), group=10, options=options)
    assert_frames_are_those_of_the_chunks(mux_units(tmp_path / "video.mp4", units))


def write_pages(path: Path) -> None:
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")


def write_in_one(path: Path) -> None:
    tifffile.imwrite(path, STACK, imagej=True)


def write_folder(path: Path) -> None:
    path.mkdir()
    for number, start in enumerate(range(0, len(STACK), 30)):
        tifffile.imwrite(path / f"{number}.tif", STACK[start : start + 30], photometric="minisblack")


def write_with_thumbnails(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for frame in STACK:
            writer.write(frame, photometric="minisblack", contiguous=False)
            writer.write(frame[::2, ::2], photometric="minisblack", subfiletype=1)


@pytest.mark.parametrize("write", [write_pages, write_in_one, write_folder, write_with_thumbnails])
def test_a_frame_of_a_stack_is_that_of_its_chunk(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "stack.tif")
    assert_frames_are_those_of_the_chunks(tmp_path / "stack.tif")


def damaged(path: Path, positions: range | tuple[int, ...]) -> Path:
    """A copy of which these packets cannot be decoded."""
    copy = path.with_stem("damaged")
    with av.open(str(path)) as given, av.open(str(copy), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for position, packet in enumerate(given.demux(video=0)):
            if packet.size:
                data = bytes(packet)
                kept = av.Packet(data[:4] + b"\x02\x01" + b"\xff" * 8 if position in positions else data)
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
                kept.is_keyframe, kept.stream = packet.is_keyframe, stream
                container.mux(kept)
    return copy


def hevc(path: Path) -> Path:
    return write_video(
        path, numbered_frames(70), "libx265", **{"x265-params": "keyint=20:min-keyint=20:bframes=0:log-level=none"}
    )


def test_nothing_before_the_frames_own_key_frame_is_decoded(tmp_path: Path) -> None:
    whole = hevc(tmp_path / "video.mkv")
    wanted = open_source(whole).frame(69)
    found = open_source(damaged(whole, range(1, 60))).frame(69, 70)
    assert wanted is not None
    assert found is not None
    assert found[0] == wanted[0] == 69
    np.testing.assert_array_equal(found[1], wanted[1])


@pytest.mark.parametrize("positions", [(68, 69), (33, 34, 68, 69)])
def test_damaged_frames_at_the_end_are_passed_over_and_others_do_not_shift_the_index(
    tmp_path: Path, positions: tuple[int, ...]
) -> None:
    path = damaged(hevc(tmp_path / "video.mkv"), positions)
    source = open_source(path)
    *_, last = source.chunks()
    newest = last.header.first_frame + last.header.frame_count - 1
    assert last.header.damaged == 2
    found = source.frame(last.header.next_frame - 1, last.header.next_frame)
    assert found is not None
    assert found[0] == newest
    np.testing.assert_array_equal(found[1], decode(last)[-1])


def test_a_frame_that_comes_before_all_is_not_there(tmp_path: Path) -> None:
    path = mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(9)))
    assert open_source(path).frame(-1) is None


def test_a_frame_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    pixels: NDArray[Any] = STACK[:3]
    tifffile.imwrite(tmp_path / "stack.tif", pixels, photometric="minisblack", compression="zlib", predictor=True)
    with tifffile.TiffFile(tmp_path / "stack.tif") as tiff:
        place = tiff.pages[2].dataoffsets[0]
    data = bytearray((tmp_path / "stack.tif").read_bytes())
    data[place : place + 20] = bytes(20)
    (tmp_path / "stack.tif").write_bytes(data)
    with pytest.raises(InvalidInput):
        open_source(tmp_path / "stack.tif").frame(2)


@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_a_file_that_rests_holds_none_of_its_raw_chunks(tmp_path: Path, codec: str) -> None:
    frames = numbered_frames(2 * MAX_CHUNK_FRAMES + 5)
    if codec == "h264":
        path = mux_units(tmp_path / "video.mp4", encode_h264(frames, group=1000))
    else:
        path = write_video(tmp_path / "video.avi", frames, codec, "yuvj420p")
    chunks = open_source(path).chunks()
    for _ in range(2):
        header = weakref.ref(next(chunks).header)
        assert header() is None
    assert next(chunks).header.frame_count == 5


def test_no_frame_is_compressed_to_find_one(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 512, 512), dtype=np.uint8)
    path = write_video(tmp_path / "video.avi", noise, "rawvideo", "gray")
    tracemalloc.start()
    try:
        found = open_source(path).frame(29)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert peak < 4 * noise[0].nbytes
