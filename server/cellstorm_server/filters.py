"""Which localizations are wanted: ranges of columns, as in `?photons=500:&precision_nm=:25`."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cellstorm.acquisitions import FrameRange
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations


def parse_range(text: str) -> tuple[float, float]:
    """The bounds of `A:B`, both included; one that is left out is infinite.

    Raises
    ------
    InvalidSetting
        If it is no such range, or an empty one.
    """
    try:
        low, high = text.split(":")
        bounds = (float(low or -math.inf), float(high or math.inf))
    except ValueError as error:
        raise InvalidSetting(f"range {text!r} must be A:B, two numbers of which one may be left out") from error
    if not bounds[0] <= bounds[1]:
        raise InvalidSetting(f"range {text!r} is empty; A must not be greater than B")
    return bounds


def _check_range(text: str) -> str:
    try:
        parse_range(text)
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    return text


def _check_frames(text: str) -> str:
    try:
        FrameRange.parse(text)
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    return text


Range = Annotated[str, AfterValidator(_check_range), Field(max_length=80)]


class Filters(BaseModel):
    """A localization must lie in all ranges that are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Annotated[str, AfterValidator(_check_frames), Field(max_length=80)] | None = Field(
        default=None, description="A:B, frames A to B-1."
    )
    photons: Range | None = Field(default=None, description="A:B, both included.")
    precision_nm: Range | None = Field(default=None, description="A:B, both included.")
    probability: Range | None = Field(default=None, description="A:B, both included.")

    def apply(self, table: Localizations) -> Localizations:
        """The rows that pass, in their order."""
        keep = np.ones(len(table), bool)
        if self.frames is not None:
            frames = FrameRange.parse(self.frames)
            keep &= table["frame"] >= frames.start
            if frames.stop is not None:
                keep &= table["frame"] < frames.stop
        for column in ("photons", "precision_nm", "probability"):
            text = getattr(self, column)
            if text is not None:
                low, high = parse_range(text)
                keep &= (table[column] >= low) & (table[column] <= high)
        return table[keep]
