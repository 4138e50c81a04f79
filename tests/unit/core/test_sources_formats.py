"""What recordings may be like beyond the plain ones: turned, cut off, of many files, packed, larger than memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cellstorm.chunks import MAX_CHUNK_FRAMES, Chunk
from cellstorm.decoding import decode
from cellstorm.errors import FrameSizeChanged, InvalidVideo
from cellstorm.roi import RegionOfInterest
from cellstorm.sources import open_source
from cellstorm.sources.packing import sendable
from cellstorm.sources.source import ASSUMED_FPS
from tests.fakes import encode_h264, numbered_frames
from tests.unit.core.test_sources import STACK_16, chunks_of, indices_of, mux_units, write_video


def video_stream(container: OutputContainer, codec: str) -> VideoStream:
    stream = container.add_stream(codec, rate=20)
    assert isinstance(stream, VideoStream)
    return stream


def corner_video(path: Path, codec: str, rotation: int, frames: int = 12) -> Path:
    """96x64 pixels, bright at the top left, dark elsewhere; a player turns it."""
    picture = np.full((64, 96), 20, np.uint8)
    picture[:16, :24] = 220
    picture[:16, 24:48] = 120
    with av.open(str(path), "w") as container:
        stream = video_stream(container, codec)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if codec == "libx264":
            stream.options = {"g": "10000", "preset": "ultrafast", "crf": "10"}
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(frames):
            planes = np.concatenate([picture, np.full((32, 96), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("name", "codec", "frames"),
    [
        pytest.param("a.mp4", "libx264", 12, id="passed on encoded"),
        pytest.param("a.mov", "libx264", MAX_CHUNK_FRAMES + 10, id="cut anew"),
        pytest.param("a.mkv", "libx264", 12, id="matroska"),
        pytest.param("a.mp4", "libvpx-vp9", 12, id="decoded"),
    ],
)
def test_frames_are_turned_as_a_player_would(tmp_path: Path, name: str, codec: str, frames: int, rotation: int) -> None:
    path = corner_video(tmp_path / name, codec, rotation, frames)
    upright = decode(chunks_of(corner_video(tmp_path / f"upright_{name}", codec, 0, frames))[0])
    source = open_source(path)
    assert source.frame_size == ((96, 64) if rotation % 180 == 0 else (64, 96))
    assert source.description.rotation_degrees == rotation
    assert (source.description.width, source.description.height) == source.frame_size
    chunk = next(source.chunks())
    expected = np.rot90(upright, rotation // 90, axes=(1, 2))
    np.testing.assert_array_equal(decode(chunk)[:10], expected[:10])
    assert Chunk.from_bytes(chunk.to_bytes()) == chunk


def test_a_region_of_a_turned_video_is_that_of_what_is_shown(tmp_path: Path) -> None:
    chunk = chunks_of(corner_video(tmp_path / "a.mp4", "libx264", 90))[0]
    roi = RegionOfInterest(x=0, y=40, width=16, height=56)
    np.testing.assert_array_equal(decode(chunk, roi), decode(chunk)[:, 40:96, 0:16])
    assert decode(chunk, roi).mean() > 60  # the bright corner has come to the bottom left


def test_a_variable_frame_rate_stays_in_the_times(tmp_path: Path) -> None:
    times = [0, 3000, 6000, 20_000, 23_000, 90_000, 93_000, 93_090]
    units = encode_h264(numbered_frames(8), group=8)
    varied = [type(u)(u.data, t, u.received_at_s) for u, t in zip(units, times, strict=True)]
    for name in ("video.mp4", "video.mkv"):
        (chunk,) = chunks_of(mux_units(tmp_path / name, varied))
        assert chunk.header.times_s == pytest.approx([t / 90_000 for t in times], abs=0.0011)


@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [
        pytest.param("video.mkv", {}, "libx264", id="Matroska"),
        pytest.param("video.webm", {}, "libvpx-vp9", id="WebM"),
        pytest.param("video.mp4", {"movflags": "faststart"}, "libx264", id="MP4 that begins with its index"),
        pytest.param("video.mp4", {"movflags": "frag_keyframe+empty_moov"}, "libx264", id="fragmented MP4"),
        pytest.param("video.avi", {}, "mjpeg", id="AVI"),
    ],
)
def test_a_video_that_was_cut_off_says_so_and_its_frames_are_read(
    tmp_path: Path, name: str, options: dict[str, str], codec: str
) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", options=options) as container:
        stream = video_stream(container, codec)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 10
        for luma in numbered_frames(60):
            planes = np.concatenate([luma, np.full((32, 96), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    assert not open_source(path).description.ends_early
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    source = open_source(path)
    assert source.description.ends_early
    assert 5 < sum(chunk.header.frame_count for chunk in source.chunks()) < 60


def test_a_stream_of_unknown_length_is_no_file_that_was_cut_off(tmp_path: Path) -> None:
    """As browsers and OBS write: nobody came back to note the length."""
    buffer = io.BytesIO()
    with av.open(_Unseekable(buffer), "w", format="matroska", options={"live": "1"}) as container:
        stream = video_stream(container, "libx264")
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for luma in numbered_frames(30):
            planes = np.concatenate([luma, np.full((32, 96), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    (tmp_path / "live.mkv").write_bytes(buffer.getvalue())
    assert not open_source(tmp_path / "live.mkv").description.ends_early
    assert indices_of(tmp_path / "live.mkv") == list(range(30))


class _Unseekable:
    def __init__(self, file: io.BytesIO) -> None:
        self.write: Callable[[bytes], int] = file.write


def test_a_stack_that_was_cut_off_says_so(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {"imagej": {"imagej": True}, "plain": {}, "pages": {"compression": "zlib"}}
    for name, options in kinds.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, STACK_16, photometric="minisblack", **options)
        assert not open_source(path).description.ends_early, name
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
        assert open_source(path).description.ends_early, name


def test_a_stack_without_times_has_no_rate_unless_somebody_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK_16, photometric="minisblack")
    unknown = open_source(path).description
    assert (unknown.fps, unknown.is_timed) == (None, False)
    told = open_source(path, frame_rate=50.0)
    assert (told.description.fps, told.description.is_timed) == (50.0, True)
    assert next(told.chunks()).header.times_s == pytest.approx([i / 50 for i in range(7)])


def test_a_stream_without_a_container_has_no_rate_unless_somebody_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "video.h264"
    path.write_bytes(b"".join(unit.data for unit in encode_h264(numbered_frames(20))))
    assert (open_source(path).description.fps, open_source(path).description.is_timed) == (None, False)
    times = [t for c in open_source(path, frame_rate=10.0).chunks() for t in c.header.times_s]
    assert times == pytest.approx([i / 10 for i in range(20)], abs=1e-3)


def test_a_rate_that_is_told_does_not_overrule_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mp4", numbered_frames(10), "libx264")
    assert open_source(path, frame_rate=50.0).description.fps == 25


def frames_of(path: Path) -> NDArray[np.uint16]:
    return np.concatenate([decode(chunk) for chunk in chunks_of(path)]).astype(np.uint16)


def write_folder(folder: Path, stack: NDArray[np.uint16], first: int = 1) -> Path:
    folder.mkdir()
    for index, frame in enumerate(stack):
        tifffile.imwrite(folder / f"img_{index + first}.tif", frame)
    (folder / "notes.txt").write_text("exposure 50 ms")
    return folder


def test_a_folder_of_frames_is_one_recording_in_counting_order(tmp_path: Path) -> None:
    stack = np.random.default_rng(2).integers(0, 65536, (12, 20, 30), dtype=np.uint16)
    folder = write_folder(tmp_path / "recording", stack)
    source = open_source(folder)
    assert (source.frame_size, source.frame_count_estimate) == ((30, 20), 12)
    np.testing.assert_array_equal(frames_of(folder), stack)


def test_a_folder_of_stacks_is_one_recording(tmp_path: Path) -> None:
    """As Micro-Manager writes: a further file for each 4 GB."""
    tifffile.imwrite(tmp_path / "a_MMStack.ome.tif", STACK_16[:4], ome=True)
    tifffile.imwrite(tmp_path / "a_MMStack_1.ome.tif", STACK_16[4:], ome=True)
    ordered = [member.name for member in sorted(tmp_path.iterdir())]
    assert ordered == ["a_MMStack.ome.tif", "a_MMStack_1.ome.tif"]
    np.testing.assert_array_equal(frames_of(tmp_path), STACK_16)


def test_a_folder_whose_frames_differ_in_size_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK_16[0])
    tifffile.imwrite(tmp_path / "b.tif", STACK_16[0, :10])
    with pytest.raises(FrameSizeChanged, match="30x20"):
        chunks_of(tmp_path)


LONG_16 = np.random.default_rng(3).integers(0, 65536, (60, 20, 30), dtype=np.uint16)


def write_thirds(folder: Path, options: dict[str, Any]) -> list[Path]:
    """Three files of 20 frames each."""
    folder.mkdir()
    paths = [folder / f"img_{number}.tif" for number in range(3)]
    for path, frames in zip(paths, np.split(LONG_16, 3), strict=True):
        tifffile.imwrite(path, frames, **options)
    return paths


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", [{"photometric": "minisblack", "compression": "zlib"}, {"imagej": True}])
def test_a_file_of_many_that_was_cut_off_loses_its_frames_alone_and_is_named(
    tmp_path: Path, options: dict[str, Any], packed: bool
) -> None:
    paths = write_thirds(tmp_path / "recording", options)
    paths[1].write_bytes(paths[1].read_bytes()[: paths[1].stat().st_size // 2])
    source = open_source(pack(tmp_path / "a.zip", tmp_path / "recording") if packed else tmp_path / "recording")
    first, second = source.chunks()
    assert first.header.frame_count + first.header.lost == second.header.first_frame == 40
    assert 20 < first.header.frame_count < 40
    np.testing.assert_array_equal(decode(first), LONG_16[: first.header.frame_count])
    np.testing.assert_array_equal(decode(second), LONG_16[40:])
    assert second.header.times_s[0] == pytest.approx(40 / ASSUMED_FPS)
    assert "img_1.tif was cut off" in str(source.description.notice)
    for index in (first.header.frame_count - 1, 40, 59):
        found = source.frame(index)
        assert found is not None
        assert found[0] == index
        np.testing.assert_array_equal(found[1], LONG_16[index])


@pytest.mark.parametrize("content", [b"", b"II*\0 and noise"])
@pytest.mark.parametrize("which", [pytest.param((5,), id="in the middle"), pytest.param((10, 11), id="at the end")])
def test_files_of_many_that_cannot_be_opened_are_passed_over_and_the_first_is_named(
    tmp_path: Path, which: tuple[int, ...], content: bytes
) -> None:
    folder = write_folder(tmp_path / "recording", LONG_16[:12], first=0)
    for number in which:
        (folder / f"img_{number}.tif").write_bytes(content)
    chunks = list((source := open_source(folder)).chunks())
    followed = which[-1] < 11
    assert sum(chunk.header.lost for chunk in chunks) == (len(which) if followed else 0)
    for chunk in chunks:
        np.testing.assert_array_equal(decode(chunk), LONG_16[chunk.header.first_frame :][: chunk.header.frame_count])
    assert sum(chunk.header.frame_count for chunk in chunks) == 12 - len(which)
    assert f"img_{which[0]}.tif is a damaged TIFF file" in str(source.description.notice)
    assert (found := source.frame(11)) is not None
    assert found[0] == (11 if followed else 9)


def test_a_stack_with_a_damaged_page_says_that_it_ends_there(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK_16, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[4].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[place : place + 20] = bytes(20)
    path.write_bytes(data)
    source = open_source(path)
    assert [chunk.header.frame_count for chunk in source.chunks()] == [4]
    assert source.description.ends_early


def test_a_folder_without_tiffs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidVideo, match="holds no TIFF"):
        open_source(tmp_path)


def pack(archive: Path, folder: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(archive, "w", compression) as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, f"recording/{path.name}")
        packed.writestr("__MACOSX/recording/._img_1.tif", b"of a Mac")
    return archive


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_of_tiffs_gives_the_same_as_the_folder(tmp_path: Path, compression: int) -> None:
    folder = write_folder(tmp_path / "recording", STACK_16)
    archive = pack(tmp_path / "recording.zip", folder, compression)
    assert open_source(archive).description.container == "zip"
    np.testing.assert_array_equal(frames_of(archive), frames_of(folder))


def test_a_stack_in_a_zip_is_read_where_it_lies(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    tifffile.imwrite(folder / "stack.tif", STACK_16, imagej=True)
    np.testing.assert_array_equal(frames_of(pack(tmp_path / "recording.zip", folder)), STACK_16)


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for index in range(6):
            packed.writestr(f"{index}.tif", bytes(200 * 2**20))


def _large_member(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("0.tif", bytes(257 * 2**20))


def _without_tiffs(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("notes.txt", "no frames")


def _truncated(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("0.tif", bytes(4000))
    path.write_bytes(path.read_bytes()[:3000])


def _lying(path: Path) -> None:
    """A member whose bytes end long before its directory entry says."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("0.tif", b"II*\0" + bytes(100))
    data = path.read_bytes()
    path.write_bytes(data.replace((104).to_bytes(4, "little"), (2**31).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(_bomb, "far more than it is", id="bomb"),
        pytest.param(_large_member, "large compressed stack", id="large member"),
        pytest.param(_without_tiffs, "holds no TIFF", id="no TIFF"),
        pytest.param(_truncated, "damaged ZIP", id="truncated"),
        pytest.param(_lying, "damaged|far more", id="wrong sizes"),
    ],
)
def test_zips_that_cannot_be_used_are_refused_with_advice(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    write(tmp_path / "a.zip")
    with pytest.raises(InvalidVideo, match=message):
        chunks_of(tmp_path / "a.zip")


def test_a_stack_larger_than_a_chunk_is_read_piece_by_piece(tmp_path: Path) -> None:
    """What is read at once is bounded by a chunk, whatever the file's size: here a sparse BigTIFF of 6 GB."""
    path = tmp_path / "large.tif"
    frames, side = 3000, 1024
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(shape=(frames, side, side), dtype=np.uint16, photometric="minisblack", contiguous=True)
    assert path.stat().st_size > 6 * 10**9
    source = open_source(path)
    assert source.frame_count_estimate == frames
    first = next(source.chunks())
    assert first.header.frame_count < 200
    assert not decode(first).any()


def test_a_packed_folder_is_the_same_recording_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "recording", STACK_16)
    packed = []
    for _ in range(2):
        with sendable(folder) as archive:
            assert archive.name == "recording.zip"
            np.testing.assert_array_equal(frames_of(archive), STACK_16)
            packed.append(archive.read_bytes())
    assert packed[0] == packed[1]
    assert not archive.exists()


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    with sendable(tmp_path / "video.mp4") as file:
        assert file == tmp_path / "video.mp4"
