"""The likelihood of the truth under what the network says.

After DECODE (Speiser et al., Nature Methods 2021): the number of emitters follows a Poisson-binomial distribution, taken as
Gaussian with heavier tails; an emitter's position and brightness follow a mixture of the pixels' Gaussians, weighted by their
probabilities. A likelihood makes the stated uncertainties true, which a distance would not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cellstorm_models.clips import WindowBatch
from cellstorm_models.networks import Emitters

_PATCH: Final = 2  # pixels around an emitter's own that may speak for it
_LOST: Final = -12.0  # log-likelihood of an emitter that no pixel speaks for; bounds what one that nobody can see costs
_FAR_OFF: Final = (
    3.0  # standard deviations of the number of emitters, from where on its loss grows no faster than the error
)
_MIN_VARIANCE: Final = 0.05  # of the number of emitters; keeps an empty window's likelihood finite


@dataclass(frozen=True, slots=True)
class Targets:
    """A WindowBatch's truth as tensors; emitters to care for and not to care for."""

    background: Tensor  # (batch, height, width) counts
    care: Tensor  # (n, 6) as WindowBatch.emitters
    counted: Tensor  # (batch, height, width) 0 at emitters not to care for, else 1
    present: Tensor  # (batch, height, width) 1 in pixels that hold an emitter
    number: Tensor  # (batch,) emitters


@dataclass(frozen=True, slots=True)
class Losses:
    """Means per window."""

    count: Tensor
    position: Tensor
    pixel: Tensor
    background: Tensor
    psf: Tensor

    def total(self, pixel_weight: float) -> Tensor:
        return self.count + self.position + pixel_weight * self.pixel + 4.0 * self.background + self.psf


def to_targets(batch: WindowBatch, device: torch.device | None = None) -> Targets:
    """Of a batch of windows; on the processor where no device is named."""
    emitters = torch.from_numpy(batch.emitters)
    care, ignored = emitters[emitters[:, 4] > 0], emitters[emitters[:, 4] == 0]
    count, height, width = batch.background.shape
    counted = torch.ones(count, height, width)
    counted[_around(ignored, height, width, 1)[:3]] = 0.0
    counted[_around(care, height, width, 1)[:3]] = 1.0
    present = torch.zeros(count, height, width)
    present[_around(care, height, width, 0)[:3]] = 1.0
    number = torch.from_numpy(np.bincount(care[:, 0].long().numpy(), minlength=count)).float()
    parts = (torch.from_numpy(batch.background), care, counted, present, number)
    return Targets(*(part.to(device) for part in parts))


def _around(emitters: Tensor, height: int, width: int, radius: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(n, patch) each: window, row and column of pixels around emitters, clamped to the image, and whether they lie inside."""
    steps = torch.arange(-radius, radius + 1, device=emitters.device)
    row = torch.round(emitters[:, 2]).long()[:, None] + steps.repeat_interleave(len(steps))
    column = torch.round(emitters[:, 1]).long()[:, None] + steps.repeat(len(steps))
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    window = emitters[:, :1].long().expand_as(row)
    return window, row.clamp(0, height - 1), column.clamp(0, width - 1), inside


def emitter_losses(output: Emitters, targets: Targets) -> Losses:
    """All parts of the loss."""
    windows = len(targets.number)
    probability = torch.sigmoid(output.logit) * targets.counted
    expected = probability.sum(dim=(1, 2))
    variance = (probability * (1 - probability)).sum(dim=(1, 2)) + _MIN_VARIANCE
    count = _robust_square((targets.number - expected) / torch.sqrt(variance)) + 0.5 * torch.log(variance)
    pixel = functional.binary_cross_entropy_with_logits(output.logit, targets.present, reduction="none")
    background_error = (output.background - targets.background) / output.scale
    position, psf = _emitter_terms(output, targets.care, expected)
    return Losses(
        count=count.mean(),
        position=position.sum() / windows,
        pixel=(pixel * targets.counted).sum() / windows,
        background=functional.smooth_l1_loss(background_error, torch.zeros_like(background_error)),
        psf=psf.sum() / windows,
    )


def _emitter_terms(output: Emitters, care: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) negative log-likelihoods of positions and brightness, and (n,) errors of the PSF's width."""
    height, width = output.logit.shape[1:]
    window, row, column, inside = _around(care, height, width, _PATCH)
    here = (window, row, column)
    log_signal = torch.log(care[:, 3:4] / output.scale[window[:, 0], 0])
    log_density = (
        _log_gaussian(care[:, 1:2] - column, output.dx[here], output.sigma_x[here])
        + _log_gaussian(care[:, 2:3] - row, output.dy[here], output.sigma_y[here])
        + _log_gaussian(log_signal, output.log_signal[here], output.sigma_log_signal[here])
    )
    log_weight = functional.logsigmoid(output.logit[here]) - torch.log(expected[window] + 1e-3)
    joint = (log_weight + log_density).masked_fill(~inside, -torch.inf)
    likelihood = torch.logaddexp(torch.logsumexp(joint, dim=1), torch.full_like(joint[:, 0], _LOST))
    responsible = torch.softmax(joint.detach(), dim=1)
    width_error = functional.smooth_l1_loss(
        torch.log(output.psf_sigma[here]), torch.log(care[:, 5:6]).expand_as(joint), reduction="none", beta=0.1
    )
    return -likelihood, (responsible * width_error).sum(dim=1)


def _robust_square(error: Tensor) -> Tensor:
    """Half the square of small errors, but linear in large ones: one odd window must not throw the network off its way."""
    return _FAR_OFF**2 * (torch.sqrt(1.0 + (error / _FAR_OFF) ** 2) - 1.0)


def _log_gaussian(value: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    return -0.5 * ((value - mean) / sigma) ** 2 - torch.log(sigma) - 0.5 * float(np.log(2 * np.pi))
