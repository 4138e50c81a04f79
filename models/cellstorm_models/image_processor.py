"""What a phone does to a frame between sensor and encoder: scale, denoise, sharpen, bend, clip, repeat and drop.

It works on counts that are not yet rounded, as a phone's own processor has more than eight bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

Frames = NDArray[np.float32]
"""(frames, height, width) counts, not rounded."""

_KERNEL: Final = (0.25, 0.5, 0.25)
_WHITE: Final = 255.0
_SLOPES: Final = (0.5, 2.0)  # of a tone curve; near black a power's own slope knows no bounds


@dataclass(frozen=True, slots=True)
class ImageProcessor:
    """What is done to 8-bit video; the defaults do nothing."""

    scale: float = 1.0  # pixels of the video per pixel of the sensor, along each axis
    denoise: float = 0.0  # share of the difference to the 3x3 mean that is taken away
    keep_edges_over: float | None = None  # counts: larger differences are left alone, as a bilateral filter does
    sharpen: float = 0.0  # multiple of the difference to the 3x3 mean that is added
    black: float = 0.0  # counts that become zero, and all below with them
    gamma: float = 1.0  # exponent of the tone curve
    repeated: float = 0.0  # share of frames that are the one before once more
    dropped: float = 0.0  # share of frames after which one of the sensor's is missing

    def frame_order(self, frames: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """(frames,) which of the sensor's frames each frame of the video shows."""
        if self.repeated == self.dropped == 0.0:
            return np.arange(frames)
        chance = rng.random(frames)
        steps = np.where(chance < self.repeated, 0, np.where(chance > 1.0 - self.dropped, 2, 1))
        steps[0] = 0
        return np.cumsum(steps)

    def sensor_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the sensor's frame for one of the video."""
        return int(np.ceil(height / self.scale)), int(np.ceil(width / self.scale))

    def to_video_px(self, sensor_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates on the sensor as coordinates in the video."""
        return np.asarray((sensor_px + 0.5) * self.scale - 0.5) if self.scale != 1.0 else sensor_px

    def resample(self, frames: Frames, height: int, width: int) -> Frames:
        """Scale to the video's size, by linear interpolation."""
        if self.scale == 1.0:
            return frames
        rows = _interpolation(height, frames.shape[1], self.scale)
        columns = _interpolation(width, frames.shape[2], self.scale)
        return np.asarray(rows @ frames @ columns.T)

    def filter(self, frames: Frames) -> Frames:
        """Denoise, then sharpen; either keeps the sum of light."""
        if self.denoise > 0:
            excess = _mean_3x3(frames) - frames
            if self.keep_edges_over is not None:
                excess *= np.abs(excess) < self.keep_edges_over
            frames = frames + np.float32(self.denoise) * excess
        if self.sharpen > 0:
            frames = frames + np.float32(self.sharpen) * (frames - _mean_3x3(frames))
        return frames

    def tone(self, counts: Frames) -> Frames:
        """Clip blacks and bend the rest."""
        if self.black == 0.0 and self.gamma == 1.0:
            return counts
        above = np.maximum(counts - np.float32(self.black), np.float32(0.0))
        return np.asarray(above if self.gamma == 1.0 else _WHITE * (above / _WHITE) ** np.float32(self.gamma))

    def slope(self, background: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n,) counts after the tone curve for one before it, on that background before it."""
        if self.gamma == 1.0:
            return np.ones_like(background)
        above = np.maximum(background - np.float32(self.black), np.float32(1.0))
        return np.asarray(np.clip(self.gamma * (above / _WHITE) ** (self.gamma - 1.0), *_SLOPES), np.float32)


def _mean_3x3(frames: Frames) -> Frames:
    rows = convolve1d(frames, _KERNEL, axis=1, mode="nearest")
    return np.asarray(convolve1d(rows, _KERNEL, axis=2, mode="nearest"))


def _interpolation(length: int, from_length: int, scale: float) -> NDArray[np.float32]:
    """(length, from_length) weights of a line's pixels in the scaled line's."""
    at = np.clip((np.arange(length) + 0.5) / scale - 0.5, 0, from_length - 1)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(at[:, np.newaxis] - np.arange(from_length))), np.float32)
