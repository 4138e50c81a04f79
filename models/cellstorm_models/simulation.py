"""A simulated recording of blinking fluorophores, with its truth.

    photons = background + spots
    counts  = (Poisson(photons) + read noise) / gain + offset, then the phone's image processor, rounded and clipped

Every random choice comes from one generator that is passed in: the same seed gives the same recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from cellstorm.chunks import Counts
from cellstorm.scoring import TRUTH, Truth
from cellstorm_models.image_processor import ImageProcessor
from cellstorm_models.instability import Instability
from cellstorm_models.optics import STRAY_SIGMA_PX, Optics, Spots, event_sigmas, render
from cellstorm_models.structures import Positions, Structure, place, place_on

_MIN_SHARE: Final = 0.02  # of a frame; less light than this is not worth a row of truth
_NEAR: Final = 1.03  # of the image's half size; emitters that drift further out are gone
_HOT_COUNTS: Final = (20.0, 150.0)
_STRUCTURE_BLUR_PX: Final = 3.0  # out-of-focus light keeps no finer detail


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """What is imaged, through which optics, by which camera."""

    frames: int = 500
    width: int = 128
    height: int = 128
    pixel_size_nm: float = 100.0
    structure: Structure = "mixed"
    fluorophores: int = 3000
    emitters_per_frame: float = (
        17.0  # mean number that shine in a frame, partly on ones included; before any has bleached
    )
    on_time_frames: float = 2.0  # mean of an exponential distribution
    bleaching_frames: float | None = None  # mean of an exponential distribution: when a fluorophore is gone for good
    photons: float = 1000.0  # of an emitter that is on throughout a frame: median
    photon_spread: float = 0.0  # standard deviation of its logarithm, between blinks
    psf_sigma_px: float = 1.4
    background_photons: float = 10.0  # per pixel, mean
    background_unevenness: float = 0.3  # relative standard deviation, over the image
    background_structure: float = 0.0  # share of it that is a blurred image of the structure
    vignetting: float = 0.0  # share of light that is lost in the corners
    gain: float = 0.69  # e- per count
    offset: float = 4.1  # counts
    read_noise: float = 2.5  # e-
    bit_depth: int = 8
    pixel_gain_spread: float = 0.0  # fixed pattern: relative standard deviation of pixels' gains
    pixel_offset_spread: float = 0.0  # likewise of their offsets, counts
    hot_pixels: int = 0  # in all; each adds up to _HOT_COUNTS
    optics: Optics = field(default_factory=Optics)
    instability: Instability = field(default_factory=Instability)
    processor: ImageProcessor = field(default_factory=ImageProcessor)


@dataclass(frozen=True, slots=True)
class Recording:
    """What the camera gave, and what was there."""

    counts: Counts  # (frames, height, width)
    truth: Truth  # sorted by frame; emitters in focus alone
    signal_counts: NDArray[np.float64]  # (n,) light of each row of truth in the video's counts
    sigma_px: NDArray[np.float64]  # (n,) width of each one's spot, in the video's pixels
    background: NDArray[
        np.float32
    ]  # (1 if it never changes, else frames; height, width) expected counts without emitters


def simulate(
    config: SimulationConfig, rng: np.random.Generator, picture: NDArray[np.floating] | None = None
) -> Recording:
    """A recording of blinking fluorophores; where a (rows, columns) picture is bright, in place of the structure."""
    order = config.processor.frame_order(config.frames, rng)
    height, width = config.processor.sensor_size(config.height, config.width)
    sensor = replace(config, frames=int(order[-1]) + 1, height=height, width=width)
    illumination = _illumination(sensor)
    if picture is None:
        positions = place(sensor.structure, sensor.fluorophores, width, height, rng)
    else:
        positions = place_on(picture, sensor.fluorophores, width, height, rng)
    spots = _dim(_blink(sensor, positions, rng), illumination)
    share = sensor.instability.share_of_light(sensor.frames)
    spots = replace(spots, photons=spots.photons * share[spots.frame])
    background = _background(sensor, positions, rng) * illumination * share[:, np.newaxis, np.newaxis]
    expected = render(spots, sensor.optics, sensor.frames, height, width) + background
    counts = _readout(sensor, expected, rng)[order]
    spots = _in_order(spots.where(_is_true(sensor, spots)), order)
    quiet = _levels(sensor, background)
    quiet = quiet[order] if len(quiet) > 1 else quiet
    share = sensor.instability.share_of_counts(sensor.frames)[order]
    return Recording(
        counts=_video(config, counts),
        truth=_truth(config, spots),
        signal_counts=_signal_counts(config, spots, quiet, share),
        sigma_px=spots.sigma_px * config.processor.scale,
        background=_processed(config, quiet),
    )


def _blink(config: SimulationConfig, positions: Positions, rng: np.random.Generator) -> Spots:
    """Events start at any time, not only when a frame does: an event's first and last frames are partly lit."""
    lead = 5.0 * config.on_time_frames  # events under way when the recording starts
    rate = config.emitters_per_frame / (config.on_time_frames + 1.0)
    events = rng.poisson(rate * (config.frames + lead))
    start = rng.uniform(-lead, config.frames, events)
    stop = start + rng.exponential(config.on_time_frames, events)
    fluorophore = rng.integers(0, len(positions), events)
    if config.bleaching_frames is not None:
        stop = np.minimum(stop, rng.exponential(config.bleaching_frames, len(positions))[fluorophore])
        alive = stop > start
        start, stop, fluorophore = start[alive], stop[alive], fluorophore[alive]
    events = len(start)
    where = positions[fluorophore]
    photons = config.photons * np.exp(config.photon_spread * rng.standard_normal(events))
    sigma_px = event_sigmas(config.optics, config.psf_sigma_px, events, rng)

    first = np.floor(start).astype(np.intp)
    lengths = np.floor(stop).astype(np.intp) - first + 1
    event = np.repeat(np.arange(events), lengths)
    frame = first[event] + np.arange(len(event)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    on = np.minimum(stop[event], frame + 1) - np.maximum(start[event], frame)
    keep = np.flatnonzero((frame >= 0) & (frame < config.frames) & (on > _MIN_SHARE))
    keep = keep[np.argsort(frame[keep], kind="stable")]
    event, frame = event[keep], frame[keep]
    drift_x, drift_y = config.instability.drift_px
    x, y = where[event, 0] + drift_x * frame, where[event, 1] + drift_y * frame
    spots = Spots(frame, x, y, photons[event] * on[keep], on[keep], sigma_px[event])
    return spots.where(np.maximum(np.abs(2 * x / config.width - 1), np.abs(2 * y / config.height - 1)) < _NEAR)


def _is_true(config: SimulationConfig, spots: Spots) -> NDArray[np.bool_]:
    """(n,) whether it is an emitter to find: in focus, its centre inside the image."""
    inside_x = (spots.x_px >= -0.5) & (spots.x_px <= config.width - 0.5)
    inside_y = (spots.y_px >= -0.5) & (spots.y_px <= config.height - 0.5)
    return inside_x & inside_y & (spots.sigma_px <= STRAY_SIGMA_PX)


def _in_order(spots: Spots, order: NDArray[np.intp]) -> Spots:
    """The spots of each frame of the video, which shows the sensor's frames in that order."""
    first, last = np.searchsorted(spots.frame, order), np.searchsorted(spots.frame, order + 1)
    lengths = last - first
    row = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    taken = Spots(*(getattr(spots, name)[row] for name in Spots.__slots__))
    return replace(taken, frame=np.repeat(np.arange(len(order)), lengths))


def _illumination(config: SimulationConfig) -> NDArray[np.float64]:
    """(height, width) share of light that arrives; falls with the squared distance from the centre."""
    y = np.linspace(-1, 1, config.height)[:, np.newaxis]
    x = np.linspace(-1, 1, config.width)
    return np.asarray(1.0 - config.vignetting * (x**2 + y**2) / 2)


def _at(image: NDArray[np.generic], spots: Spots) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the pixel that holds each spot's centre, or of the nearest one."""
    height, width = image.shape[-2:]
    row = np.clip(np.rint(spots.y_px), 0, height - 1).astype(np.intp)
    return row, np.clip(np.rint(spots.x_px), 0, width - 1).astype(np.intp)


def _dim(spots: Spots, illumination: NDArray[np.float64]) -> Spots:
    return replace(spots, photons=spots.photons * illumination[_at(illumination, spots)])


def _background(config: SimulationConfig, positions: Positions, rng: np.random.Generator) -> NDArray[np.float64]:
    """(1 or frames, height, width) photons: a smooth random field, as out-of-focus light makes it, may become another."""
    first = _field(config, rng)[np.newaxis]
    if config.background_structure > 0:
        first += config.background_structure * (_blurred(config, positions) - first)
    if config.instability.background == 0:
        return np.asarray(config.background_photons * first)
    new = config.instability.new_background(config.frames)[:, np.newaxis, np.newaxis]
    return np.asarray(config.background_photons * (first + new * (_field(config, rng) - first)))


def _field(config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    coarse = rng.standard_normal((5, 5))
    smooth = zoom(coarse, (config.height / 5, config.width / 5), order=3, mode="nearest", grid_mode=True)
    return np.asarray(np.clip(1.0 + config.background_unevenness * smooth, 0.15, None))


def _blurred(config: SimulationConfig, positions: Positions) -> NDArray[np.float64]:
    """(height, width) with mean 1: the structure as a widefield microscope shows it."""
    edges = [np.arange(side + 1) - 0.5 for side in (config.height, config.width)]
    image, _, _ = np.histogram2d(positions[:, 1], positions[:, 0], edges)
    image = gaussian_filter(image, _STRUCTURE_BLUR_PX)
    return np.asarray(image / image.mean())


def _levels(config: SimulationConfig, background: NDArray[np.float64]) -> NDArray[np.float32]:
    """(1 or frames, height, width) counts of the sensor without emitters or noise."""
    if not config.instability.changes_background:
        return (background[:1] / config.gain + config.offset).astype(np.float32)
    return _in_counts(config, background).astype(np.float32)


def _in_counts(config: SimulationConfig, electrons: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, height, width) counts, not rounded."""
    offset = config.offset + config.instability.added_offset(config.frames)
    counts = electrons / config.gain + offset[:, np.newaxis, np.newaxis]
    return np.asarray(counts * config.instability.share_of_counts(config.frames)[:, np.newaxis, np.newaxis])


def _readout(config: SimulationConfig, expected: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(frames, height, width) counts as the sensor has them, not rounded."""
    electrons = rng.poisson(expected) + config.read_noise * rng.standard_normal(expected.shape, np.float32)
    size = expected.shape[1:]
    if config.pixel_gain_spread > 0:
        electrons *= 1.0 + config.pixel_gain_spread * rng.standard_normal(size)
    counts = _in_counts(config, electrons)
    if config.pixel_offset_spread > 0:
        counts += config.pixel_offset_spread * rng.standard_normal(size)
    if config.hot_pixels > 0:
        row, column = (rng.integers(0, side, config.hot_pixels) for side in size)
        counts[:, row, column] += rng.uniform(*_HOT_COUNTS, config.hot_pixels)
    return counts


def _video(config: SimulationConfig, counts: NDArray[np.float64]) -> Counts:
    """(frames, height, width) what the encoder is given."""
    if config.processor != ImageProcessor():
        scaled = config.processor.resample(counts.astype(np.float32), config.height, config.width)
        counts = config.processor.tone(config.processor.filter(scaled)).astype(float)
    limited = np.clip(np.rint(counts), 0, 2**config.bit_depth - 1)
    return limited.astype(np.uint8) if config.bit_depth <= 8 else limited.astype(np.uint16)


def _processed(config: SimulationConfig, quiet: NDArray[np.float32]) -> NDArray[np.float32]:
    """The background as the video shows it."""
    return config.processor.tone(config.processor.resample(quiet, config.height, config.width))


def _signal_counts(
    config: SimulationConfig, spots: Spots, quiet: NDArray[np.float32], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) sums over the spots in the video, as small ones on their background have them."""
    frame = spots.frame if len(quiet) > 1 else np.zeros_like(spots.frame)
    slope = config.processor.slope(quiet[(frame, *_at(quiet, spots))])
    return np.asarray(spots.photons / config.gain * share[spots.frame] * config.processor.scale**2 * slope)


def _truth(config: SimulationConfig, spots: Spots) -> Truth:
    truth = np.zeros(len(spots.frame), TRUTH)
    truth["frame"] = spots.frame
    truth["x_nm"] = config.processor.to_video_px(spots.x_px) * config.pixel_size_nm
    truth["y_nm"] = config.processor.to_video_px(spots.y_px) * config.pixel_size_nm
    truth["photons"] = spots.photons
    truth["on"] = spots.on
    return truth
