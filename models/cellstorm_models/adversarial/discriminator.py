"""The discriminator: a PatchGAN (Isola et al. 2016), which judges patches of 70 pixels, each for itself."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_LEAK: Final = 0.2


class PatchGan(nn.Module):
    """Says of a frame and a picture, patch by patch, whether the picture is the truth."""

    def __init__(self, filters: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, filters, 4, stride=2, padding=1),
            nn.LeakyReLU(_LEAK),
            *_layer(filters, 2 * filters, stride=2),
            *_layer(2 * filters, 4 * filters, stride=2),
            *_layer(4 * filters, 8 * filters, stride=1),
            nn.Conv2d(8 * filters, 1, 4, padding=1),
        )

    def forward(self, seen: Tensor, picture: Tensor) -> Tensor:
        """(batch, 1, height, width) each, at least 24 pixels a side, to (batch, 1, rows, columns) logits."""
        logit: Tensor = self.layers(torch.cat([seen, picture], dim=1))
        return logit.float()


def _layer(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    """Normalised over each picture alone, where the original normalises over the batch."""
    convolution = nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1)
    return convolution, nn.InstanceNorm2d(outputs, affine=True), nn.LeakyReLU(_LEAK)
