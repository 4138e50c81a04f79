"""A simulated recording of blinking fluorophores, with its truth.

    photons = background + spots (Gaussian, integrated over pixels)
    counts  = round((Poisson(photons) + read noise) / gain + offset), clipped

Every random choice comes from one generator that is passed in: the same seed gives the same recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom
from scipy.special import erf

from cellstorm.chunks import Counts
from cellstorm.scoring import TRUTH, Truth
from cellstorm_models.structures import Structure, place

_MIN_SHARE = 0.02  # of a frame; less light than this is not worth a row of truth


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """What is imaged, through which optics, by which camera."""

    frames: int = 500
    width: int = 128
    height: int = 128
    pixel_size_nm: float = 100.0
    structure: Structure = "mixed"
    fluorophores: int = 3000
    emitters_per_frame: float = 17.0  # mean number that shine in a frame, partly on ones included
    on_time_frames: float = 2.0  # mean of an exponential distribution
    photons: float = 1000.0  # of an emitter that is on throughout a frame: median
    photon_spread: float = 0.0  # standard deviation of its logarithm, between blinks
    psf_sigma_px: float = 1.4
    background_photons: float = 10.0  # per pixel, mean
    background_unevenness: float = 0.3  # relative standard deviation, over the image
    vignetting: float = 0.0  # share of light that is lost in the corners
    gain: float = 0.69  # e- per count
    offset: float = 4.1  # counts
    read_noise: float = 2.5  # e-
    bit_depth: int = 8


@dataclass(frozen=True, slots=True)
class Recording:
    """What the camera gave, and what was there."""

    counts: Counts  # (frames, height, width)
    truth: Truth  # sorted by frame
    background: NDArray[np.float32]  # (height, width) expected counts without any emitter, offset included


@dataclass(frozen=True, slots=True)
class _Spots:
    """(n,) each: light of one emitter in one frame."""

    frame: NDArray[np.intp]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    photons: NDArray[np.float64]
    on: NDArray[np.float64]


def simulate(config: SimulationConfig, rng: np.random.Generator) -> Recording:
    """A recording of blinking fluorophores."""
    illumination = _illumination(config)
    spots = _dim(_blink(config, rng), illumination)
    background = _background(config, rng) * illumination
    expected = _render(config, spots) + background
    return Recording(
        counts=_camera(config, expected, rng),
        truth=_truth(config, spots),
        background=(background / config.gain + config.offset).astype(np.float32),
    )


def _blink(config: SimulationConfig, rng: np.random.Generator) -> _Spots:
    """Events start at any time, not only when a frame does: an event's first and last frames are partly lit."""
    positions = place(config.structure, config.fluorophores, config.width, config.height, rng)
    lead = 5.0 * config.on_time_frames  # events under way when the recording starts
    rate = config.emitters_per_frame / (config.on_time_frames + 1.0)
    events = rng.poisson(rate * (config.frames + lead))
    start = rng.uniform(-lead, config.frames, events)
    stop = start + rng.exponential(config.on_time_frames, events)
    where = positions[rng.integers(0, len(positions), events)]
    photons = config.photons * np.exp(config.photon_spread * rng.standard_normal(events))

    first = np.floor(start).astype(np.intp)
    lengths = np.floor(stop).astype(np.intp) - first + 1
    event = np.repeat(np.arange(events), lengths)
    frame = first[event] + np.arange(len(event)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    on = np.minimum(stop[event], frame + 1) - np.maximum(start[event], frame)
    keep = np.flatnonzero((frame >= 0) & (frame < config.frames) & (on > _MIN_SHARE))
    keep = keep[np.argsort(frame[keep], kind="stable")]
    event = event[keep]
    return _Spots(frame[keep], where[event, 0], where[event, 1], photons[event] * on[keep], on[keep])


def _illumination(config: SimulationConfig) -> NDArray[np.float64]:
    """(height, width) share of light that arrives; falls with the squared distance from the centre."""
    y = np.linspace(-1, 1, config.height)[:, np.newaxis]
    x = np.linspace(-1, 1, config.width)
    return np.asarray(1.0 - config.vignetting * (x**2 + y**2) / 2)


def _dim(spots: _Spots, illumination: NDArray[np.float64]) -> _Spots:
    height, width = illumination.shape
    row = np.clip(np.rint(spots.y_px), 0, height - 1).astype(np.intp)
    column = np.clip(np.rint(spots.x_px), 0, width - 1).astype(np.intp)
    return _Spots(spots.frame, spots.x_px, spots.y_px, spots.photons * illumination[row, column], spots.on)


def _background(config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """(height, width) photons: a smooth random field, as out-of-focus light makes it."""
    coarse = rng.standard_normal((5, 5))
    field = zoom(coarse, (config.height / 5, config.width / 5), order=3, mode="nearest", grid_mode=True)
    return np.asarray(config.background_photons * np.clip(1.0 + config.background_unevenness * field, 0.15, None))


def _render(config: SimulationConfig, spots: _Spots) -> NDArray[np.float64]:
    """(frames, height, width) photons of all spots."""
    radius = int(np.ceil(4.0 * config.psf_sigma_px)) + 1
    steps = np.arange(-radius, radius + 1)
    # drawn on a canvas with a margin, so that no patch needs clipping
    rows = np.rint(spots.y_px).astype(np.intp)[:, np.newaxis] + steps
    columns = np.rint(spots.x_px).astype(np.intp)[:, np.newaxis] + steps
    light_y = _pixel_share(rows - spots.y_px[:, np.newaxis], config.psf_sigma_px)
    light_x = _pixel_share(columns - spots.x_px[:, np.newaxis], config.psf_sigma_px)
    patches = (spots.photons[:, np.newaxis] * light_y)[:, :, np.newaxis] * light_x[:, np.newaxis, :]

    margin = radius + 1
    height, width = config.height + 2 * margin, config.width + 2 * margin
    row_index = spots.frame[:, np.newaxis] * height + rows + margin
    flat = row_index[:, :, np.newaxis] * width + (columns + margin)[:, np.newaxis, :]
    canvas = np.bincount(flat.ravel(), patches.ravel(), minlength=config.frames * height * width)
    return np.asarray(canvas.reshape(config.frames, height, width)[:, margin:-margin, margin:-margin])


def _pixel_share(distance_px: NDArray[np.float64], sigma_px: float) -> NDArray[np.float64]:
    """A Gaussian's integral over pixels whose centres are `distance_px` from its own, in one dimension."""
    scale = np.sqrt(2.0) * sigma_px
    return np.asarray(0.5 * (erf((distance_px + 0.5) / scale) - erf((distance_px - 0.5) / scale)))


def _camera(config: SimulationConfig, expected: NDArray[np.float64], rng: np.random.Generator) -> Counts:
    electrons = rng.poisson(expected) + config.read_noise * rng.standard_normal(expected.shape, np.float32)
    counts = np.rint(electrons / config.gain + config.offset)
    limited = np.clip(counts, 0, 2**config.bit_depth - 1)
    return limited.astype(np.uint8) if config.bit_depth <= 8 else limited.astype(np.uint16)


def _truth(config: SimulationConfig, spots: _Spots) -> Truth:
    truth = np.zeros(len(spots.frame), TRUTH)
    truth["frame"] = spots.frame
    truth["x_nm"] = spots.x_px * config.pixel_size_nm
    truth["y_nm"] = spots.y_px * config.pixel_size_nm
    truth["photons"] = spots.photons
    truth["on"] = spots.on
    return truth
