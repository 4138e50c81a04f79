"""TIFF stacks of one channel, 8 or 16 bits: plain, ImageJ's (with a single directory for all frames), OME's, BigTIFF.

A recording may be one file or many, whose frames follow one another; `Stack` is one of them.
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, Self

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellstorm.chunks import MAX_FRAME_SIDE, Chunk, Counts
from cellstorm.errors import InvalidVideo
from cellstorm.raw_chunks import RawCutter, size_changed
from cellstorm.sources.members import Member
from cellstorm.sources.source import ASSUMED_FPS, SourceDescription

# Where nobody has set up logging, Python would print what tifffile says of damage; our errors and notices tell it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

TIFF_MAGICS: Final = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})

_DAMAGED: Final = (
    tifffile.TiffFileError,
    ValueError,
    OSError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What tifffile and imagecodecs raise on bytes that are not as they should be."""
_DIMENSIONS: Final = re.compile(r"Size([CTZ])=\"(\d+)\"|^(channel|frame|slice)s=(\d+)$", re.MULTILINE)
"""In the description of OME-TIFF and of ImageJ's."""
_IS_REDUCED: Final = 1  # bit 0 of NewSubfileType: a thumbnail

Format = tuple[int, int, int]
"""Width, height, bits."""


class TiffSource:
    """Frames of one TIFF file, or of several in their order.

    Where one of several is cut off or cannot be read, the others are read all the same, and it is taken to have held as many
    frames as the whole one before it: those that are missing count as lost before the next one's.

    Raises
    ------
    InvalidVideo
        If the first is damaged, or is of colour, floats or more than 16 bits.
    """

    def __init__(self, members: Sequence[Member], *, container: str = "tiff", frame_rate: float | None = None) -> None:
        self._members = members
        with Stack.opened(members[0]) as stack, damage_told(stack.name):
            page = stack.first_page
            fps = stack.fps or frame_rate
            self._format = stack.format
            self._frame_count = stack.frame_count * len(members)
            self._description = SourceDescription(
                container=container,
                codec=tifffile.COMPRESSION(page.compression).name.lower(),
                pixel_format=str(page.dtype),
                width=page.imagewidth,
                height=page.imagelength,
                is_timed=fps is not None,
                fps=fps,
                encoder=page.software or None,
            )
            if stack.ends_early:
                self._note(stack.broken_off())

    @property
    def frame_size(self) -> tuple[int, int]:
        return self._description.width, self._description.height

    @property
    def frame_count_estimate(self) -> int | None:
        return self._frame_count

    @property
    def description(self) -> SourceDescription:
        return self._description

    def frame(self, index: int, frame_count: int | None = None) -> tuple[int, Counts] | None:
        newest: tuple[int, Member, int] | None = None
        first = usual = 0
        for member in self._members:
            if first > index:
                break
            count, trouble = self._count(member, index + 1 - first)
            if count:
                newest = first + count - 1, member, count - 1
            usual = usual if trouble else count
            first += max(count, usual)
        if newest is None:
            return None
        number, member, position = newest
        with Stack.opened(member) as stack, damage_told(stack.name):
            return number, _counts(next(islice(stack.readers(self._format), position, None))())

    def chunks(self) -> Iterator[Chunk]:
        cutter = RawCutter()
        fps = self._description.fps or ASSUMED_FPS
        for lost, counts in self._frames():
            if lost:
                yield from cutter.finish(lost=lost)
            yield from cutter.add(cutter.next_frame / fps, counts)
        if cutter.next_frame == 0:
            raise damaged(self._members[0].name)
        yield from cutter.finish()

    def _frames(self) -> Iterator[tuple[int, Counts]]:
        """Each frame, and how many were lost directly before it."""
        usual = lost = 0
        for member in self._members:
            count = 0
            try:
                with Stack.opened(member) as stack:
                    for counts in stack.frames(self._format):
                        yield lost, counts
                        count, lost = count + 1, 0
                usual = count
            except InvalidVideo as error:
                self._note(error)
                lost += max(0, usual - count)

    def _count(self, member: Member, most: int) -> tuple[int, bool]:
        """How many frames of it there are to be read, no more than these, and whether some of it is missing."""
        count = 0
        try:
            with Stack.opened(member) as stack:
                for _ in islice(stack.readers(self._format), most):
                    count += 1
                return count, stack.ends_early
        except InvalidVideo:
            return count, True

    def _note(self, error: InvalidVideo) -> None:
        """That a file is not all there."""
        known = self._description
        if len(self._members) == 1:
            self._description = known.model_copy(update={"ends_early": True})
        elif known.unreadable is None:
            self._description = known.model_copy(update={"unreadable": str(error)})


