from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import FILE_CHUNK_FRAMES, MAX_CHUNK_FRAMES, Chunk
from cellstorm.cutting import ChunkCutter
from cellstorm.decoding import decode
from cellstorm.errors import FrameSizeChanged, InvalidVideo
from cellstorm.h264 import AccessUnit
from cellstorm.sources import open_source
from cellstorm.sources.video import DecodedSource, H264Source
from tests.fakes import INTERLACED, encode_h264, numbered_frames, read_index


def write_video(
    path: Path, frames: Iterable[NDArray[np.uint8]], codec: str, pixel_format: str = "yuv420p", **options: str
) -> Path:
    """A video of 25 frames/s in the container that the file's name tells."""
    with av.open(str(path), "w") as container:
        stream: Any = None
        for frame in frames:
            height, width = frame.shape
            if stream is None:
                stream = container.add_stream(codec, rate=25, options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[:, :, np.newaxis], 3, 2), "rgb24")
            container.mux(stream.encode(picture.reformat(format=pixel_format)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("pixel_format", "counts_per_photon"), [("yuv420p", 1), ("yuv420p10le", 4), ("yuv422p10le", 4)]
)
def test_the_usual_camera_has_as_many_bits_as_the_video(
    tmp_path: Path, pixel_format: str, counts_per_photon: float
) -> None:
    video = write_video(tmp_path / "video.mp4", numbered_frames(3), "libx264", pixel_format)
    camera = open_source(video).description.usual_camera
    assert camera.gain * counts_per_photon == pytest.approx(DEFAULT_CAMERA.gain)
    assert camera.offset / counts_per_photon == pytest.approx(DEFAULT_CAMERA.offset)
    assert not camera.calibrated


def test_counts_of_16_bits_are_a_cameras_own(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 64, 64), np.uint16))
    assert open_source(tmp_path / "stack.tif").description.usual_camera == DEFAULT_CAMERA


def mux_units(path: Path, units: Sequence[AccessUnit], **options: str) -> Path:
    """Access units in the container that the file's name tells, without encoding."""
    template_file = path.with_suffix(".template.h264")
    template_file.write_bytes(units[0].data)
    with av.open(str(template_file)) as template, av.open(str(path), "w", options=options) as container:
        stream = container.add_stream_from_template(template.streams.video[0])
        for position, unit in enumerate(units):
            packet = av.Packet(unit.data)
            packet.stream, packet.time_base = stream, Fraction(1, 90_000)
            packet.pts, packet.dts, packet.duration = unit.timestamp, (position - 5) * 3000, 3000
            container.mux(packet)
    template_file.unlink()
    return path


def chunks_of(path: Path) -> list[Chunk]:
    return list(open_source(path).chunks())


def indices_of(path: Path) -> list[int]:
    """The numbers that the frames show; their places in the chunks are checked on the way."""
    indices = []
    next_frame = 0
    for chunk in chunks_of(path):
        assert chunk.header.first_frame == next_frame
        indices += [read_index(frame) for frame in decode(chunk)]
        next_frame = chunk.header.next_frame
    return indices


@pytest.mark.parametrize("name", ["video.mp4", "video.mov", "video.mkv", "video.ts", "video.flv"])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_h264_in_any_container_is_cut_without_decoding(tmp_path: Path, name: str, b_frames: str) -> None:
    units = encode_h264(numbered_frames(150), options={"bf": b_frames, "preset": "medium"})
    path = mux_units(tmp_path / name, units)
    source = open_source(path)
    assert isinstance(source, H264Source)
    assert source.frame_size == (96, 64)
    chunks = list(source.chunks())
    assert [c.header.codec for c in chunks] == ["h264"] * 3
    assert indices_of(path) == list(range(150))
    times = [t for c in chunks for t in c.header.times_s]
    assert times == pytest.approx([i / 30 for i in range(150)], abs=0.0011)  # some containers count in milliseconds


def test_chunks_of_a_file_are_long_however_close_its_key_frames(tmp_path: Path) -> None:
    path = mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(150), group=3))
    assert [c.header.frame_count for c in chunks_of(path)] == [48, 48, 48, 6]
    assert indices_of(path) == list(range(150))


def test_a_file_gives_the_chunks_that_the_units_give(tmp_path: Path) -> None:
    units = encode_h264(numbered_frames(150))
    cutter = ChunkCutter(chunk_frames=FILE_CHUNK_FRAMES)
    live = [c.chunk for unit in units for c in cutter.add(unit)] + [c.chunk for c in cutter.finish()]
    assert chunks_of(mux_units(tmp_path / "video.mp4", units)) == live


