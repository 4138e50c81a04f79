"""The generator: from a window of frames in counts to emitters, at camera resolution.

A small U-Net of three levels. Normalisation is part of it and looks at one window alone (normalisation.py). There is no batch
normalisation, hence a frame's result never depends on its neighbours in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellstorm_models.normalisation import local_mean, noise_scale

SIZE_MULTIPLE: Final = 8
"""Height and width must be multiples of it: two halvings, and the grid of local means."""

_RAW_CHANNELS: Final = 9
_REACH_PX: Final = 1.5  # how far from a pixel's centre it may place an emitter
_MIN_SIGMA: Final = 0.01  # pixels, or relative
_SIGMA_SPAN: Final = 5.6  # of its logarithm: up to 2.7
_LOG_SIGNAL_START: Final = 4.5  # of signal over scale, for a spot that one just sees


@dataclass(frozen=True, slots=True)
class Emitters:
    """(batch, height, width) each: the network's word on every pixel, in the units of EMITTER_CHANNELS."""

    logit: Tensor  # of the probability
    dx: Tensor
    dy: Tensor
    log_signal: Tensor  # of signal over `scale`
    background: Tensor
    sigma_x: Tensor
    sigma_y: Tensor
    sigma_log_signal: Tensor  # for the loss alone
    psf_sigma: Tensor
    scale: Tensor  # (batch, 1, 1) counts

    def stacked(self) -> Tensor:
        """(batch, 8, height, width) in the order of EMITTER_CHANNELS."""
        signal = self.scale * torch.exp(self.log_signal)
        channels = (
            torch.sigmoid(self.logit),
            self.dx,
            self.dy,
            signal,
            self.background,
            self.sigma_x,
            self.sigma_y,
            self.psf_sigma,
        )
        return torch.stack(channels, dim=1)


class EmitterNet(nn.Module):
    """Predicts emitters in the middle one of a few frames."""

    def __init__(self, channels: int = 16, context_frames: int = 3) -> None:
        super().__init__()
        self.context_frames = context_frames
        one, two, three = channels, 2 * channels, 4 * channels
        self.encode_1 = nn.Sequential(*_conv(context_frames + 1, one), *_conv(one, one))
        self.encode_2 = nn.Sequential(*_conv(one, two), *_conv(two, two))
        self.encode_3 = nn.Sequential(*_conv(two, three), *_conv(three, three), *_conv(three, three))
        self.rise_3 = nn.Conv2d(three, two, 1)
        self.decode_2 = nn.Sequential(*_conv(two, two), *_conv(two, two))
        self.rise_2 = nn.Conv2d(two, one, 1)
        self.decode_1 = nn.Sequential(*_conv(one, one), *_conv(one, one))
        self.head = nn.Sequential(*_conv(one, one))
        self.read = nn.Conv2d(one, _RAW_CHANNELS, 1)
        _start(self)

    def forward(self, windows: Tensor) -> Tensor:
        """(batch, context_frames, height, width) float32 counts to (batch, 8, height, width)."""
        return self.emitters(windows).stacked()

    def emitters(self, windows: Tensor) -> Emitters:
        """Likewise, with what the loss needs besides."""
        local = local_mean(windows)
        above = windows - local
        scale = noise_scale(windows)
        features = self._unet(torch.cat([above / scale, torch.log(scale).expand_as(local)], dim=1))
        with torch.autocast(windows.device.type, enabled=False):  # eight bits of mantissa would show in the positions
            raw = self.read(features.float())
        return _read_channels(raw, local[:, 0], scale[:, 0])

    def _unet(self, features: Tensor) -> Tensor:
        level_1 = self.encode_1(features)
        level_2 = self.encode_2(functional.max_pool2d(level_1, 2))
        level_3 = self.encode_3(functional.max_pool2d(level_2, 2))
        level_2 = self.decode_2(level_2 + _double(self.rise_3(level_3)))
        level_1 = self.decode_1(level_1 + _double(self.rise_2(level_2)))
        features_1: Tensor = self.head(level_1)
        return features_1


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()


def _double(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


def _start(net: EmitterNet) -> None:
    """He's initialisation; the output layer starts near "no emitter, nothing known"."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    assert net.read.bias is not None
    with torch.no_grad():
        net.read.weight.mul_(0.1)
        net.read.bias[0] = -6.0


def _read_channels(raw: Tensor, local: Tensor, scale: Tensor) -> Emitters:
    return Emitters(
        logit=raw[:, 0],
        dx=_REACH_PX * torch.tanh(raw[:, 1]),
        dy=_REACH_PX * torch.tanh(raw[:, 2]),
        log_signal=torch.clamp(_LOG_SIGNAL_START + raw[:, 3], -4.0, 14.0),
        background=local + scale * raw[:, 4],
        sigma_x=_sigma(raw[:, 5]),
        sigma_y=_sigma(raw[:, 6]),
        sigma_log_signal=_sigma(raw[:, 7]),
        psf_sigma=torch.exp(torch.clamp(0.35 + raw[:, 8], -2.0, 2.0)),
        scale=scale,
    )


def _sigma(raw: Tensor) -> Tensor:
    return _MIN_SIGMA * torch.exp(_SIGMA_SPAN * torch.sigmoid(raw))
