"""Training data: short simulated clips of every kind that a generator may meet, most of them through H.264.

A clip depends on the run's seed and the clip's number alone, so that a run can be repeated and resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from cellstorm.scoring import CARE_ON
from cellstorm_models.browser_encoder import compress_by
from cellstorm_models.simulation import simulate
from cellstorm_models.variety import EVERYTHING, Variety, draw_recipe

CLIP_FRAMES = 64
"""Long enough for what a codec carries along from one key frame to a distant next one."""
CLIP_SIDE_PX = 96
_EMPTY_TRIES = 8
"""Windows of an empty clip that are looked at, for the one with the brightest bump: one in thousands has what a codec carries from
frame to frame as if it were a molecule, and chance alone would show too few of them."""
_EDGE = 0.025
"""Chance that a chunk begins at a given frame, or ends there; with the clip's own ends, chunks of some 25 frames, as live ones are."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What a receiver sees, and what was there."""

    counts: NDArray[np.uint8] | NDArray[np.uint16]  # (frames, height, width)
    background: NDArray[np.float32]  # (1 if it never changes, else frames; height, width) counts
    emitters: NDArray[np.float32]  # (n, 6) frame, x, y in pixels, signal in counts, 1 to care or 0, PSF sigma


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows of a few frames and the truth of their middle ones."""

    windows: NDArray[np.float32]  # (batch, context_frames, height, width) counts
    background: NDArray[np.float32]  # (batch, height, width) counts
    emitters: NDArray[np.float32]  # (n, 6) window, x, y in pixels, signal in counts, 1 to care or 0, PSF sigma


def make_clip(seed: int, number: int, variety: Variety = EVERYTHING) -> Clip:
    """The clip of that number, of the run with that seed."""
    rng = np.random.default_rng([seed, number])
    recipe = draw_recipe(variety, CLIP_FRAMES, CLIP_SIDE_PX, rng)
    recording = simulate(recipe.simulation, rng)
    counts = recording.counts
    for encoder in recipe.encoders:
        counts = compress_by(encoder, counts.astype(np.uint8, copy=False))
    truth, pixel_size_nm = recording.truth, recipe.simulation.pixel_size_nm
    columns = (
        truth["frame"],
        truth["x_nm"] / pixel_size_nm,
        truth["y_nm"] / pixel_size_nm,
        recording.signal_counts,
        truth["on"] >= CARE_ON,
        recording.sigma_px,
    )
    return Clip(counts, recording.background, np.stack(columns, axis=1).astype(np.float32))


def sample_windows(
    clips: list[Clip], count: int, side_px: int, rng: np.random.Generator, *, context_frames: int
) -> WindowBatch:
    """`count` windows from random clips, frames and places."""
    windows = np.empty((count, context_frames, side_px, side_px), np.float32)
    background = np.empty((count, side_px, side_px), np.float32)
    emitters = []
    for index in range(count):
        clip = clips[rng.integers(len(clips))]
        frame, top, left = _corner(clip, side_px, rng)
        place = slice(top, top + side_px), slice(left, left + side_px)
        frames = _context(frame, len(clip.counts), context_frames // 2, rng)
        windows[index] = clip.counts[frames][(slice(None), *place)]
        background[index] = clip.background[min(frame, len(clip.background) - 1)][place]
        emitters.append(_emitters_in(clip, index, frame, left, top, side_px))
    return WindowBatch(windows, background, np.concatenate(emitters))


def _corner(clip: Clip, side_px: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Frame, row and column of a window's corner; of an empty clip rather where there is a bump."""
    tries = 1 if len(clip.emitters) else _EMPTY_TRIES
    return max((_somewhere(clip, side_px, rng) for _ in range(tries)), key=partial(_bump, clip, side_px))


def _somewhere(clip: Clip, side_px: int, rng: np.random.Generator) -> tuple[int, int, int]:
    frames, height, width = clip.counts.shape
    return (
        int(rng.integers(frames)),
        int(rng.integers(height - side_px + 1)),
        int(rng.integers(width - side_px + 1)),
    )


def _bump(clip: Clip, side_px: int, corner: tuple[int, int, int]) -> float:
    """Counts by which the brightest spot of a window is brighter than most of it."""
    frame, top, left = corner
    smooth = uniform_filter(clip.counts[frame, top : top + side_px, left : left + side_px].astype(np.float32), 3)
    return float(smooth.max() - np.median(smooth))


def _context(frame: int, frames: int, reach: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """The frame amid its neighbours; now and then a chunk begins or ends among them, whose edge then repeats itself."""
    first, last = 0, frames - 1
    if rng.random() < _EDGE * reach:
        first = max(first, frame - int(rng.integers(reach)))
    if rng.random() < _EDGE * reach:
        last = min(last, frame + int(rng.integers(reach)))
    return np.clip(np.arange(frame - reach, frame + reach + 1), first, last)


def _emitters_in(clip: Clip, index: int, frame: int, left: int, top: int, side_px: int) -> NDArray[np.float32]:
    """(n, 6) rows of a WindowBatch: the emitters whose centres lie in the crop."""
    rows = clip.emitters[slice(*np.searchsorted(clip.emitters[:, 0], [frame, frame + 1]))]
    x, y = rows[:, 1] - left, rows[:, 2] - top
    here = (x >= -0.5) & (x < side_px - 0.5) & (y >= -0.5) & (y < side_px - 0.5)
    columns = (np.full_like(x, index), x, y, rows[:, 3], rows[:, 4], rows[:, 5])
    return np.stack(columns, axis=1)[here]