@dataclass(frozen=True, slots=True)
class Stack:
    """One open TIFF file."""

    name: str
    tiff: tifffile.TiffFile
    first_page: tifffile.TiffPage
    frame_count: int
    is_in_one: bool
    ends_early: bool

    @classmethod
    @contextmanager
    def opened(cls, member: Member) -> Iterator[Self]:
        """A file that is looked into, and closed afterwards.

        Raises
        ------
        InvalidVideo
            If it is damaged, or of a kind that cannot be used.
        """
        with member.opened() as file:
            with damage_told(member.name):
                # As plain TIFF: OME-XML may name other files, which is no business of whoever sent this one.
                tiff = tifffile.TiffFile(file, name=member.name, is_ome=False)
            with tiff:
                with damage_told(member.name):
                    page = _first_page(member.name, tiff)
                    stack = cls(member.name, tiff, page, *_count(tiff, page))
                yield stack

    @property
    def format(self) -> Format:
        return _format(self.first_page)

    @property
    def fps(self) -> float | None:
        """As ImageJ notes it."""
        metadata = self.tiff.imagej_metadata or {}
        try:
            interval_s = float(metadata.get("finterval", 0) or 0)
            fps = float(metadata.get("fps", 0) or 0)
        except (TypeError, ValueError):
            return None
        if interval_s > 0:
            return 1 / interval_s
        return fps if fps > 0 else None

    def frames(self, expected: Format) -> Iterator[Counts]:
        """All that can be read, up to where the file is cut off or damaged.

        Raises
        ------
        InvalidVideo
            After them, if there were to be more.
        FrameSizeChanged
            If a frame is not as `expected`.
        """
        for read in self.readers(expected):
            try:
                counts = read()
            except _DAMAGED as error:
                raise self.broken_off() from error
            yield _counts(counts)
        if self.ends_early:
            raise self.broken_off()

    def readers(self, expected: Format) -> Iterator[Callable[[], NDArray[Any]]]:
        """What reads each frame's pixels, as long as the stack is open; any of `_DAMAGED` may be raised then.

        Raises
        ------
        InvalidVideo
            If a frame's directory is damaged.
        FrameSizeChanged
            If a frame is not as `expected`.
        """
        if self.format != expected:
            raise size_changed(expected, self.format)
        if self.is_in_one:
            yield from (partial(self._contiguous, index) for index in range(self.frame_count))
            return
        for index in range(self.frame_count):
            try:
                page = self.tiff.pages[index]
                keyframe = page.keyframe or self.first_page
                if keyframe.subfiletype & _IS_REDUCED:
                    continue
                if (keyframe.shape, keyframe.dtype) != (self.first_page.shape, self.first_page.dtype):
                    raise size_changed(expected, _format(keyframe))
            except _DAMAGED as error:
                raise self.broken_off() from error
            yield page.asarray

    def broken_off(self) -> InvalidVideo:
        """What to say of it where not all of it is there."""
        if self.ends_early:
            return InvalidVideo(f"{self.name} was cut off before its end; copy it again if there is a whole one")
        return damaged(self.name)

    def _contiguous(self, index: int) -> NDArray[Any]:
        """Of ImageJ's large stacks: the frames follow the first one's, without directories of their own."""
        page = self.first_page
        dtype = np.dtype(f"{self.tiff.byteorder}u{page.bitspersample // 8}")
        shape = (page.imagelength, page.imagewidth)
        size = shape[0] * shape[1] * dtype.itemsize
        self.tiff.filehandle.seek(page.dataoffsets[0] + index * size)
        return np.frombuffer(self.tiff.filehandle.read(size), dtype).reshape(shape)


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Whatever tifffile raises on a damaged file becomes `damaged`."""
    try:
        yield
    except _DAMAGED as error:
        raise damaged(name) from error


def damaged(name: str) -> InvalidVideo:
    return InvalidVideo(f"{name} is a damaged TIFF file; save it again as an uncompressed stack")


def _first_page(name: str, tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    """The first frame's directory, of a file whose frames can be used."""
    page = tiff.pages.first
    channels = _channels(page.description)
    if page.samplesperpixel > 1 or page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR):
        raise InvalidVideo(f"{name} is a colour TIFF; save it as 8-bit or 16-bit grayscale")
    if channels > 1:
        raise InvalidVideo(f"{name} has {channels} channels; split them and save one as a stack")
    if page.dtype is None or page.dtype.str[1:] not in ("u1", "u2"):
        raise InvalidVideo(f"{name} has pixels of type {page.dtype}; save it as 8-bit or 16-bit grayscale")
    if len(page.shape) != 2 or page.imagewidth < 1 or page.imagelength < 1:
        raise damaged(name)
    if max(page.imagewidth, page.imagelength, page.tilewidth, page.tilelength) > MAX_FRAME_SIDE:
        raise InvalidVideo(
            f"{name} has frames of {page.imagewidth}x{page.imagelength} pixels; "
            f"crop them to at most {MAX_FRAME_SIDE} a side"
        )
    return page


