"""Where fluorophores sit: structures to image, as positions in pixels."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Structure = Literal["filaments", "star", "rings", "vesicles", "uniform", "mixed"]
STRUCTURES: tuple[Structure, ...] = get_args(Structure)

Positions = NDArray[np.float64]
"""(n, 2) x and y in pixels; the centre of pixel (0, 0) is (0, 0)."""


def place(structure: Structure, count: int, width: int, height: int, rng: np.random.Generator) -> Positions:
    """`count` fluorophores on `structure`, all inside the image."""
    if structure == "mixed":
        # a Siemens star in the middle and filaments around it, as a sample for people to look at
        star = count * 2 // 5
        parts = [place("star", star, width, height, rng), place("filaments", count - star, width, height, rng)]
        return np.concatenate(parts)
    make = {"filaments": _filaments, "star": _star, "rings": _rings, "vesicles": _vesicles, "uniform": _uniform}[
        structure
    ]
    positions = make(count, min(width, height), rng)
    size = np.array([width, height], float)
    # each shape is drawn in the unit square; what leaves the image comes in again on the other side
    return np.asarray(np.mod(positions, 1.0) * size - 0.5)


def place_on(picture: NDArray[np.floating], count: int, width: int, height: int, rng: np.random.Generator) -> Positions:
    """`count` fluorophores where a (rows, columns) picture is bright, in proportion; it fills four fifths of the image.

    Raises
    ------
    ValueError
        If nothing in it is above zero.
    """
    rows, columns = picture.shape
    light = np.maximum(picture, 0.0).astype(np.float64)
    if not light.any():
        raise ValueError("nothing in the picture is bright")
    row, column = np.divmod(rng.choice(light.size, count, p=(light / light.sum()).ravel()), columns)
    within = rng.random((count, 2))  # anywhere in its pixel
    scale = 0.8 * min(width / columns, height / rows)
    from_middle = np.stack([column + within[:, 0] - columns / 2, row + within[:, 1] - rows / 2], axis=1)
    return np.asarray(scale * from_middle + np.array([width, height]) / 2 - 0.5)


def _uniform(count: int, side_px: int, rng: np.random.Generator) -> Positions:
    return rng.random((count, 2))


def _filaments(count: int, side_px: int, rng: np.random.Generator) -> Positions:
    """Six curved lines through the image, a pixel's fifth wide."""
    filament = rng.integers(0, 6, count)
    along = rng.uniform(-0.5, 0.5, count)
    angle = rng.uniform(0, np.pi, 6)[filament]
    centre = rng.uniform(0.25, 0.75, (6, 2))[filament]
    bend = rng.normal(0, 0.12, 6)[filament] * np.cos(2 * np.pi * along * rng.uniform(0.4, 1.2, 6)[filament])
    across = bend + rng.normal(0, 0.2 / side_px, count)
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    return np.asarray(centre + np.stack([x, y], axis=1))


def _star(count: int, side_px: int, rng: np.random.Generator) -> Positions:
    """A Siemens star of nine spokes, evenly filled."""
    radius = 0.38 * np.sqrt(rng.uniform(0.02, 1.0, count))
    angle = 2 * np.pi / 9 * (rng.integers(0, 9, count) + rng.uniform(0, 0.5, count))
    return np.asarray(0.5 + radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _rings(count: int, side_px: int, rng: np.random.Generator) -> Positions:
    """Small rings of four pixels' diameter or more, scattered."""
    rings = 20
    ring = rng.integers(0, rings, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = (rng.uniform(2, 8, rings) / side_px)[ring]
    centre = rng.uniform(0.1, 0.9, (rings, 2))[ring]
    return np.asarray(centre + radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _vesicles(count: int, side_px: int, rng: np.random.Generator) -> Positions:
    """Small shells of six pixels' diameter or more, scattered, seen from above: filled, with a brighter rim."""
    vesicles = 20
    vesicle = rng.integers(0, vesicles, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    height = rng.uniform(-1, 1, count)  # evenly on a sphere (Archimedes)
    radius = (rng.uniform(3, 8, vesicles) / side_px)[vesicle] * np.sqrt(1 - height**2)
    centre = rng.uniform(0.1, 0.9, (vesicles, 2))[vesicle]
    return np.asarray(centre + radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