def test_a_raw_h264_stream_is_read(tmp_path: Path) -> None:
    path = tmp_path / "video.h264"
    path.write_bytes(b"".join(unit.data for unit in encode_h264(numbered_frames(30))))
    assert indices_of(path) == list(range(30))


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    path = mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(10))).rename(tmp_path / "video.tif")
    assert indices_of(path) == list(range(10))


def test_a_video_of_one_frame_is_no_error(tmp_path: Path) -> None:
    assert indices_of(mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(1, first=0)))) == [0]


def test_the_description_tells_codec_and_encoder(tmp_path: Path) -> None:
    description = open_source(write_video(tmp_path / "video.mp4", numbered_frames(10), "libx264", crf="21")).description
    assert (description.codec, description.width, description.height, description.fps) == ("h264", 96, 64, 25)
    assert description.encoder_settings is not None
    assert "crf=21.0" in description.encoder_settings
    assert description.encoder_settings.startswith("x264 - core")


def test_the_frame_count_is_estimated_from_the_header(tmp_path: Path) -> None:
    assert open_source(write_video(tmp_path / "a.mp4", numbered_frames(17), "libx264")).frame_count_estimate == 17
    assert open_source(write_video(tmp_path / "a.mkv", numbered_frames(17), "libx264")).frame_count_estimate == 17


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "dtype"),
    [
        ("video.webm", "libvpx-vp9", "yuv420p", np.uint8),
        ("video.webm", "libvpx", "yuv420p", np.uint8),
        ("video.mp4", "libx265", "yuv420p", np.uint8),
        ("video.mkv", "libx265", "yuv420p10le", np.uint16),
        ("video.mp4", "mpeg4", "yuv420p", np.uint8),
        ("video.avi", "mjpeg", "yuvj420p", np.uint8),
        ("video.mov", "prores_ks", "yuv422p10le", np.uint16),
        ("video.mkv", "ffv1", "gray", np.uint8),
        ("video.mkv", "ffv1", "gray16le", np.uint16),
        ("video.mkv", "ffv1", "bgr0", np.uint8),
        ("video.avi", "rawvideo", "bgr24", np.uint8),
        ("video.avi", "rawvideo", "yuyv422", np.uint8),
        ("video.avi", "png", "rgb24", np.uint8),
        ("video.y4m", "wrapped_avframe", "yuv420p", np.uint8),
    ],
)
def test_other_codecs_become_raw_chunks(
    tmp_path: Path, name: str, codec: str, pixel_format: str, dtype: type[np.generic]
) -> None:
    path = write_video(tmp_path / name, numbered_frames(12), codec, pixel_format)
    source = open_source(path)
    assert isinstance(source, DecodedSource)
    (chunk,) = source.chunks()
    assert chunk.header.codec == "raw"
    assert decode(chunk).dtype == dtype
    assert [read_index(frame) for frame in _as_8_bit(decode(chunk))] == list(range(12))
    assert chunk.header.times_s == pytest.approx([i / 25 for i in range(12)], abs=0.0011)


def _as_8_bit(counts: NDArray[Any]) -> NDArray[Any]:
    return counts if counts.dtype == np.uint8 else counts // (4 if counts.max() < 1024 else 256)


def test_lossless_gray_comes_out_as_it_went_in(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 64, 96), dtype=np.uint8)
    (chunk,) = chunks_of(write_video(tmp_path / "video.mkv", frames, "ffv1", "bgr0"))
    np.testing.assert_array_equal(decode(chunk), frames)


def test_a_long_decoded_video_is_cut_into_chunks_lazily(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", numbered_frames(2 * MAX_CHUNK_FRAMES + 5), "mjpeg", "yuvj420p")
    assert indices_of(path) == list(range(2 * MAX_CHUNK_FRAMES + 5))
    assert [c.header.frame_count for c in chunks_of(path)] == [MAX_CHUNK_FRAMES, MAX_CHUNK_FRAMES, 5]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(INTERLACED, id="interlaced"),
        pytest.param({"x264-params": "intra-refresh=1"}, id="without key frames"),
        pytest.param({"x264-params": "open-gop=1", "bf": "2"}, id="open groups"),
    ],
)
def test_h264_that_cannot_be_cut_is_decoded_or_cut_anew(tmp_path: Path, options: dict[str, str]) -> None:
    units = encode_h264(numbered_frames(330), group=400, options={"preset": "fast", **options})
    assert indices_of(mux_units(tmp_path / "video.mp4", units)) == list(range(330))


