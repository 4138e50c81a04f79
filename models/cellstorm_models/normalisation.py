"""What networks know of a window before they look at it: how bright it is, and how noisy; from the window alone.

8-bit phones and 16-bit cameras look alike in counts above the local mean over the scale of the noise.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

MEAN_PX: Final = 8
"""Height and width must be multiples of it."""
_MIN_SCALE_COUNTS: Final = 0.5  # a hard-compressed video may have no noise at all


def local_mean(windows: Tensor) -> Tensor:
    """(batch, 1, height, width) smooth brightness: means of 8x8 pixels and all frames, over 5x5 of them."""
    coarse = functional.avg_pool2d(windows.mean(dim=1, keepdim=True), MEAN_PX)
    smooth = functional.avg_pool2d(coarse, 5, stride=1, padding=2, count_include_pad=False)
    return functional.interpolate(smooth, scale_factor=float(MEAN_PX), mode="bilinear", align_corners=False)


def noise_scale(windows: Tensor) -> Tensor:
    """(batch, 1, 1, 1) counts: a typical difference of neighbouring pixels.

    The squared mean of square roots: the few large differences that emitters make count for little. The mean is taken axis
    by axis, since ONNX Runtime sums whatever it is asked for one by one, and of a large frame loses four digits.
    """
    steps = torch.abs(windows[..., 1:] - windows[..., :-1])
    rows = torch.sqrt(steps + 1e-3).mean(dim=3, keepdim=True)
    typical = rows.mean(dim=2, keepdim=True).mean(dim=1, keepdim=True)
    return torch.clamp(typical**2, min=_MIN_SCALE_COUNTS)
