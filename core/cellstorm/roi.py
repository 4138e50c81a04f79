"""The region of interest: the part of the frame in which molecules are localized."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.errors import InvalidSetting

DEFAULT_SIDE: Final = 512
LEAST_SIDE: Final = 8


class RegionOfInterest(BaseModel):
    """A rectangle of camera pixels; (x, y) is its left upper pixel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=LEAST_SIDE)
    height: int = Field(ge=LEAST_SIDE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `X,Y,W,H`.

        Raises
        ------
        InvalidSetting
            If it is not four suitable integers.
        """
        try:
            x, y, width, height = (int(part) for part in text.split(","))
            return cls(x=x, y=y, width=width, height=height)
        except ValueError as error:  # pydantic's ValidationError is one
            raise InvalidSetting(
                f"region of interest {text!r} must be X,Y,W,H in pixels, W and H at least {LEAST_SIDE}"
            ) from error

    @classmethod
    def default(cls, frame_width: int, frame_height: int) -> Self:
        """The centred 512x512 pixels, or all of a smaller frame."""
        width, height = min(frame_width, DEFAULT_SIDE), min(frame_height, DEFAULT_SIDE)
        return cls.model_construct(
            x=(frame_width - width) // 2, y=(frame_height - height) // 2, width=width, height=height
        )

    def check_inside(self, frame_width: int, frame_height: int) -> Self:
        """Itself.

        Raises
        ------
        InvalidSetting
            If it reaches beyond the frame.
        """
        if self.x + self.width > frame_width or self.y + self.height > frame_height:
            raise InvalidSetting(
                f"region of interest {self} reaches beyond the frame of {frame_width}x{frame_height} pixels; choose a smaller one"
            )
        return self

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index (…, height, width) arrays with."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"
