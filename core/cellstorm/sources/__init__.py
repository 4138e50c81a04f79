"""Recorded material, as the chunks that a live stream of it would have given: videos, TIFF stacks, folders and ZIPs of TIFFs."""

from __future__ import annotations

from pathlib import Path

from cellstorm.errors import InvalidVideo
from cellstorm.sources.members import ZIP_MAGICS, PlainFile, folder_members, zip_members
from cellstorm.sources.source import Source, SourceDescription
from cellstorm.sources.tiff import TIFF_MAGICS, TiffSource
from cellstorm.sources.video import open_video

__all__ = ["Source", "SourceDescription", "open_source"]


def open_source(
    path: Path, *, is_part: bool = False, frame_rate: float | None = None, name: str | None = None
) -> Source:
    """What lies in a file, told by its content and never by its name, or in a folder of TIFF files.

    Chunks are numbered from 0; those of a part of a live acquisition's kept video (`is_part`) as they were when it was
    received. `frame_rate` (1/s) is that of a recording that holds no times; where it holds some they are believed. `name`
    is what errors and notices call the file, where it lies under another name than its owner knows.

    Raises
    ------
    InvalidVideo
        If it is neither a video nor a TIFF stack that can be used.
    """
    if path.is_dir():
        return TiffSource(folder_members(path), frame_rate=frame_rate)
    file = PlainFile(path, name)
    try:
        with path.open("rb") as content:
            magic = content.read(4)
    except OSError as error:
        raise InvalidVideo(f"{file.name} cannot be read ({error.strerror}); check its name and permissions") from error
    if not magic:
        raise InvalidVideo(f"{file.name} is empty; record or copy it again")
    if magic in TIFF_MAGICS:
        return TiffSource([file], frame_rate=frame_rate)
    if magic in ZIP_MAGICS:
        return TiffSource(zip_members(file), container="zip", frame_rate=frame_rate)
    return open_video(file, is_part=is_part, frame_rate=frame_rate)
