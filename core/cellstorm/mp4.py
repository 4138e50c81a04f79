"""The video that is kept: fragmented MP4 while it comes, which a crash cannot spoil, and one plain MP4 in the end.

Access units are stored as they are: lengths instead of start codes, nothing else; parameter sets and frame marks stay in the
stream. Times are kept to the tick, relative to the acquisition's start.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from cellstorm.errors import InvalidVideo
from cellstorm.h264 import TICKS_PER_SECOND, AccessUnit
from cellstorm.writing import sync

_TICK: Final = Fraction(1, TICKS_PER_SECOND)
_TIMESCALE: Final = {"video_track_timescale": str(TICKS_PER_SECOND), "movie_timescale": str(TICKS_PER_SECOND)}
"""The movie's own serves the edit list, which says how long after the start the first frame comes."""
_FRAGMENT: Final = {
    **_TIMESCALE,
    # frag_discont lets each fragment begin at its own time instead of at 0.
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "avoid_negative_ts": "disabled",
}
_LONG_SIZE: Final = 1  # ISO/IEC 14496-12, 4.2: the size stands in 64 bits after the type


class FragmentedWriter:
    """Appends chunks of access units to one MP4 file; each is in the file, whole, once `append` returns.

    Parameters
    ----------
    path
        The file to create.
    first_unit
        A key frame with its parameter sets, as `ChunkCutter` puts first into each chunk.
    first_timestamp
        The timestamp whose time is 0 s, as `ChunkCutter.first_timestamp` tells it.
    """

    def __init__(self, path: Path, first_unit: AccessUnit, *, first_timestamp: int) -> None:
        self._template = av.open(io.BytesIO(first_unit.data), format="h264")
        self._first_timestamp = first_timestamp
        self._last_dts = -(2**62)
        self._is_begun = False
        self._file = path.open("wb", buffering=0)

    def append(self, units: Sequence[AccessUnit]) -> None:
        """One chunk's units, in decoding order."""
        if not units:
            return
        times = self._times(units)
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4", options=_FRAGMENT) as container:
            stream = _copied_stream(container, self._template.streams.video[0])
            for unit, (pts, dts, duration) in zip(units, times, strict=True):
                packet = Packet(unit.data)
                packet.stream, packet.time_base = stream, _TICK
                packet.pts, packet.dts, packet.duration = pts, dts, duration
                packet.is_keyframe = unit is units[0]
                container.mux_one(packet)
        boxes = buffer.getvalue()
        first_fragment = next(start for kind, start, _ in _boxes(io.BytesIO(boxes)) if kind == b"moof")
        self._write(boxes[first_fragment:] if self._is_begun else boxes)
        self._last_dts = times[-1][1]
        self._is_begun = True

    def _write(self, boxes: bytes) -> None:
        """All or nothing: after a torn fragment nothing that followed it could be read."""
        start = self._file.tell()
        left = memoryview(boxes)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._file.seek(start)
            self._file.truncate()
            raise

    def _times(self, units: Sequence[AccessUnit]) -> list[tuple[int, int, int]]:
        """Presentation time, decoding time and duration of each, in ticks.

        MP4 wants decoding times that grow and never exceed the presentation times; H.264 itself has none.
        """
        shown = [unit.timestamp - self._first_timestamp for unit in units]
        decoded = list(shown)
        for index in range(len(units) - 2, -1, -1):
            decoded[index] = min(shown[index], decoded[index + 1] - 1)
        duration = max(1, (max(shown) - min(shown)) // max(1, len(units) - 1))
        times = []
        last = self._last_dts
        for pts, dts in zip(shown, decoded, strict=True):
            last = max(dts, last + 1)
            times.append((max(pts, last), last, duration))
        return times

    def close(self) -> None:
        self._file.close()
        self._template.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def join(parts: Sequence[Path], out: Path) -> None:
    """One plain MP4 of several fragmented ones, in order; it appears under its name only once it is whole.

    A part's end that a crash left unfinished is cut off, in the part too.

    Raises
    ------
    InvalidVideo
        If there is no whole fragment in any part.
    """
    usable = [part for part in parts if _cut_to_whole_fragments(part)]
    if not usable:
        raise InvalidVideo("no video was kept; record it again")
    unfinished = out.with_name(out.name + ".unfinished")
    try:
        _join_whole(usable, unfinished)
        sync(unfinished)  # the parts are deleted once there is this
        os.replace(unfinished, out)
        sync(out.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _join_whole(parts: Sequence[Path], out: Path) -> None:
    options = {**_TIMESCALE, "movflags": "faststart"}
    with av.open(f"file:{parts[0]}") as first, av.open(f"file:{out}", "w", format="mp4", options=options) as container:
        stream = _copied_stream(container, first.streams.video[0])
        last_dts = -(2**62)
        for part in parts:
            for packet in _packets(part):
                assert packet.dts is not None
                assert packet.pts is not None
                last_dts = max(packet.dts, last_dts + 1)
                packet.dts, packet.pts = last_dts, max(packet.pts, last_dts)
                packet.stream = stream
                container.mux_one(packet)


def _copied_stream(container: OutputContainer, template: VideoStream) -> VideoStream:
    stream = container.add_stream_from_template(template)
    stream.time_base = _TICK
    return stream


def _packets(part: Path) -> Iterator[Packet[VideoStream]]:
    with av.open(f"file:{part}") as container:
        try:
            yield from (packet for packet in container.demux(video=0) if packet.size and not packet.is_corrupt)
        except FFmpegError as error:
            raise InvalidVideo(f"the kept video {part.name} cannot be read to its end") from error


class WholeFragments(io.FileIO):
    """A fragmented MP4 without the torn fragment at its end, because of which FFmpeg would not open it at all."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._whole: int | None = None  # while it is not known, all of the file can be read
        self._whole = _whole_size(self)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._whole is not None:
            left = max(0, self._whole - self.tell())
            size = left if size is None or size < 0 else min(size, left)
        return super().read(-1 if size is None else size) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END and self._whole is not None:
            return super().seek(max(0, self._whole + offset))
        return super().seek(offset, whence)


def _cut_to_whole_fragments(part: Path) -> bool:
    """Whether there is any; what follows the last whole one is cut off."""
    with part.open("r+b") as file:
        whole = _whole_size(file)
        file.truncate(whole)
    return whole > 0


def _whole_size(file: BinaryIO | io.FileIO) -> int:
    """Up to the end of the last whole fragment."""
    whole = 0
    is_fragment = False
    for kind, start, size in _boxes(file):
        if kind == b"mdat" and is_fragment:
            whole = start + size
        is_fragment = kind == b"moof"
    return whole


def _boxes(file: BinaryIO | io.FileIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, size) of every whole box at the top level."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == _LONG_SIZE:
            size = int.from_bytes(head[8:], "big")
        if size < 8 or start + size > end:
            return
        yield kind, start, size
        start += size
