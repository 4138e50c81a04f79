"""The localization table: one definition for memory, Redis, files, the wire and the documentation.

The centre of camera pixel (0, 0) of the region of interest is (0 nm, 0 nm); x runs to the right, y down; frames count
from 0. What other programs expect instead (half a pixel of shift, frames from 1, pixels) is their exporter's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Column(NamedTuple):
    """One column and what it is called in other programs ("" where they have no such column)."""

    name: str
    dtype: str
    unit: str
    meaning: str
    thunderstorm: str
    picasso: str


COLUMNS: Final = (
    Column("frame", "<u4", "", "frame index, 0 for the first frame; gaps are lost frames", "frame", "frame"),
    Column("x_nm", "<f4", "nm", "position, to the right from the centre of pixel (0, 0)", "x [nm]", "x"),
    Column("y_nm", "<f4", "nm", "position, downwards from the centre of pixel (0, 0)", "y [nm]", "y"),
    Column("photons", "<f4", "photon", "signal above background, of the whole spot", "intensity [photon]", "photons"),
    Column("background_photons", "<f4", "photon", "background per camera pixel", "offset [photon]", "bg"),
    Column("precision_nm", "<f4", "nm", "estimated error of x and of y, one sigma", "uncertainty_xy [nm]", "lpx"),
    Column("psf_sigma_nm", "<f4", "nm", "width of the spot, one sigma", "sigma [nm]", "sx"),
    Column("probability", "<f4", "", "that there is an emitter, 0 to 1, by the generator", "", "probability"),
)

LOCALIZATION: Final = np.dtype([(column.name, column.dtype) for column in COLUMNS])
"""One row: packed, little-endian, 32 bytes."""

Localizations = NDArray[np.void]
"""(n,) structured array of LOCALIZATION."""


def empty() -> Localizations:
    """A table without rows."""
    return np.zeros(0, LOCALIZATION)


def concatenate(tables: Iterable[Localizations]) -> Localizations:
    """All rows of `tables`, in their order; an empty table when there are none."""
    present = [table for table in tables if len(table)]
    return np.concatenate(present) if present else empty()


def to_bytes(table: Localizations) -> bytes:
    """Rows as they travel: 32 bytes each, in the order of COLUMNS."""
    return np.ascontiguousarray(table, LOCALIZATION).tobytes()


def from_bytes(data: bytes) -> Localizations:
    """The inverse of `to_bytes`; a read-only view of `data`.

    Raises
    ------
    ValueError
        If the length is not a multiple of a row's 32 bytes.
    """
    return np.frombuffer(data, LOCALIZATION)