def _count(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[int, bool, bool]:
    """How many frames there are, whether one directory stands for all, and whether more were announced."""
    frame_bytes = page.imagewidth * page.imagelength * page.bitspersample // 8
    pages = len(tiff.pages)
    in_one = int((tiff.imagej_metadata or {}).get("images", 1)) if pages == 1 else 1
    size = tiff.filehandle.size
    if in_one > 1 and page.is_contiguous:
        whole = max(1, min(in_one, (size - page.dataoffsets[0]) // frame_bytes))
        return whole, True, whole < in_one
    last = tiff.pages[pages - 1]
    ends = [offset + length for offset, length in zip(last.dataoffsets, last.databytecounts, strict=True)]
    return pages, False, max(ends, default=0) > size or _goes_on(tiff, last.offset)


def _goes_on(tiff: tifffile.TiffFile, directory: int) -> bool:
    """Whether the last directory that can be read points to a further one (TIFF 6.0, section 2)."""
    layout = tiff.tiff
    file = tiff.filehandle
    file.seek(directory)
    entries = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))[0]
    file.seek(directory + layout.tagnosize + entries * layout.tagsize)
    link = file.read(layout.offsetsize)
    return len(link) < layout.offsetsize or struct.unpack(layout.offsetformat, link)[0] != 0


def _channels(description: str) -> int:
    """Channels beside frames or slices; by themselves they are frames that a program took for channels."""
    sizes = {"c": 1, "f": 1, "s": 1, "t": 1, "z": 1}
    for match in _DIMENSIONS.findall(description):
        name, size = match[:2] if match[0] else match[2:]
        sizes[name[0].lower()] = int(size)
    return sizes["c"] if max(size for name, size in sizes.items() if name != "c") > 1 else 1


def _format(page: tifffile.TiffPage) -> Format:
    return page.imagewidth, page.imagelength, page.bitspersample


def _counts(pixels: NDArray[Any]) -> Counts:
    """A copy, in this machine's byte order."""
    return pixels.astype(np.uint8) if pixels.itemsize == 1 else pixels.astype(np.uint16)
