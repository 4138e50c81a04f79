"""What a generator promises, whatever runs it.

A generator sees windows of consecutive frames in counts and predicts for each window's middle frame. Normalisation is
inside it, so serving cannot disagree with training. A frame's prediction depends on its own window alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cellstorm.chunks import Counts
from cellstorm.judging import Judge

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


_MAX_BATCH_FRAMES: Final = 8
_MAX_BATCH_PIXELS: Final = 2**20
"""Of one batch's predicted frames: a batch of large frames must not outlast a worker's lease."""

OutputKind = Literal["emitters", "map", "frames", "counts"]
"""What a generator predicts for each window's middle frame; `cellstorm.readout` makes localizations of any of them.

emitters    per camera pixel, EMITTER_CHANNELS
map         a localization map on the upsampled grid: bright pixels are emitters
frames      a clean frame in counts, each emitter drawn as its spot, for a classical fit
counts      the middle frame itself, for a classical fit: no network
"""

_CHANNELS: Final[Mapping[OutputKind, int]] = {"emitters": len(EMITTER_CHANNELS), "map": 1, "frames": 1, "counts": 1}


class GeneratorSpec(BaseModel):
    """What one must know of a generator to run it and to read its output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    sha256: str | None = Field(default=None, description="Of weights.onnx; null where there is no network.")
    output: OutputKind
    context_frames: int = Field(gt=0, description="Frames in a window; odd, the middle one is predicted.")
    size_multiple: int = Field(gt=0, description="Height and width must be multiples of it.")
    threshold: float | None = Field(
        gt=0,
        lt=1,
        description="Of the probability, or in a map of the frame's maximum, below which nothing is reported; null, of "
        "emitters alone: those are reported with which the expected efficiency is highest.",
    )
    judge: Judge | None = Field(
        default=None, description="Of emitters: revises candidates by what a chunk shows; null, they stay as they are."
    )
    upsampling: int = Field(default=1, gt=0, description="Output pixels per camera pixel, in each direction.")
    precision_px: float | None = Field(
        default=None,
        gt=0,
        description="One sigma of a position's error, camera pixels, as measured; of outputs that do not tell it.",
    )
    least_signal: float = Field(
        default=0.0, ge=0, description="Counts of a whole spot below which nothing is reported, from map or frames."
    )
    map_signal: float = Field(default=1.0, gt=0, description="Counts of a spot whose pixels in the map sum to 1.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.sha256 is None) != (self.output == "counts"):
            raise ValueError("counts come without a network, everything else from weights with a SHA-256")
        if (self.precision_px is None) == (self.output in ("map", "frames")):
            raise ValueError("precision_px belongs to map and frames")
        if self.threshold is None and self.output != "emitters":
            raise ValueError("only emitters tell which threshold suits them")
        if self.judge is not None and self.output != "emitters":
            raise ValueError("only emitters are judged")
        if self.upsampling > 1 and self.output != "map":
            raise ValueError("only a map is upsampled")
        return self

    @property
    def digests(self) -> str:
        """Of network and judge, short, for people to compare."""
        network = self.sha256[:12] if self.sha256 else "no network"
        return f"{network}, judge {self.judge.digest}" if self.judge else network

    @property
    def release(self) -> str:
        """Version and digests: the same name may mean another network, or another judge, after an update."""
        return f"{self.version} ({self.digests})"

    @property
    def threshold_in_words(self) -> str:
        """For reports and cards."""
        return "by the expected efficiency" if self.threshold is None else f"{self.threshold:g}"

    def with_threshold(self, threshold: float) -> Self:
        """The same generator, read out with another threshold."""
        return self.model_copy(update={"threshold": threshold})

    def output_shape(self, batch: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Of what is predicted from windows of so many camera pixels."""
        return batch, _CHANNELS[self.output], height * self.upsampling, width * self.upsampling


def batch_frames(height: int, width: int) -> int:
    """How many frames of that size are predicted at once."""
    return min(_MAX_BATCH_FRAMES, max(1, _MAX_BATCH_PIXELS // (height * width)))


def padded(counts: Counts, multiple: int) -> Counts:
    """(frames, height, width) with height and width enlarged to such a multiple, by repeating the border."""
    _, height, width = counts.shape
    rows, columns = -height % multiple, -width % multiple
    if not rows and not columns:
        return counts
    return cast(Counts, np.pad(counts, ((0, 0), (0, rows), (0, columns)), mode="edge"))


def windows_of(counts: Counts, places: NDArray[np.integer], context_frames: int) -> NDArray[np.float32]:
    """(n, context_frames, height, width): the frames at `places` (n,) of (frames, height, width), each amid its neighbours.

    The first and the last frame repeat themselves beyond the edges.
    """
    offsets = np.arange(context_frames) - context_frames // 2
    windows: NDArray[np.float32] = counts[np.clip(places[:, np.newaxis] + offsets, 0, len(counts) - 1)].astype(
        np.float32
    )
    return windows


class Generator(Protocol):
    """Predicts what its specification's `output` says."""

    @property
    def spec(self) -> GeneratorSpec: ...

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """From (batch, time, height, width) counts to an array of `spec.output_shape(batch, height, width)`."""
        ...


class MiddleFrame:
    """The generator without a network: "predicts" each window's middle frame as it is."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.spec: Final = spec

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """From (batch, time, height, width) counts to (batch, 1, height, width)."""
        middle = windows.shape[1] // 2
        return windows[:, middle : middle + 1]
