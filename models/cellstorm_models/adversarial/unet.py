"""The generator: a U-Net from one frame in counts to a picture in counts, on the same grid or a finer one.

Halving by strided convolutions, doubling by nearest-neighbour resizing and convolution, which leaves no checkerboard (Odena et
al. 2016). Four halvings see 22 camera pixels on the grid five times finer, more than a macroblock of H.264; what is
farther away tells nothing of a molecule. No layer normalises: across a batch, frames would depend on their neighbours; over
a frame, the noise of an empty one would be raised to what molecules are in others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellstorm.generator import OutputKind
from cellstorm_models.adversarial.config import Kind
from cellstorm_models.normalisation import local_mean, noise_scale

SIZE_MULTIPLE: Final = 16
"""Height and width in camera pixels must be multiples of it: four halvings."""
UPSAMPLING: Final = 5

_HALVINGS: Final = 4
_LEAK: Final = 0.2
_MAP_UNIT: Final = 25.0  # of noise: the light of a faint molecule, which a pixel of a map may hold alone
_FRAME_UNIT: Final = 10.0  # of noise: a molecule's light is spread over many pixels of a frame
_DARK_LEAK: Final = 0.01
"""A map's slope below zero. With softplus, training ended in black pictures; without any bend, in noise between molecules."""
_FIRST_LIGHT: Final = 0.04
"""Of a map's unit, everywhere in the first step's map. Of four seeds that began at nothing, two fell below zero, where the slope
is least, within 500 steps, and their maps stayed black; of those that began so, none did."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Frames taken apart, each by itself: counts = background + scale * contrast."""

    contrast: Tensor  # (batch, 1, height, width)
    background: Tensor  # (batch, 1, height, width) counts, smooth
    scale: Tensor  # (batch, 1, 1, 1) counts, of the noise

    @classmethod
    def of(cls, counts: Tensor) -> Frame:
        """Of (batch, 1, height, width) counts."""
        background = local_mean(counts)
        scale = noise_scale(counts)
        return cls((counts - background) / scale, background, scale)


class FrameNet(nn.Module):
    """`pix2pix` or `enhance`."""

    def __init__(self, kind: Kind, filters: int = 32) -> None:
        super().__init__()
        self.output: Final[OutputKind] = "map" if kind == "pix2pix" else "frames"
        self.upsampling: Final = UPSAMPLING if kind == "pix2pix" else 1
        self.unet = UNet(filters, _FIRST_LIGHT if self.output == "map" else 0.0)
        self._refine: Tensor
        self.register_buffer("_refine", _linear_weights(self.upsampling), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """(batch, 1, height, width) counts to what GeneratorSpec says of `output`, in counts."""
        frame = Frame.of(windows)
        picture = self.picture(self.seen(frame))
        if self.output == "map":
            return frame.scale * functional.relu(picture)
        return frame.background + frame.scale * picture

    def seen(self, frame: Frame) -> Tensor:
        """The contrast on the grid of the output: what generator and discriminator look at, the paper's x."""
        if self.upsampling == 1:
            return frame.contrast
        padded = functional.pad(frame.contrast, (1, 1, 1, 1), mode="replicate")
        return functional.pixel_shuffle(functional.conv2d(padded, self._refine), self.upsampling)

    def picture(self, seen: Tensor) -> Tensor:
        """The paper's G(x), in units of the frame's noise; in a map, next to no negative light."""
        raw: Tensor = self.unet(seen)
        return _MAP_UNIT * functional.leaky_relu(raw, _DARK_LEAK) if self.output == "map" else _FRAME_UNIT * raw


class UNet(nn.Module):
    """(batch, 1, height, width) to likewise; near `first_light` everywhere before it has learned."""

    def __init__(self, filters: int, first_light: float = 0.0) -> None:
        super().__init__()
        widths = [filters << level for level in range(_HALVINGS)]
        self.falls = nn.ModuleList(_fall(*pair) for pair in zip([1, *widths[:-1]], widths, strict=True))
        self.bottom = _convolution(widths[-1], widths[-1])
        # what is skipped to a level doubles what rises to it, but at the bottom
        inputs = [widths[-1], *(2 * width for width in reversed(widths[:-1]))]
        outputs = [*reversed(widths[:-1]), filters // 2]
        self.rises = nn.ModuleList(_convolution(*pair) for pair in zip(inputs, outputs, strict=True))
        self.fine = _convolution(filters // 2 + 1, filters // 2)
        self.last = nn.Conv2d(filters // 2, 1, 3, padding=1)
        _start(self, first_light)

    def forward(self, seen: Tensor) -> Tensor:
        skipped = []
        features = seen
        for fall in self.falls:
            features = fall(features)
            skipped.append(features)
        features = self.bottom(skipped.pop())
        for rise in self.rises:
            features = rise(functional.interpolate(features, scale_factor=2.0, mode="nearest"))
            # the frame itself is the last skip: half-size features alone know too little of single pixels
            features = torch.cat([features, skipped.pop() if skipped else seen], dim=1)
        features = self.fine(features)
        with torch.autocast(seen.device.type, enabled=False):  # eight bits of mantissa would show in the light
            picture: Tensor = self.last(features.float())
        return picture


def _fall(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(_LEAK))


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())


def _start(net: UNet, first_light: float) -> None:
    """He's initialisation; the last layer starts near `first_light`."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        net.last.weight.mul_(0.01)
        assert net.last.bias is not None
        net.last.bias.fill_(first_light)


def _linear_weights(upsampling: int) -> Tensor:
    """(upsampling squared, 1, 3, 3) shares of a pixel and its neighbours in each of its parts: bilinear interpolation.

    A runtime's own resizing reckons with coordinates of the whole image: in a large one, runtimes differ by over 1e-4.
    """
    place = (torch.arange(upsampling) + 0.5) / upsampling - 0.5  # from the pixel's centre
    along = torch.stack([functional.relu(-place), 1.0 - place.abs(), functional.relu(place)], dim=1)
    return torch.einsum("ai,bj->abij", along, along).reshape(-1, 1, 3, 3)
