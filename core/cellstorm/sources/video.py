"""Video files. H.264 is cut at key frames without decoding it; everything else is decoded, and its frames travel raw."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Final, Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from cellstorm.chunks import FILE_CHUNK_FRAMES, MAX_FRAME_SIDE, Chunk, Counts
from cellstorm.cutting import ChunkCutter, CutChunk
from cellstorm.decoding import decode_frame
from cellstorm.errors import InvalidVideo
from cellstorm.frame_marks import FrameMark, read_frame_index_sei
from cellstorm.h264 import (
    TICKS_PER_SECOND,
    AccessUnit,
    AvcConfiguration,
    ParameterSets,
    join_annex_b,
    read_facts,
    split_annex_b,
)
from cellstorm.luma import luma, turned
from cellstorm.mp4 import WholeFragments
from cellstorm.raw_chunks import RawCutter
from cellstorm.sources.endings import ends_early
from cellstorm.sources.members import PlainFile
from cellstorm.sources.source import ASSUMED_FPS, Source, SourceDescription

_DEMUXERS: Final = (
    "mov,matroska,avi,h264,hevc,av1,obu,ivf,mpegts,mpeg,mpegvideo,m4v,flv,ogg,asf,mxf,dv,nut,gif,mjpeg,yuv4mpegpipe"
)
"""Containers of video. Playlists and the like are left out: they could make this process open other files and addresses."""
_OPTIONS: Final = {
    "format_whitelist": _DEMUXERS,
    "protocol_whitelist": "file",
}
_WITHOUT_TIMES: Final = frozenset({"h264", "hevc", "m4v", "mpegvideo", "obu", "mjpeg"})
"""Streams without a container: FFmpeg makes their times up."""
_WITH_HIDDEN_FRAMES: Final = frozenset({"vp8"})
"""Some packets hold no frame that is shown."""
_PROBED_PACKETS: Final = 64
_X264_SETTINGS: Final = re.compile(rb"(x264 - core \d+[^\0]*?) - H\.264/MPEG-4 AVC codec[^\0]* - options: ([ -~]+)")


def open_video(file: PlainFile, *, is_part: bool = False, frame_rate: float | None = None) -> Source:
    """A source for whatever FFmpeg can decode; `is_part` and `frame_rate` as in `open_source`.

    Raises
    ------
    InvalidVideo
        If there is no video in it.
    """
    with _opened(file) as (container, stream):
        first_unit = _first_h264_unit(container, stream)
        description = _describe(container, stream, first_unit, frame_rate)
        frame_count = stream.frames or _estimated_frames(container, stream)
    if not is_part:  # what is kept of a phone's stream is upright
        description = description.model_copy(
            update={"ends_early": ends_early(file.path), **_turning(file, description)}
        )
    if max(description.width, description.height) > MAX_FRAME_SIDE:
        raise InvalidVideo(
            f"the video's frames are {description.width}x{description.height} pixels; "
            f"crop them to at most {MAX_FRAME_SIDE} a side"
        )
    if first_unit is not None:
        mark = read_frame_index_sei(first_unit)
        return H264Source(file, description, frame_count, mark, mark.chunk_number if mark and is_part else 0)
    return DecodedSource(file, description, frame_count)


class _VideoSource(ABC):
    def __init__(self, file: PlainFile, description: SourceDescription, frame_count_estimate: int | None) -> None:
        self._file = file
        self._description = description
        self._frame_count_estimate = frame_count_estimate

    @property
    def frame_size(self) -> tuple[int, int]:
        return self._description.width, self._description.height

    @property
    def frame_count_estimate(self) -> int | None:
        return self._frame_count_estimate

    @property
    def description(self) -> SourceDescription:
        return self._description

    @property
    def _quarter_turns(self) -> int:
        return self._description.rotation_degrees // 90

    def _clock(self, stream: VideoStream) -> _Clock:
        return _Clock(stream, told_fps=None if _is_timed(stream) else self._description.fps)

    def chunks(self) -> Iterator[Chunk]:
        chunks = self._chunks()
        try:
            yield next(chunks)
        except StopIteration:
            raise InvalidVideo(
                f"{self._file.name} holds no frame that can be decoded; record or export it again"
            ) from None
        yield from chunks

    @abstractmethod
    def _chunks(self) -> Iterator[Chunk]:
        """All chunks, perhaps none."""


class H264Source(_VideoSource):
    """H.264 that begins with a key frame: access units go into chunks as they are.

    A frame mark on the first one shows that a gateway kept this video: its times are the acquisition's then.
    """

    def __init__(
        self,
        file: PlainFile,
        description: SourceDescription,
        frame_count_estimate: int | None,
        first_mark: FrameMark | None,
        first_chunk: int,
    ) -> None:
        super().__init__(file, description, frame_count_estimate)
        self._is_kept = first_mark is not None
        self._first_chunk = first_chunk

    def frame(self, index: int, frame_count: int | None = None) -> tuple[int, Counts] | None:
        holder: Chunk | None = None
        for chunk in self._chunks():
            if chunk.header.first_frame > index:
                break
            holder = chunk
        if holder is None:
            return None
        position = min(index - holder.header.first_frame, holder.header.frame_count - 1)
        return holder.header.first_frame + position, decode_frame(holder, position)

    def _chunks(self) -> Iterator[Chunk]:
        cutter = ChunkCutter(
            first_chunk=self._first_chunk,
            first_timestamp=0 if self._is_kept else None,
            trust_marks=True,
            quarter_turns=self._quarter_turns,
            chunk_frames=FILE_CHUNK_FRAMES,
        )
        with _opened(self._file, keep_start=self._is_kept) as (container, stream):
            configuration = _configuration(stream)
            if configuration is not None:
                cutter.add_parameter_sets(configuration.parameter_sets)
            for unit in _access_units(container, stream, self._clock(stream)):
                yield from _given(cutter.add(unit))
        yield from _given(cutter.finish())


class DecodedSource(_VideoSource):
    """Any other video: decoded here, frame by frame."""

    def frame(self, index: int, frame_count: int | None = None) -> tuple[int, Counts] | None:
        with _opened(self._file) as (container, stream):
            order = _Order.of(container, stream, frame_count)
        newest: tuple[int, av.VideoFrame] | None = None
        with _opened(self._file) as (container, stream):
            for number, frame in order.numbered(_decoded(container, stream, first=order.start(index))):
                if number > index:
                    break
                newest = number, frame
            return newest and (newest[0], turned(luma(newest[1]), self._quarter_turns))

    def _chunks(self) -> Iterator[Chunk]:
        cutter = RawCutter()
        damaged = 0
        with _opened(self._file) as (container, stream):
            clock = self._clock(stream)
            for frame in _decoded(container, stream):
                if frame is None:
                    damaged += 1
                    continue
                if damaged and cutter.next_frame:
                    yield from cutter.finish(damaged=damaged)
                damaged = 0
                yield from cutter.add(clock.time_s(frame.pts), turned(luma(frame), self._quarter_turns))
        yield from cutter.finish(damaged=damaged)


def _given(made: list[CutChunk]) -> Iterator[Chunk]:
    """Those that hold frames; none of them is held any longer than until it is taken."""
    chunks = deque(cut.chunk for cut in made if cut.chunk is not None)
    made.clear()
    while chunks:
        yield chunks.popleft()


@contextmanager
def _opened(file: PlainFile, *, keep_start: bool = False) -> Iterator[tuple[InputContainer, VideoStream]]:
    # Every recorded frame counts, also where a player would begin later. But an edit list is also where an MP4 says that
    # its first frame comes after its start.
    options = {**_OPTIONS, "ignore_editlist": "0" if keep_start else "1"}
    with ExitStack() as stack:
        try:
            container = av.open(f"file:{file.path}", options=options, metadata_errors="replace")
        except FFmpegError:
            whole = stack.enter_context(WholeFragments(file.path))
            try:
                container = av.open(whole, "r", options=options, metadata_errors="replace")
            except FFmpegError as error:
                raise InvalidVideo(
                    f"{file.name} is not a video that can be read, or is cut short; record or export it again"
                ) from error
        stack.enter_context(container)
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        streams = [s for s in streams if s.codec_context is not None]
        if not streams:
            raise InvalidVideo(f"{file.name} holds no video that can be decoded; export it again, as H.264 in MP4")
        streams[0].codec_context.thread_count = 1
        yield container, streams[0]


def _configuration(stream: VideoStream) -> AvcConfiguration | None:
    """None where access units are in Annex B form already, as in MPEG-TS and AVI."""
    extradata = stream.codec_context.extradata
    return AvcConfiguration.parse(extradata) if extradata and extradata[0] == 1 else None


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Up to where a file is cut short."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        if packet.size and not packet.is_corrupt:
            yield packet


def _access_units(container: InputContainer, stream: VideoStream, clock: _Clock) -> Iterator[AccessUnit]:
    configuration = _configuration(stream)
    for packet in _packets(container, stream):
        data = bytes(packet)
        if configuration is not None:
            try:
                data = join_annex_b(configuration.split(data))
            except InvalidVideo:
                data = b""  # one picture that cannot be used: the cutter counts it
        yield AccessUnit(data, clock.ticks(packet.pts))


def _first_h264_unit(container: InputContainer, stream: VideoStream) -> AccessUnit | None:
    """The first picture of a stream that can be cut without decoding; None for every other.

    That is, H.264 which begins with a key frame, is not interlaced, and says when each picture is shown.
    """
    if stream.codec_context.name != "h264":
        return None
    parameter_sets = ParameterSets()
    try:
        configuration = _configuration(stream)
        for nal_unit in configuration.parameter_sets if configuration else ():
            parameter_sets.add(nal_unit)
        for packet in islice(_packets(container, stream), _PROBED_PACKETS):
            data = bytes(packet)
            nal_units = configuration.split(data) if configuration else split_annex_b(data)
            facts = read_facts(nal_units, parameter_sets)
            if facts.sequence is not None:
                is_timed = packet.pts is not None or not stream.codec_context.has_b_frames
                if facts.is_picture and facts.is_idr and facts.sequence.frame_mbs_only and is_timed:
                    return AccessUnit(join_annex_b(nal_units), 0)
                return None
    except InvalidVideo:
        return None
    return None


def _decoded(
    container: InputContainer, stream: VideoStream, first: int = 0, stop: int | None = None
) -> Iterator[av.VideoFrame | None]:
    """Frames in display order, and None for each packet that cannot be decoded; of packets `first` to `stop` - 1."""
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_SIDE**2)}
    for packet in islice(_packets(container, stream), first, stop):
        try:
            yield from packet.decode()
        except FFmpegError:
            yield None
    try:
        yield from stream.codec_context.decode(None)
    except FFmpegError:
        yield None


@dataclass(frozen=True, slots=True)
class _Order:
    """Which frame each packet of a file is, as far as their times tell it.

    Attributes
    ----------
    times
        At which they are shown, in that order; none where a packet has no time of its own, or has given no frame.
    key_packets
        Positions of those from which on can be decoded, and their times.
    """

    times: tuple[int, ...] = ()
    key_packets: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream, frame_count: int | None) -> Self:
        packets = [(packet.pts, packet.is_keyframe) for packet in _packets(container, stream)]
        times = sorted({pts for pts, _ in packets if pts is not None})
        begins_with_key = any(is_key for _, is_key in packets[:1])
        is_one_each = frame_count in (None, len(packets)) and stream.codec_context.name not in _WITH_HIDDEN_FRAMES
        if not is_one_each or len(times) < len(packets) or not begins_with_key:
            return cls()
        keys = ((place, pts) for place, (pts, is_key) in enumerate(packets) if is_key and pts is not None)
        return cls(tuple(times), tuple(keys))

    def start(self, index: int) -> int:
        """The packet from which on the frame can be decoded: the first one where it can only be found by counting."""
        wanted = self.times[min(index, len(self.times) - 1)] if self.times else 0
        return max((place for place, time in self.key_packets if time <= wanted), default=0)

    def numbered(self, frames: Iterable[av.VideoFrame | None]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decoded frames and their indices, as `DecodedSource` counts them: without those that are damaged before the first."""
        count = 0
        for frame in frames:
            if frame is not None and self.times:
                yield bisect_left(self.times, frame.pts or 0), frame
            elif frame is not None:
                yield count, frame
            count += frame is not None or count > 0


