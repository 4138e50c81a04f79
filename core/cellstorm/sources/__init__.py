"""Recorded material, as the chunks that a live stream of it would have given: video files and TIFF stacks."""

from __future__ import annotations

from pathlib import Path

from cellstorm.errors import InvalidVideo
from cellstorm.sources.source import Source, SourceDescription
from cellstorm.sources.tiff import TIFF_MAGICS, TiffSource
from cellstorm.sources.video import open_video

__all__ = ["Source", "SourceDescription", "open_source"]


def open_source(path: Path, *, is_part: bool = False) -> Source:
    """What lies in a file, told by its content and never by its name.

    Chunks are numbered from 0; those of a part of a live acquisition's kept video (`is_part`) as they were when it was
    received.

    Raises
    ------
    InvalidVideo
        If it is neither a video nor a TIFF stack that can be used.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InvalidVideo(f"{path.name} cannot be read ({error.strerror}); check its name and permissions") from error
    if not magic:
        raise InvalidVideo(f"{path.name} is empty; record or copy it again")
    return TiffSource(path) if magic in TIFF_MAGICS else open_video(path, is_part=is_part)
