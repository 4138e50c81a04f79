"""What every kind of recorded material offers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.camera import DEFAULT_CAMERA, Camera, usual_camera
from cellstorm.chunks import Chunk, Counts

_DEEP_VIDEO: Final = re.compile(r"(10|12)(?:le|be)$")
ASSUMED_FPS: Final = 30.0
"""Of recordings that hold no times and whose rate nobody has told: frames need some time, rates are not computed from it."""


class SourceDescription(BaseModel):
    """What a file says of itself, for the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: str = Field(description="As FFmpeg names it, or tiff, or zip.")
    codec: str = Field(description="As FFmpeg or TIFF names it.")
    pixel_format: str = Field(description="As FFmpeg names it, or NumPy's type.")
    width: int = Field(description="As shown, turned where the file says so.")
    height: int
    rotation_degrees: int = Field(default=0, description="Counterclockwise, as the file asks for; it is done.")
    is_timed: bool = Field(
        default=True, description="Whether the file, or whoever gave it, says when frames were taken."
    )
    duration_s: float | None = Field(default=None, description="As the header has it.")
    ends_early: bool = Field(default=False, description="The file was cut off; what is there was read.")
    unreadable: str | None = Field(
        default=None, description="What is wrong with the first of a recording's many files that is not all there."
    )
    fps: float | None = Field(default=None, description="Frames per second, on average.")
    bitrate_kbps: float | None = Field(default=None, description="Of the video alone where known, else of the file.")
    encoder: str | None = Field(default=None, description="The program that wrote it.")
    encoder_settings: str | None = Field(default=None, description="As x264 leaves them in the stream.")

    @property
    def usual_camera(self) -> Camera:
        """Where nobody names one: a phone's, of as many bits as its video has. Counts of 16 bits are a camera's own."""
        deep = _DEEP_VIDEO.search(self.pixel_format)
        return usual_camera(int(deep[1])) if deep else DEFAULT_CAMERA

    @property
    def notice(self) -> str | None:
        """What whoever sent the file should know of it; None where there is nothing to say."""
        if self.unreadable:
            return f"not all of the recording can be read: {self.unreadable}. All its other frames are processed"
        if self.ends_early:
            return "the file was cut off before its end; what it holds is processed, and more frames were recorded"
        return None


class Source(Protocol):
    """Frames of a file as chunks."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """(width, height) of every frame, in pixels."""

    @property
    def frame_count_estimate(self) -> int | None:
        """As the header has it; chunks may hold fewer or more."""

    @property
    def description(self) -> SourceDescription:
        """What is known of it; of a recording of many files, those are told that its chunks have found damaged so far."""

    def frame(self, index: int, frame_count: int | None = None) -> tuple[int, Counts] | None:
        """The newest frame up to this one, and which it is; None where there is none. It decodes little that it does not need.

        `frame_count` is how many its chunks count in all, lost and damaged ones too. Where that is not known, each of a
        decoded video's packets is taken for a frame.

        Raises
        ------
        InvalidInput
            If it cannot be had.
        """

    def chunks(self) -> Iterator[Chunk]:
        """All chunks in order, read as they are asked for. None is held any longer when it was given.

        Raises
        ------
        InvalidVideo
            If no frame can be had.
        FrameSizeChanged
            If a frame is of another size than the first.
        """