class _Clock:
    """Presentation times; where a file has none, frames follow each other evenly, at the rate that was told if one was."""

    def __init__(self, stream: VideoStream, told_fps: float | None = None) -> None:
        assumed = stream.average_rate or stream.guessed_rate or Fraction(ASSUMED_FPS)
        rate = assumed if told_fps is None else Fraction(told_fps)
        self._stretch = assumed / rate
        self._time_base = stream.time_base or 1 / rate
        self._frame_ticks = TICKS_PER_SECOND / rate
        self._next = Fraction(0)
        self._first: int | None = None

    def ticks(self, pts: int | None) -> int:
        """In 1/90000 s."""
        exact = self._next if pts is None else pts * self._time_base * self._stretch * TICKS_PER_SECOND
        self._next = exact + self._frame_ticks
        return round(exact)

    def time_s(self, pts: int | None) -> float:
        """In seconds since the first frame that was asked for."""
        ticks = self.ticks(pts)
        if self._first is None:
            self._first = ticks
        return (ticks - self._first) / TICKS_PER_SECOND


def _estimated_frames(container: InputContainer, stream: VideoStream) -> int | None:
    rate = stream.average_rate
    if rate is None or container.duration is None:
        return None
    return max(1, round(rate * container.duration / av.time_base))


def _is_timed(stream: VideoStream) -> bool:
    """Whether the file says when its frames were taken."""
    return stream.container.format.name not in _WITHOUT_TIMES


