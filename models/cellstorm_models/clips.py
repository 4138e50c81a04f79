"""Training data: short simulated clips of every kind that a generator may meet, most of them through H.264.

A clip depends on the run's seed and the clip's number alone, so that a run can be repeated and resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cellstorm.scoring import CARE_ON
from cellstorm_models.compression import Compression, Preset, compress
from cellstorm_models.simulation import SimulationConfig, simulate
from cellstorm_models.structures import Structure

CLIP_FRAMES = 40
CLIP_SIDE_PX = 96
_REFERENCE_PIXELS = 128 * 128  # densities are drawn for such a frame


@dataclass(frozen=True, slots=True)
class Clip:
    """What a receiver sees, and what was there."""

    counts: NDArray[np.uint8] | NDArray[np.uint16]  # (frames, height, width)
    background: NDArray[np.float32]  # (height, width) counts
    emitters: NDArray[np.float32]  # (n, 5) frame, x, y in pixels, signal in counts, 1 to care or 0
    psf_sigma_px: float


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows of three frames and the truth of their middle ones."""

    windows: NDArray[np.float32]  # (batch, 3, height, width) counts
    background: NDArray[np.float32]  # (batch, height, width) counts
    emitters: NDArray[np.float32]  # (n, 6) window, x, y in pixels, signal in counts, 1 to care or 0, PSF sigma


def make_clip(seed: int, number: int) -> Clip:
    """The clip of that number, of the run with that seed."""
    rng = np.random.default_rng([seed, number])
    config = _draw_config(rng)
    recording = simulate(config, rng)
    counts = recording.counts
    if config.bit_depth == 8 and rng.random() < 0.92:
        counts = compress(counts.astype(np.uint8), _draw_compression(rng, empty=config.emitters_per_frame == 0.0))
    truth = recording.truth
    columns = (
        truth["frame"],
        truth["x_nm"] / config.pixel_size_nm,
        truth["y_nm"] / config.pixel_size_nm,
        truth["photons"] / config.gain,
        truth["on"] >= CARE_ON,
    )
    return Clip(counts, recording.background, np.stack(columns, axis=1).astype(np.float32), config.psf_sigma_px)


def _draw_config(rng: np.random.Generator) -> SimulationConfig:
    sigma = rng.uniform(0.95, 2.0)
    photons = _log_uniform(rng, 50, 2000)
    background = _log_uniform(rng, 3, 40)
    deep = rng.random() < 0.08
    # light enough reaches one pixel to saturate it now and then, rarely more
    brightest = 1.5 * background + photons / (2 * np.pi * sigma**2) * rng.uniform(1.0, 1.8)
    gain = _log_uniform(rng, 0.02, 2.0) if deep else max(_log_uniform(rng, 0.2, 1.5), brightest / 240)
    density = 0.0 if rng.random() < 0.12 else _log_uniform(rng, 2, 60)
    return SimulationConfig(
        frames=CLIP_FRAMES,
        width=CLIP_SIDE_PX,
        height=CLIP_SIDE_PX,
        structure=cast(Structure, str(rng.choice(["uniform", "filaments", "star", "rings"], p=[0.4, 0.25, 0.1, 0.25]))),
        fluorophores=int(_log_uniform(rng, 60, 3000)),
        emitters_per_frame=density * CLIP_SIDE_PX**2 / _REFERENCE_PIXELS,
        on_time_frames=_log_uniform(rng, 1, 4),
        photons=photons,
        photon_spread=rng.uniform(0, 0.6),
        psf_sigma_px=sigma,
        background_photons=background,
        background_unevenness=rng.uniform(0, 0.35),
        vignetting=rng.uniform(0, 0.4),
        gain=gain,
        offset=rng.uniform(90, 500) if deep else rng.uniform(0, 16),
        read_noise=rng.uniform(0.3, 3.5),
        bit_depth=16 if deep else 8,
    )


def _draw_compression(rng: np.random.Generator, *, empty: bool) -> Compression:
    """Empty clips are pressed harder: what the codec makes of noise alone looks most like molecules then."""
    by_rate = rng.random() < 0.5
    presets = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]
    return Compression(
        crf=int(rng.integers(24 if empty else 16, 35)),
        bits_per_pixel=_log_uniform(rng, 0.04, 0.15 if empty else 0.4) if by_rate else None,
        key_interval=int(rng.integers(10, 61)),
        preset=cast(Preset, str(rng.choice(presets, p=[0.1, 0.15, 0.25, 0.15, 0.1, 0.25]))),
        b_frames=2 if rng.random() < 0.1 else 0,
        low_latency=bool(rng.random() < 0.3),
        baseline=bool(rng.random() < 0.3),
        extra=(("aq-mode", str(rng.integers(0, 2))),) if rng.random() < 0.4 else (),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sample_windows(clips: list[Clip], count: int, side_px: int, rng: np.random.Generator) -> WindowBatch:
    """`count` windows from random clips, frames and places."""
    windows = np.empty((count, 3, side_px, side_px), np.float32)
    background = np.empty((count, side_px, side_px), np.float32)
    emitters = []
    for index in range(count):
        clip = clips[rng.integers(len(clips))]
        frames, height, width = clip.counts.shape
        frame = int(rng.integers(frames))
        top, left = int(rng.integers(height - side_px + 1)), int(rng.integers(width - side_px + 1))
        place = slice(top, top + side_px), slice(left, left + side_px)
        windows[index] = clip.counts[_context(frame, frames, rng)][(slice(None), *place)]
        background[index] = clip.background[place]
        emitters.append(_emitters_in(clip, index, frame, left, top, side_px))
    return WindowBatch(windows, background, np.concatenate(emitters))


def _context(frame: int, frames: int, rng: np.random.Generator) -> list[int]:
    """The frame and its neighbours; a neighbour is now and then the frame itself, as at a chunk's edge."""
    before = frame if frame == 0 or rng.random() < 0.04 else frame - 1
    after = frame if frame == frames - 1 or rng.random() < 0.04 else frame + 1
    return [before, frame, after]


def _emitters_in(clip: Clip, index: int, frame: int, left: int, top: int, side_px: int) -> NDArray[np.float32]:
    """(n, 6) rows of a WindowBatch: the emitters whose centres lie in the crop."""
    rows = clip.emitters[slice(*np.searchsorted(clip.emitters[:, 0], [frame, frame + 1]))]
    x, y = rows[:, 1] - left, rows[:, 2] - top
    here = (x >= -0.5) & (x < side_px - 0.5) & (y >= -0.5) & (y < side_px - 0.5)
    columns = (np.full_like(x, index), x, y, rows[:, 3], rows[:, 4], np.full_like(x, clip.psf_sigma_px))
    return np.stack(columns, axis=1)[here]
