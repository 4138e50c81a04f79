"""Images of localizations that are too large for memory, drawn window by window; and tiles of them at any zoom.

A window is drawn from the localizations whose kernels reach into it, so that pixel by pixel it is what the whole image
would be. Memory holds the localizations and one strip of the image, which is bounded, too, whatever the image's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import (
    MAX_OUTPUT_PIXELS,
    MAX_SCALE,
    Grid,
    Method,
    Reconstruction,
    Window,
    default_output_pixel_nm,
)

TILE: Final = 256
"""Side of a tile of the map of an image, in its pixels."""
STRIP_ROWS: Final = 512
"""Of a level, drawn at once."""
MAX_FILE_PIXELS: Final = 2**30
"""Of a file's full resolution: 4 GiB as float32."""
MIN_TILE_PIXEL_NM: Final = 0.5
_MIN_LEVEL_SIDE: Final = 512
_OVERVIEW_SIDE: Final = 2048

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of an image.

    Attributes
    ----------
    height, width
        In its pixels.
    pixel_nm
        Side of one of them.
    strips
        Its rows from the top, STRIP_ROWS at a time (the last strip may have fewer), float32; made anew with each call.
    """

    height: int
    width: int
    pixel_nm: float
    strips: Callable[[], Iterator[Image]]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Localizations and how they are to be drawn."""

    localizations: Localizations
    width_px: int
    height_px: int
    pixel_size_nm: float
    method: Method = "gaussian"

    def grid(self, output_pixel_nm: float) -> Grid:
        """The output pixels of its image."""
        return Grid(self.width_px, self.height_px, self.pixel_size_nm, output_pixel_nm)

    def draw(self, output_pixel_nm: float, window: Window) -> Image:
        """(window.height, window.width) localizations per output pixel."""
        blank = Reconstruction(
            self.width_px, self.height_px, self.pixel_size_nm, output_pixel_nm, self.method, window=window
        )
        return blank.add(self.localizations).image

    def levels(self, output_pixel_nm: float) -> list[Level]:
        """The image at full resolution, then at half of it, and so on, until it is small.

        All levels are drawn from the localizations, in localizations per pixel of the full resolution, so that a viewer
        that changes from one to another need not change its contrast.

        Raises
        ------
        InvalidSetting
            If the image would have more than MAX_FILE_PIXELS, or one of its strips more than MAX_OUTPUT_PIXELS.
        """
        grid = self.grid(output_pixel_nm)
        grid.check_fits(MAX_FILE_PIXELS)
        if grid.width * min(grid.height, STRIP_ROWS) > MAX_OUTPUT_PIXELS:
            least_nm = 1.01 * output_pixel_nm * grid.width * STRIP_ROWS / MAX_OUTPUT_PIXELS
            raise InvalidSetting(
                f"an image of {grid.width} pixels of {output_pixel_nm:g} nm beside each other is too wide; "
                f"choose larger pixels, at least {least_nm:.3g} nm"
            )
        return [self._level(output_pixel_nm, halvings) for halvings in range(self._halvings(output_pixel_nm) + 1)]

    def tile(self, zoom: int, column: int, row: int) -> Image:
        """(TILE, TILE) localizations per pixel, of a map whose zoom 0 shows the whole field in one tile.

        Each further zoom has twice as many tiles along each side; beyond the field they are empty.

        Raises
        ------
        InvalidSetting
            If there is no such tile, or its pixels would be too small.
        """
        pixel_nm = self.tile_pixel_nm(zoom)  # first: whoever asks may name any number as zoom
        if not (0 <= column < 2**zoom and 0 <= row < 2**zoom):
            raise InvalidSetting(f"zoom {zoom} has tiles 0 to {2**zoom - 1} along each side; choose one of them")
        return self.draw(pixel_nm, Window(column * TILE, row * TILE, TILE, TILE))

    def tile_pixel_nm(self, zoom: int) -> float:
        """Side of a tile's pixel.

        Raises
        ------
        InvalidSetting
            If it would be too small.
        """
        side_nm = max(self.width_px, self.height_px) * self.pixel_size_nm
        least_nm = max(MIN_TILE_PIXEL_NM, self.pixel_size_nm / MAX_SCALE)
        finest = max(0, math.floor(math.log2(side_nm / TILE / least_nm)))
        if not 0 <= zoom <= finest:
            raise InvalidSetting(f"zoom {zoom} is not there; choose one from 0 to {finest}")
        return float(side_nm / TILE / 2**zoom)

    def white_per_nm2(self, percentile: float) -> float:
        """The density, in localizations per nm², that `percentile` of the lit pixels of an overview do not exceed."""
        side_nm = max(self.width_px, self.height_px) * self.pixel_size_nm
        pixel_nm = max(default_output_pixel_nm(self.pixel_size_nm), side_nm / _OVERVIEW_SIDE)
        grid = self.grid(pixel_nm)
        overview = self.draw(pixel_nm, Window(0, 0, grid.width, grid.height))
        lit = overview[overview > 0]
        return float(np.percentile(lit, percentile)) / pixel_nm**2 if len(lit) else 1.0

    def _halvings(self, output_pixel_nm: float) -> int:
        grid = self.grid(output_pixel_nm)
        return _halvings(grid.height, grid.width)

    def _level(self, output_pixel_nm: float, halvings: int) -> Level:
        pixel_nm = output_pixel_nm * 2**halvings
        grid = self.grid(pixel_nm)
        return Level(grid.height, grid.width, pixel_nm, partial(self._strips, grid, 4.0**halvings))

    def _strips(self, grid: Grid, pixels_in_one: float) -> Iterator[Image]:
        for top in range(0, grid.height, STRIP_ROWS):
            rows = min(STRIP_ROWS, grid.height - top)
            strip = self.draw(grid.output_pixel_nm, Window(0, top, grid.width, rows))
            yield strip / np.float32(pixels_in_one)


def array_levels(image: Image, pixel_nm: float) -> list[Level]:
    """Likewise of a (height, width) image in memory: each level's pixels are the means of two by two of the one before."""
    levels = []
    for halvings in range(_halvings(*image.shape) + 1):
        if halvings:
            image = _halved(image)
        levels.append(Level(image.shape[0], image.shape[1], pixel_nm * 2**halvings, partial(_strips_of, image)))
    return levels


def highest(levels: Sequence[Level]) -> float:
    """The largest value at full resolution; 0 where all is dark."""
    return max((float(strip.max(initial=0)) for strip in levels[0].strips()), default=0.0)


def _halvings(height: int, width: int) -> int:
    return max(0, math.ceil(math.log2(max(height, width) / _MIN_LEVEL_SIDE / 2)))


def _halved(image: Image) -> Image:
    height, width = image.shape
    even = np.pad(image, ((0, height % 2), (0, width % 2)), mode="edge")
    half: Image = even.reshape(len(even) // 2, 2, -1, 2).mean(axis=(1, 3), dtype=np.float32)
    return half


def _strips_of(image: Image) -> Iterator[Image]:
    for top in range(0, len(image), STRIP_ROWS):
        yield image[top : top + STRIP_ROWS]
