"""The paper's objectives, equations 1 to 5 of its section D.C (Diederich et al., PLoS ONE 14, e0209827).

x is a frame, y the truth, G(x) the generator's picture, D(x, y) the probability that y is the truth rather than a picture.
Norms are means over pixels and frames, as in the authors' published code: equation 5's weights belong to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

KERNEL_SIGMA: Final = 4.0  # of equation 3's PSF, pixels of the upsampled grid; the authors' code
KERNEL_LIGHT: Final = 2.0
"""What that PSF sums to, in the authors' code. It has to be over 1: then light in its right place lowers equation 3 by more
than equation 4 charges for it. With both weights alike and a PSF of 1, a black picture would be as good as the truth."""
_KERNEL_REACH: Final = 15


@dataclass(frozen=True, slots=True)
class Weights:
    """lambda_cGAN, lambda_L1 and lambda_L1s of equation 5."""

    adversarial: float = 3.0
    likeness: float = 100.0
    sparsity: float = 100.0

    @classmethod
    def of(cls, *, sparse: bool) -> Weights:
        """The paper's for a map. A clean frame is not sparse: the earlier version had no such term."""
        return cls() if sparse else cls(sparsity=0.0)


@dataclass(frozen=True, slots=True)
class GeneratorLosses:
    """What the generator minimises, unweighted; `fooling` is None while the adversarial term is off."""

    likeness: Tensor
    sparsity: Tensor
    fooling: Tensor | None

    def total(self, weights: Weights) -> Tensor:
        """Equation 5, the generator's side."""
        total = weights.likeness * self.likeness + weights.sparsity * self.sparsity
        return total if self.fooling is None else total + weights.adversarial * self.fooling


def adversarial_value(true_logit: Tensor, picture_logit: Tensor) -> Tensor:
    """Equation 1, which the discriminator maximises: E[log D(x, y)] + E[log(1 - D(x, G(x)))].

    The paper prints its second term as 1 - log(1 - D): a slip, with which both players would pull the same way.
    """
    return functional.logsigmoid(true_logit).mean() + functional.logsigmoid(-picture_logit).mean()


def fooling_loss(picture_logit: Tensor) -> Tensor:
    """The generator's side of equation 1, as -E[log D(x, G(x))]: same fixed point, but steep where D is sure.

    So do Goodfellow et al. 2014, Isola et al. 2016 (pix2pix) and the authors' code.
    """
    return -functional.logsigmoid(picture_logit).mean()


def likeness_loss(truth: Tensor, picture: Tensor) -> Tensor:
    """Equation 2: ||y - G(x)||_1; of blurred pictures equation 3, without its weight."""
    return torch.abs(truth - picture).mean()


def sparsity_loss(picture: Tensor) -> Tensor:
    """Equation 4: ||G(x)||_1, without its weight."""
    return torch.abs(picture).mean()


def blurred(maps: Tensor, sigma: float = KERNEL_SIGMA, light: float = KERNEL_LIGHT) -> Tensor:
    """Equation 3's convolution of (batch, 1, height, width) maps with a Gaussian PSF; dark beyond the border."""
    steps = torch.arange(-_KERNEL_REACH, _KERNEL_REACH + 1, device=maps.device, dtype=maps.dtype)
    profile = torch.exp(-0.5 * (steps / sigma) ** 2)
    profile = profile * (math.sqrt(light) / profile.sum())
    along_x = functional.conv2d(maps, profile.view(1, 1, 1, -1), padding=(0, _KERNEL_REACH))
    return functional.conv2d(along_x, profile.view(1, 1, -1, 1), padding=(_KERNEL_REACH, 0))
