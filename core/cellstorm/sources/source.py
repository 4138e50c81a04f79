"""What every kind of recorded material offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.chunks import Chunk


class SourceDescription(BaseModel):
    """What a file says of itself, for the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: str = Field(description="As FFmpeg names it, or tiff.")
    codec: str = Field(description="As FFmpeg or TIFF names it.")
    pixel_format: str = Field(description="As FFmpeg names it, or NumPy's type.")
    width: int
    height: int
    fps: float | None = Field(default=None, description="Frames per second, on average.")
    bitrate_kbps: float | None = Field(default=None, description="Of the video alone where known, else of the file.")
    encoder: str | None = Field(default=None, description="The program that wrote it.")
    encoder_settings: str | None = Field(default=None, description="As x264 leaves them in the stream.")


class Source(Protocol):
    """Frames of a file as chunks."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """(width, height) of every frame, in pixels."""

    @property
    def frame_count_estimate(self) -> int | None:
        """As the header has it; chunks may hold fewer or more."""

    @property
    def description(self) -> SourceDescription: ...

    def chunks(self) -> Iterator[Chunk]:
        """All chunks in order, read as they are asked for.

        Raises
        ------
        InvalidVideo
            If no frame can be had.
        FrameSizeChanged
            If a frame is of another size than the first.
        """
