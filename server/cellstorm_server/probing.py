"""Looks into an uploaded file. Apart from `uploads`, for it runs in a process of its own, which should start quickly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anyio import BrokenWorkerProcess, to_process

from cellstorm.errors import InvalidVideo
from cellstorm.sources import SourceDescription, open_source

_PROBE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file says of itself."""

    width: int
    height: int
    frame_count_estimate: int | None
    description: SourceDescription


def probe(path: Path) -> Probe:
    """Blocks. What lies in a file whose first chunk can be read.

    Raises
    ------
    InvalidVideo
        If it cannot be read, or not one frame can be had.
    """
    source = open_source(path)
    next(source.chunks())
    width, height = source.frame_size
    return Probe(width, height, source.frame_count_estimate, source.description)


async def probe_apart(path: Path) -> Probe:
    """As `probe`, in another process: a hostile file may end that one, and it alone.

    Raises
    ------
    InvalidVideo
        Also if the process died or took too long.
    """
    try:
        async with asyncio.timeout(_PROBE_S):
            return await to_process.run_sync(probe, path, cancellable=True)
    except TimeoutError as error:
        raise InvalidVideo("the file took too long to look into; convert it to H.264 in MP4, and try again") from error
    except BrokenWorkerProcess as error:
        raise InvalidVideo("the file cannot be read; convert it to H.264 in MP4, and try again") from error
