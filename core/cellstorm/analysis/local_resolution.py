"""Where in the image the resolution is how fine: Fourier ring correlation of each tile by itself.

The halves are those of the whole recording, so that a tile is no better off for being small. A tile has few rings: its
figure scatters by some 10 % where the whole image's is certain, and where it cannot be told it is null rather than guessed.
"""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.curves import Gaps, with_gaps
from cellstorm.analysis.resolution import correlate, halves, typical_pixel_nm
from cellstorm.localizations import Localizations

MIN_LOCALIZATIONS: Final = 500
"""Of one tile."""
_MIN_TILE_NM: Final = 2000.0
_MAX_TILES: Final = 16
"""Along one side."""
_MIN_TILES: Final = 2
_MAX_TILE_SIDE: Final = 1024
"""Pixels along a tile in the histograms that are compared: of a wide field they are as coarse as that makes them, and so many tiles
cost seconds, not the quarter of an hour that 10 nm would."""


class LocalResolution(BaseModel):
    """Resolution by tile; row 0 is the top."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left_nm: float = Field(description="Of the first tile.")
    top_nm: float
    tile_nm: float = Field(description="Side of a tile.")
    resolution_nm: tuple[Gaps, ...] = Field(description="By row and column; null where it cannot be told.")
    median_nm: float | None = Field(description="Of the tiles that have one.")

    @classmethod
    def of(cls, table: Localizations, seed: int = 0) -> Self | None:
        """Of an (n,) table in any order; None where its localizations cover less than two tiles."""
        rows = table[np.isfinite(table["x_nm"]) & np.isfinite(table["y_nm"])]
        if len(rows) < MIN_LOCALIZATIONS:
            return None
        position = np.stack([rows["x_nm"], rows["y_nm"]], axis=1).astype(np.float64)
        low = position.min(axis=0)
        extent = position.max(axis=0) - low
        if not extent.any():
            return None
        tile_nm = float(extent.max()) / np.clip(extent.max() // _MIN_TILE_NM, 1, _MAX_TILES)
        columns, rows_of_tiles = (max(1, math.ceil(side / tile_nm - 1e-9)) for side in extent)
        if columns * rows_of_tiles < _MIN_TILES:
            return None
        place = np.minimum(((position - low) / tile_nm).astype(np.intp), (columns - 1, rows_of_tiles - 1))
        second, block_frames = halves(rows["frame"], seed)
        pixel_nm = max(typical_pixel_nm(rows), tile_nm / _MAX_TILE_SIDE)

        def of_tile(which: NDArray[np.intp], row: int, column: int) -> float:
            if len(which) < MIN_LOCALIZATIONS:
                return math.nan
            inside = np.clip(position[which] - low - (column * tile_nm, row * tile_nm), 0, tile_nm - 1e-3)
            found = correlate(inside, second[which], (tile_nm, tile_nm), pixel_nm, block_frames)
            return math.nan if found.resolution_nm is None else found.resolution_nm

        index = place[:, 1] * columns + place[:, 0]
        order = np.argsort(index, kind="stable")
        parts = np.split(order, np.searchsorted(index[order], np.arange(1, columns * rows_of_tiles)))
        found = [of_tile(part, *divmod(number, columns)) for number, part in enumerate(parts)]
        told = [value for value in found if math.isfinite(value)]
        return cls(
            left_nm=float(low[0]),
            top_nm=float(low[1]),
            tile_nm=tile_nm,
            resolution_nm=tuple(with_gaps(found[start : start + columns]) for start in range(0, len(found), columns)),
            median_nm=float(np.median(told)) if told else None,
        )
