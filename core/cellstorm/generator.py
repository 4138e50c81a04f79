"""What a generator promises, whatever runs it.

A generator sees windows of consecutive frames in counts and predicts for each window's middle frame. Normalisation is
inside it, so serving cannot disagree with training. A frame's prediction depends on its own window alone.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

EMITTER_CHANNELS: Final = (
    "probability",  # that an emitter's centre lies in this pixel, 0 to 1
    "dx",  # the emitter's position from this pixel's centre, to the right, pixels
    "dy",  # likewise, downwards
    "signal",  # counts above background, of the whole spot
    "background",  # counts per pixel, camera offset included
    "sigma_x",  # one sigma of the error of dx, pixels
    "sigma_y",  # one sigma of the error of dy, pixels
    "psf_sigma",  # width of the spot, pixels
)
"""Channels of an `emitters` output, in their order: (batch, 8, height, width) float32."""


class GeneratorSpec(BaseModel):
    """What one must know of a generator to run it and to read its output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    sha256: str = Field(description="Of weights.onnx.")
    output: Literal["emitters"]
    context_frames: int = Field(gt=0, description="Frames in a window; odd, the middle one is predicted.")
    size_multiple: int = Field(gt=0, description="Height and width must be multiples of it.")
    threshold: float = Field(gt=0, lt=1, description="Of the probability, below which nothing is reported.")


class Generator(Protocol):
    """Predicts emitters."""

    @property
    def spec(self) -> GeneratorSpec: ...

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """From (batch, time, height, width) counts to (batch, channels, height, width)."""
        ...