def test_h264_that_begins_without_a_key_frame_is_decoded_from_the_first_on(tmp_path: Path) -> None:
    units = encode_h264(numbered_frames(30))
    whole = mux_units(tmp_path / "whole.mkv", units)
    with av.open(str(whole)) as given, av.open(str(tmp_path / "video.mkv"), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for position, packet in enumerate(given.demux(video=0)):
            if packet.size and position >= 4:
                packet.stream = stream
                container.mux(packet)
    source = open_source(tmp_path / "video.mkv")
    assert isinstance(source, DecodedSource)
    assert [read_index(f) for c in source.chunks() for f in decode(c)][-20:] == list(range(10, 30))


def test_an_edit_list_hides_no_frame(tmp_path: Path) -> None:
    units = [replace(u, timestamp=u.timestamp - 15_000) for u in encode_h264(numbered_frames(20))]
    path = mux_units(tmp_path / "video.mp4", units)
    assert indices_of(path) == list(range(20))
    assert chunks_of(path)[0].header.times_s[0] == 0


def test_a_frame_size_that_changes_is_refused(tmp_path: Path) -> None:
    units = encode_h264(numbered_frames(10)) + encode_h264(numbered_frames(10, width=128), first_timestamp=30_000)
    with pytest.raises(FrameSizeChanged, match="96x64"):
        chunks_of(mux_units(tmp_path / "video.mp4", units))
    (tmp_path / "video.m2v").write_bytes(
        write_video(tmp_path / "a.m2v", numbered_frames(10), "mpeg2video").read_bytes()
        + write_video(tmp_path / "b.m2v", numbered_frames(10, width=128), "mpeg2video").read_bytes()
    )
    with pytest.raises(FrameSizeChanged, match="96x64"):
        chunks_of(tmp_path / "video.m2v")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"Dear reader,\nthis is a letter.\n" * 40, "not a video", id="text"),
        pytest.param(b"ffconcat version 1.0\nfile video.mp4\n", "not a video", id="playlist"),
        pytest.param(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nvideo.mp4\n", "not a video", id="stream list"),
        pytest.param(bytes(5000), "not a video", id="zeros"),
        pytest.param(b"\0\0\0\x08moof\0\0\0\x08mdat" + bytes(99), "not a video", id="fragment of nothing"),
        pytest.param(b"II*\0" + bytes(40), "damaged TIFF", id="TIFF without pages"),
        pytest.param(b"II*\0\xff\xff\xff\x7f" + bytes(40), "damaged TIFF", id="TIFF that points nowhere"),
    ],
)
def test_what_is_no_video_is_refused_with_advice(tmp_path: Path, content: bytes, message: str) -> None:
    mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(10)))
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(InvalidVideo, match=message) as raised:
        chunks_of(tmp_path / "bad.mp4")
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidVideo, match="cannot be read"):
        open_source(tmp_path / "video.mp4")


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mp4", numbered_frames(50), "libx264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InvalidVideo, match="cut short"):
        open_source(path)


def test_a_video_cut_in_its_data_gives_its_whole_frames(tmp_path: Path) -> None:
    path = mux_units(tmp_path / "video.mp4", encode_h264(numbered_frames(40)), movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    indices = indices_of(path)
    assert 10 < len(indices) < 40
    assert indices == list(range(len(indices)))


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 48_000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(InvalidVideo, match="holds no video"):
        open_source(tmp_path / "sound.mp4")


def test_damage_in_decoded_video_is_counted_and_the_rest_stays(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", numbered_frames(20), "png", "rgb24")
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data.startswith(b"\x89PNG", i)]
    data[starts[7] + 16 : starts[7] + 24] = bytes(8)  # width and height
    path.write_bytes(bytes(data))
    before, after = chunks_of(path)
    assert (before.header.frame_count, before.header.damaged, after.header.first_frame) == (7, 1, 8)
    assert [read_index(frame) for frame in decode(after)] == list(range(8, 20))


STACK_8 = np.random.default_rng(1).integers(0, 256, (7, 20, 30), dtype=np.uint8)
STACK_16 = np.random.default_rng(1).integers(0, 65536, (7, 20, 30), dtype=np.uint16)


@pytest.mark.parametrize("stack", [STACK_8, STACK_16], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="contiguous"),
        pytest.param({"byteorder": ">"}, id="big-endian"),
        pytest.param({"bigtiff": True}, id="BigTIFF"),
        pytest.param({"imagej": True}, id="ImageJ"),
        pytest.param({"ome": True}, id="OME"),
        pytest.param({"compression": "zlib", "predictor": True}, id="deflate"),
        pytest.param({"compression": "lzw"}, id="LZW"),
        pytest.param({"tile": (16, 16), "compression": "zstd"}, id="tiles"),
    ],
)
def test_tiff_stacks_come_out_as_they_are(tmp_path: Path, stack: NDArray[Any], options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", **options)
    source = open_source(tmp_path / "stack.tif")
    assert (source.frame_size, source.frame_count_estimate) == ((30, 20), 7)
    assert source.description.pixel_format == str(stack.dtype)
    (chunk,) = source.chunks()
    counts = decode(chunk)
    assert counts.dtype == stack.dtype
    np.testing.assert_array_equal(counts, stack)


def test_imagej_stacks_with_one_directory_are_read_to_their_end(tmp_path: Path) -> None:
    """As ImageJ writes stacks of more than 4 GB."""
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK_16, imagej=True, metadata={"axes": "TYX", "finterval": 0.05})
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages.first
        link = first.offset + 2 + 12 * len(first.tags)
    data[link : link + 4] = bytes(4)
    path.write_bytes(bytes(data))
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1
    (chunk,) = chunks_of(path)
    np.testing.assert_array_equal(decode(chunk), STACK_16)
    assert chunk.header.times_s == pytest.approx([i * 0.05 for i in range(7)])