def _turning(file: PlainFile, description: SourceDescription) -> dict[str, int]:
    """How the frames are to be turned, and their size then: as the first one's display matrix says."""
    with _opened(file) as (container, stream):
        first = next((frame for frame in _decoded(container, stream, stop=_PROBED_PACKETS) if frame is not None), None)
    turns = round(first.rotation / 90) % 4 if first is not None else 0
    width, height = (description.height, description.width) if turns % 2 else (description.width, description.height)
    return {"rotation_degrees": 90 * turns, "width": width, "height": height}


def _describe(
    container: InputContainer, stream: VideoStream, first_unit: AccessUnit | None, frame_rate: float | None
) -> SourceDescription:
    context = stream.codec_context
    is_timed = _is_timed(stream)
    found_fps = float(stream.average_rate) if stream.average_rate else None
    settings = _X264_SETTINGS.search(first_unit.data) if first_unit else None
    bitrate = context.bit_rate or container.bit_rate
    return SourceDescription(
        container=container.format.name,
        codec=context.name,
        pixel_format=context.pix_fmt or "unknown",
        width=context.width,
        height=context.height,
        is_timed=is_timed or frame_rate is not None,
        duration_s=container.duration / av.time_base if is_timed and container.duration else None,
        fps=found_fps if is_timed else frame_rate,
        bitrate_kbps=bitrate / 1000 if bitrate else None,
        encoder=container.metadata.get("encoder"),
        encoder_settings=b" ".join(settings.groups()).decode("ascii", "replace") if settings else None,
    )
