"""What the generators shall draw: the truth of training windows as localization maps or as clean frames.

Camera pixel (0, 0) has its centre at (0, 0). On a grid u times finer, pixel i lies at (i + 1/2) / u - 1/2 camera pixels, as
`cellstorm.maps` reads it. A place is rounded to one pixel of that grid, 8 nm off on average where camera pixels are 100 nm: shared
among neighbours, so that its centroid is exact, an emitter between them would fall below the paper's threshold, a
share of the brightest pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cellstorm_models.adversarial.unet import Frame, FrameNet
from cellstorm_models.clips import WindowBatch

_WINDOW, _X, _Y, _SIGNAL, _CARE, _SIGMA = range(6)
"""Columns of WindowBatch.emitters."""
_SQRT_2: Final = float(np.sqrt(2.0))


@dataclass(frozen=True, slots=True)
class Scene:
    """A WindowBatch's middle frames and their truth, on the device that trains."""

    counts: Tensor  # (batch, 1, height, width)
    background: Tensor  # (batch, 1, height, width) counts
    emitters: Tensor  # (n, 6) as WindowBatch.emitters; those not to care for shine, too

    @classmethod
    def of(cls, batch: WindowBatch, device: torch.device) -> Scene:
        middle = batch.windows.shape[1] // 2
        arrays = (batch.windows[:, middle : middle + 1], batch.background[:, np.newaxis], batch.emitters)
        return cls(*(torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device) for array in arrays))


def target(net: FrameNet, scene: Scene, frame: Frame) -> Tensor:
    """The paper's y for `net`, in units of each frame's noise: (batch, 1, height * upsampling, width * upsampling)."""
    batch, _, height, width = scene.counts.shape
    if net.output == "map":
        light = place_on_grid(scene.emitters, batch, height, width, net.upsampling)
        return light / frame.scale
    light = draw_spots(scene.emitters, batch, height, width)
    return (scene.background + light - frame.background) / frame.scale


def place_on_grid(emitters: Tensor, batch: int, height: int, width: int, upsampling: int) -> Tensor:
    """(batch, 1, height * upsampling, width * upsampling) counts; each emitter's signal in one pixel, as the paper does."""
    grid = torch.zeros(batch, height * upsampling, width * upsampling, device=emitters.device)
    # an emitter at x lies in pixel round((x + 1/2) u - 1/2), which is floor((x + 1/2) u)
    column, row = (torch.floor((emitters[:, axis] + 0.5) * upsampling).long() for axis in (_X, _Y))
    here = (emitters[:, _WINDOW].long(), row.clamp(0, grid.shape[1] - 1), column.clamp(0, grid.shape[2] - 1))
    return grid.index_put_(here, emitters[:, _SIGNAL], accumulate=True)[:, None]


def draw_spots(emitters: Tensor, batch: int, height: int, width: int) -> Tensor:
    """(batch, 1, height, width) counts; each emitter as a Gaussian of its width, integrated over pixels."""
    rows, columns = (
        _shares(emitters[:, axis], emitters[:, _SIGMA], size) for axis, size in ((_Y, height), (_X, width))
    )
    spots = (emitters[:, _SIGNAL, None] * rows)[:, :, None] * columns[:, None, :]
    frames = torch.zeros(batch, height, width, device=emitters.device)
    return frames.index_add_(0, emitters[:, _WINDOW].long(), spots)[:, None]


def _shares(place_px: Tensor, sigma_px: Tensor, size: int) -> Tensor:
    """(n, size) of an emitter's light in each row or column of pixels."""
    edges = torch.arange(size + 1, device=place_px.device) - 0.5 - place_px[:, None]
    return torch.diff(0.5 * torch.erf(edges / (_SQRT_2 * sigma_px[:, None])), dim=1)