def test_a_long_stack_is_cut_into_chunks(tmp_path: Path) -> None:
    stack = np.stack(list(numbered_frames(MAX_CHUNK_FRAMES + 20)))
    tifffile.imwrite(tmp_path / "stack.tif", stack, compression="zlib", photometric="minisblack")
    assert indices_of(tmp_path / "stack.tif") == list(range(MAX_CHUNK_FRAMES + 20))


def test_one_picture_is_a_stack_of_one(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK_8[0])
    (chunk,) = chunks_of(tmp_path / "stack.tif")
    np.testing.assert_array_equal(decode(chunk), STACK_8[:1])


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        pytest.param(np.zeros((3, 20, 30, 3), np.uint8), {"photometric": "rgb"}, "colour TIFF", id="colour"),
        pytest.param(np.zeros((20, 30, 3), np.uint8), {"photometric": "rgb"}, "colour TIFF", id="one colour picture"),
        pytest.param(np.zeros((3, 20, 30), np.float32), {}, "type float32", id="floats"),
        pytest.param(np.zeros((3, 20, 30), np.uint32), {}, "type uint32", id="32 bit"),
        pytest.param(np.zeros((3, 20, 30), np.int16), {}, "type int16", id="signed"),
        pytest.param(
            np.zeros((3, 2, 20, 30), np.uint16),
            {"imagej": True, "metadata": {"axes": "TCYX"}},
            "2 channels",
            id="ImageJ",
        ),
        pytest.param(
            np.zeros((3, 2, 20, 30), np.uint16), {"ome": True, "metadata": {"axes": "TCYX"}}, "2 channels", id="OME"
        ),
    ],
)
def test_tiffs_of_other_kinds_are_refused_with_advice(
    tmp_path: Path, pixels: NDArray[Any], options: dict[str, Any], message: str
) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", pixels, **{"photometric": "minisblack", **options})
    with pytest.raises(InvalidVideo, match=message) as raised:
        open_source(tmp_path / "stack.tif")
    assert "save" in str(raised.value)


def test_pages_of_other_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as writer:
        writer.write(STACK_8[0])
        writer.write(STACK_8[0, :10])
    with pytest.raises(FrameSizeChanged, match="30x20"):
        chunks_of(tmp_path / "stack.tif")


def test_a_stack_cut_short_gives_its_whole_frames(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK_16, imagej=True)
    path.write_bytes(path.read_bytes()[: -int(2.5 * 20 * 30 * 2)])
    (chunk,) = chunks_of(path)
    np.testing.assert_array_equal(decode(chunk), STACK_16[: chunk.header.frame_count])
    assert 1 <= chunk.header.frame_count <= 5


def test_damaged_tiffs_raise_nothing_but_our_errors(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK_8, compression="zlib", photometric="minisblack")
    data = path.read_bytes()
    random = np.random.default_rng(4)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for position in random.integers(4, len(data), 5):
            damaged[position] = random.integers(0, 256)
        path.write_bytes(bytes(damaged[: random.integers(8, len(data))]))
        try:
            chunks_of(path)
        except (InvalidVideo, FrameSizeChanged):
            refused += 1
    assert refused


def test_the_benchmark_videos_are_cut_whole(shared: Path) -> None:
    for name, count in (("chromium.mp4", 499), ("p500_phone.mp4", 500)):
        source = open_source(shared / "bench" / name)
        chunks = list(source.chunks())
        assert isinstance(source, H264Source)
        assert source.frame_count_estimate == sum(c.header.frame_count for c in chunks) == count
        assert sum(c.header.lost + c.header.damaged for c in chunks) == 0
        with av.open(str(shared / "bench" / name)) as container:
            expected = [frame.to_ndarray()[: frame.height, : frame.width] for frame in container.decode(video=0)]
        np.testing.assert_array_equal(np.concatenate([decode(chunk) for chunk in chunks]), expected)
