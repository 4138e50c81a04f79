"""TIFF stacks of one channel, 8 or 16 bits: plain, ImageJ's (with a single directory for all frames), OME's, BigTIFF."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellstorm.chunks import MAX_FRAME_SIDE, Chunk, Counts
from cellstorm.errors import InvalidVideo
from cellstorm.raw_chunks import RawCutter, size_changed
from cellstorm.sources.source import SourceDescription

TIFF_MAGICS: Final = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})

_ASSUMED_FPS: Final = 30.0
_DAMAGED: Final = (
    tifffile.TiffFileError,
    ValueError,
    OSError,
    RuntimeError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What tifffile and imagecodecs raise on bytes that are not as they should be."""
_DIMENSIONS: Final = re.compile(r"Size([CTZ])=\"(\d+)\"|^(channel|frame|slice)s=(\d+)$", re.MULTILINE)
"""In the description of OME-TIFF and of ImageJ's."""
_IS_REDUCED: Final = 1  # bit 0 of NewSubfileType: a thumbnail


class TiffSource:
    """Frames of a TIFF stack.

    Raises
    ------
    InvalidVideo
        If it is damaged, or is of colour, floats or more than 16 bits.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as tiff:
            page = self._first_page(tiff)
            self._description = SourceDescription(
                container="tiff",
                codec=tifffile.COMPRESSION(page.compression).name.lower(),
                pixel_format=str(page.dtype),
                width=page.imagewidth,
                height=page.imagelength,
                fps=_fps(tiff),
                encoder=page.software or None,
            )
            self._frame_count = self._count(tiff, page)

    @property
    def frame_size(self) -> tuple[int, int]:
        return self._description.width, self._description.height

    @property
    def frame_count_estimate(self) -> int | None:
        return self._frame_count

    @property
    def description(self) -> SourceDescription:
        return self._description

    def chunks(self) -> Iterator[Chunk]:
        cutter = RawCutter()
        fps = self._description.fps or _ASSUMED_FPS
        for index, counts in enumerate(self._frames()):
            yield from cutter.add(index / fps, counts)
        if cutter.next_frame == 0:
            raise self._damaged()
        yield from cutter.finish()

    def _opened(self) -> tifffile.TiffFile:
        try:
            # As plain TIFF: OME-XML may name other files, which is no business of whoever sent this one.
            return tifffile.TiffFile(self._path, is_ome=False)
        except _DAMAGED as error:
            raise self._damaged() from error

    def _damaged(self) -> InvalidVideo:
        return InvalidVideo(f"{self._path.name} is a damaged TIFF file; save it again as an uncompressed stack")

    def _first_page(self, tiff: tifffile.TiffFile) -> tifffile.TiffPage:
        try:
            page = tiff.pages.first
            channels = _channels(page.description)
            samples = page.samplesperpixel
            is_flat = len(page.shape) == 2
        except _DAMAGED as error:
            raise self._damaged() from error
        if samples > 1 or page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR):
            raise InvalidVideo(f"{self._path.name} is a colour TIFF; save it as 8-bit or 16-bit grayscale")
        if channels > 1:
            raise InvalidVideo(f"{self._path.name} has {channels} channels; split them and save one as a stack")
        if page.dtype is None or page.dtype.str[1:] not in ("u1", "u2"):
            raise InvalidVideo(
                f"{self._path.name} has pixels of type {page.dtype}; save it as 8-bit or 16-bit grayscale"
            )
        if not is_flat or page.imagewidth < 1 or page.imagelength < 1:
            raise self._damaged()
        if max(page.imagewidth, page.imagelength, page.tilewidth, page.tilelength) > MAX_FRAME_SIDE:
            raise InvalidVideo(
                f"{self._path.name} has frames of {page.imagewidth}x{page.imagelength} pixels; "
                f"crop them to at most {MAX_FRAME_SIDE} a side"
            )
        return page

    def _count(self, tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
        try:
            frame_bytes = page.imagewidth * page.imagelength * page.bitspersample // 8
            in_one = int((tiff.imagej_metadata or {}).get("images", 1)) if len(tiff.pages) == 1 else 1
            if in_one > 1 and page.is_contiguous:
                return max(1, min(in_one, (tiff.filehandle.size - page.dataoffsets[0]) // frame_bytes))
            return len(tiff.pages)
        except _DAMAGED as error:
            raise self._damaged() from error

    def _frames(self) -> Iterator[Counts]:
        """Up to where a file is cut short."""
        with self._opened() as tiff:
            first = self._first_page(tiff)
            if self._frame_count > len(tiff.pages):
                yield from self._contiguous(first)
                return
            for index in range(self._frame_count):
                try:
                    page = tiff.pages[index]
                    keyframe = page.keyframe or first
                    if keyframe.subfiletype & _IS_REDUCED:
                        continue
                    if (keyframe.shape, keyframe.dtype) != (first.shape, first.dtype):
                        raise size_changed(_format(first), _format(keyframe))
                    counts = page.asarray()
                except _DAMAGED:
                    return
                yield _counts(counts)

    def _contiguous(self, page: tifffile.TiffPage) -> Iterator[Counts]:
        """ImageJ's large stacks: the frames follow the first one's, without directories of their own."""
        dtype = np.dtype(f"{page.parent.byteorder}u{page.bitspersample // 8}")
        shape = (self._frame_count, page.imagelength, page.imagewidth)
        frames = np.memmap(self._path, dtype, "r", page.dataoffsets[0], shape)
        for frame in frames:
            yield _counts(frame)


def _channels(description: str) -> int:
    """Channels beside frames or slices; by themselves they are frames that a program took for channels."""
    sizes = {"c": 1, "f": 1, "s": 1, "t": 1, "z": 1}
    for match in _DIMENSIONS.findall(description):
        name, size = match[:2] if match[0] else match[2:]
        sizes[name[0].lower()] = int(size)
    return sizes["c"] if max(size for name, size in sizes.items() if name != "c") > 1 else 1


def _format(page: tifffile.TiffPage) -> tuple[int, int, int]:
    return page.imagewidth, page.imagelength, page.bitspersample


def _counts(pixels: NDArray[Any]) -> Counts:
    """A copy, in this machine's byte order."""
    return pixels.astype(np.uint8) if pixels.itemsize == 1 else pixels.astype(np.uint16)


def _fps(tiff: tifffile.TiffFile) -> float | None:
    """As ImageJ notes it."""
    metadata = tiff.imagej_metadata or {}
    try:
        interval_s = float(metadata.get("finterval", 0) or 0)
        fps = float(metadata.get("fps", 0) or 0)
    except (TypeError, ValueError):
        return None
    if interval_s > 0:
        return 1 / interval_s
    return fps if fps > 0 else None
