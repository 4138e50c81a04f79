"""Reads chunks back from the video that a live acquisition keeps: marks in it tell each chunk's number and first frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cellstorm.chunks import Chunk
from cellstorm.errors import InvalidVideo
from cellstorm.sources import open_source


def kept_chunks(parts: Sequence[Path], first: int, stop: int | None = None) -> Iterator[Chunk]:
    """Chunks of these numbers, in their order, as they were first cut.

    A part without one whole chunk (its session was cut off at once) is passed over.
    """
    for part in parts:
        try:
            for chunk in open_source(part, is_part=True).chunks():
                if first <= chunk.header.number and (stop is None or chunk.header.number < stop):
                    yield chunk
        except InvalidVideo:
            continue
