"""How a point of light looks on the sensor: round, elongated, with a halo, in focus or not.

A spot is drawn as one or two Gaussians. That is not an optical model, but it spans what a phone on an eyepiece does to
a point: astigmatism makes it longer than wide, spherical aberration takes light from its core to a halo, depth widens it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

STRAY_SIGMA_PX: Final = 2.6
"""Light wider than this is background, not an emitter: the rule by which training data are labelled."""

_DEEPEST: Final = 1.5  # an emitter's width over the width in focus, at most
_MARGIN_PX: Final = 4  # how far outside of the image, beyond its reach, a spot may lie


@dataclass(frozen=True, slots=True)
class Optics:
    """What the optics do beyond a round Gaussian spot; the defaults do nothing."""

    axis_ratio: float = 1.0  # of a spot's two widths
    angle: float = 0.0  # of its longer axis to the x axis, radians
    halo_share: float = 0.0  # of light that lies in a wider Gaussian
    halo_width: float = 2.0  # over that of the core
    depth_spread: float = 0.0  # emitters are wider than in focus by so much: scale of half a normal distribution
    stray_share: float = 0.0  # of events that lie far out of focus: wide, and no emitters in the truth


@dataclass(frozen=True, slots=True)
class Spots:
    """(n,) each: light of one emitter in one frame, sorted by frame."""

    frame: NDArray[np.intp]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    photons: NDArray[np.float64]
    on: NDArray[np.float64]  # share of the frame
    sigma_px: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> Self:
        return type(self)(*(getattr(self, name)[mask] for name in self.__slots__))


def event_sigmas(optics: Optics, sigma_px: float, events: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(events,) widths; those over STRAY_SIGMA_PX are out of focus."""
    sigmas = np.full(events, sigma_px)
    if optics.depth_spread > 0:
        deeper = 1.0 + optics.depth_spread * np.abs(rng.standard_normal(events))
        sigmas = np.minimum(sigmas * np.minimum(deeper, _DEEPEST), STRAY_SIGMA_PX)
    if optics.stray_share > 0:
        stray = rng.random(events) < optics.stray_share
        wide = np.maximum(1.05 * STRAY_SIGMA_PX, sigma_px * rng.uniform(2.0, 4.0, events))
        sigmas = np.where(stray, wide, sigmas)
    return sigmas


def render(spots: Spots, optics: Optics, frames: int, height: int, width: int) -> NDArray[np.float64]:
    """(frames, height, width) photons of all spots."""
    is_stray = spots.sigma_px > STRAY_SIGMA_PX
    focused, stray = spots.where(~is_stray), spots.where(is_stray)
    core = replace(focused, photons=focused.photons * (1.0 - optics.halo_share))
    halo_light = focused.photons * optics.halo_share
    halo = replace(focused, photons=halo_light, sigma_px=focused.sigma_px * optics.halo_width)
    image = np.zeros((frames, height, width))
    # each kind apart, as the widest spot sets the size of all patches
    for part, axis_ratio in ((core, optics.axis_ratio), (halo, 1.0), (stray, 1.0)):
        if part.photons.any():
            image += _gaussians(part, axis_ratio, optics.angle, image.shape)
    return image


def _gaussians(spots: Spots, axis_ratio: float, angle: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One Gaussian for each spot, drawn on a canvas with a margin, so that no patch needs clipping."""
    frames, height, width = shape
    radius = int(np.ceil(4.0 * spots.sigma_px.max() * np.sqrt(axis_ratio))) + 1
    steps = np.arange(-radius, radius + 1)
    rows = np.rint(spots.y_px).astype(np.intp)[:, np.newaxis] + steps
    columns = np.rint(spots.x_px).astype(np.intp)[:, np.newaxis] + steps
    dy, dx = rows - spots.y_px[:, np.newaxis], columns - spots.x_px[:, np.newaxis]
    patches = _round(dx, dy, spots) if axis_ratio == 1.0 else _elongated(dx, dy, spots, axis_ratio, angle)

    margin = radius + _MARGIN_PX
    tall, broad = height + 2 * margin, width + 2 * margin
    row_index = spots.frame[:, np.newaxis] * tall + rows + margin
    flat = row_index[:, :, np.newaxis] * broad + (columns + margin)[:, np.newaxis, :]
    canvas = np.bincount(flat.ravel(), patches.ravel(), minlength=frames * tall * broad)
    return np.asarray(canvas.reshape(frames, tall, broad)[:, margin:-margin, margin:-margin])


def _round(dx: NDArray[np.float64], dy: NDArray[np.float64], spots: Spots) -> NDArray[np.float64]:
    """(n, side, side) photons: a round Gaussian, integrated over pixels."""
    light_y = spots.photons[:, np.newaxis] * _pixel_share(dy, spots.sigma_px[:, np.newaxis])
    light_x = _pixel_share(dx, spots.sigma_px[:, np.newaxis])
    return np.asarray(light_y[:, :, np.newaxis] * light_x[:, np.newaxis, :])


def _elongated(
    dx: NDArray[np.float64], dy: NDArray[np.float64], spots: Spots, axis_ratio: float, angle: float
) -> NDArray[np.float64]:
    """(n, side, side) photons: a Gaussian at any angle, wider by a pixel's own variance in place of an integral."""
    stretch = np.sqrt(axis_ratio)
    long, short = ((spots.sigma_px * factor) ** 2 + 1 / 12 for factor in (stretch, 1 / stretch))
    cosine, sine = np.cos(angle), np.sin(angle)
    xx = cosine**2 / long + sine**2 / short
    yy = sine**2 / long + cosine**2 / short
    xy = cosine * sine * (1 / long - 1 / short)
    square = (
        (xx[:, np.newaxis] * dx**2)[:, np.newaxis, :]
        + (yy[:, np.newaxis] * dy**2)[:, :, np.newaxis]
        + 2 * xy[:, np.newaxis, np.newaxis] * dx[:, np.newaxis, :] * dy[:, :, np.newaxis]
    )
    peak = spots.photons / (2 * np.pi * np.sqrt(long * short))
    return np.asarray(peak[:, np.newaxis, np.newaxis] * np.exp(-0.5 * square))


def _pixel_share(distance_px: NDArray[np.float64], sigma_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian's integral over pixels whose centres are `distance_px` from its own, in one dimension."""
    scale = np.sqrt(2.0) * sigma_px
    return np.asarray(0.5 * (erf((distance_px + 0.5) / scale) - erf((distance_px - 0.5) / scale)))
