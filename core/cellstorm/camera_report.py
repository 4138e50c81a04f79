"""What a phone tells of its camera: what it was set to, what held still, and what became of the camera's frames."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LockItem = Literal["exposure_time", "iso", "focus", "white_balance", "zoom", "torch", "frame_rate"]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockReport(_Told):
    """One setting that should not change while filming; values as browsers count them (exposure in 100 µs)."""

    state: Literal["locked", "drifting", "not_available"]
    value: float | None = Field(description="As read back from the camera; null where it does not tell.")
    wanted: float | None = Field(description="Null where nothing could be asked for.")


class CameraFrames(_Told):
    """What became of the camera's frames since the button was pressed."""

    seen: int = Field(ge=0, description="Delivered by the camera.")
    skipped: int = Field(ge=0, description="Owed by the camera's own pace, and not delivered.")
    repeated: int = Field(ge=0, description="Delivered twice; left out.")
    left_out: int = Field(ge=0, description="To keep the chosen frame rate.")
    sent: int = Field(ge=0)
    missed: int = Field(ge=0, description="While the link was lost.")


class CameraReport(_Told):
    """A phone and its camera, as the page that films has found and set them."""

    device: str = Field(max_length=400, description="As the browser names itself.")
    camera: str = Field(max_length=200, description="The browser's label for it.")
    width: int = Field(gt=0, le=16_384, description="Of the camera's picture, before cropping.")
    height: int = Field(gt=0, le=16_384)
    crop_x: int = Field(ge=0, description="Of the active square, in the camera's picture.")
    crop_y: int = Field(ge=0)
    crop_side: int = Field(gt=0)
    luma: Literal["exact", "converted"] = Field(description="Copied from the camera, or computed from colours.")
    frame_rate: float | None = Field(description="Of the camera, as measured.")
    preset: str | None = Field(max_length=40)
    locks: dict[LockItem, LockReport]
    frames: CameraFrames
    link_losses: int = Field(ge=0)
