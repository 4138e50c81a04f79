"""What a table of another program becomes here, and the checks that all readers share.

Positions, frames and units are this project's once a reader has returned: the centre of camera pixel (0, 0) is
(0 nm, 0 nm), frames count from 0, lengths are nm, signals are photons. What a table does not tell is NaN, never a guess.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from cellstorm.errors import InvalidInput
from cellstorm.localizations import LOCALIZATION, Localizations

Values = NDArray[np.float64]

NM_PER_UNIT: Final = {
    "pm": 1e-3,
    "angstrom": 0.1,
    "nm": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "mm": 1e6,
    "m": 1e9,
    "nanometer": 1.0,
    "micrometer": 1e3,
    "meter": 1e9,
}
"""`µm` is written with the micro sign or with the Greek letter."""

_LARGEST: Final = float(np.finfo(np.float32).max)
_REQUIRED: Final = ("frame", "x_nm", "y_nm")


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """Localizations that another program may have made.

    Attributes
    ----------
    localizations
        In the file's order; NaN where the file does not tell.
    pixel_size_nm
        Camera pixel in the sample plane; None where neither file nor caller tells.
    program
        Whose format it is.
    field_px
        Width and height of the images that it comes from, in camera pixels; None where the file does not tell.
    """

    localizations: Localizations
    pixel_size_nm: float | None
    program: str
    field_px: tuple[int, int] | None = None


def assemble(name: str, columns: Mapping[str, Values]) -> Localizations:
    """A table of `columns`, each (n,) in this project's words and units; the file's `name` is for messages.

    Raises
    ------
    InvalidInput
        If a position or a frame is not a number, or a frame is none that a table can hold.
    """
    for required in _REQUIRED:
        wrong = np.flatnonzero(~(np.abs(columns[required]) < _LARGEST))
        if len(wrong):
            raise InvalidInput(f"{name}: localization {wrong[0] + 1} has no {required}; remove such rows and try again")
    frames = np.rint(columns["frame"])
    if len(frames) and not (frames.min() >= 0 and frames.max() < 2**32):
        raise InvalidInput(
            f"{name}: frames run from {frames.min():.0f} to {frames.max():.0f} when counted from 0; correct its frame column"
        )
    table = np.zeros(len(frames), LOCALIZATION)
    with np.errstate(over="ignore", invalid="ignore"):  # of what is no position: infinite, or not a number
        for column in LOCALIZATION.names or ():
            table[column] = frames if column == "frame" else columns.get(column, np.nan)
    return table


def read_numbers(file: TextIO, name: str, columns: Sequence[int], delimiter: str | None) -> Values:
    """(n, len(columns)) numbers from the rest of a text file; `delimiter` None for white space.

    Raises
    ------
    InvalidInput
        If a row is not as the others.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data", UserWarning)
        try:
            rows: Values = np.loadtxt(
                file, np.float64, comments=None, delimiter=delimiter, usecols=columns, ndmin=2, quotechar='"'
            )
        except ValueError as error:  # tells row and column
            raise InvalidInput(f"{name}: {error}; export the table anew") from error
    return rows.reshape(-1, len(columns))


def from_zero(frames: Values) -> Values:
    """Frames of a program that counts from 1; a frame 0 shows that this table does not."""
    return frames if len(frames) and frames.min() == 0 else frames - 1


def half_pixel_nm(name: str, program: str, pixel_size_nm: float | None) -> float:
    """The shift from a program's corner of pixel (0, 0) to its centre.

    Raises
    ------
    InvalidInput
        If the pixel size is not known.
    """
    return checked_pixel_size_nm(name, program, pixel_size_nm) / 2


def checked_pixel_size_nm(name: str, program: str, pixel_size_nm: float | None) -> float:
    """The pixel size.

    Raises
    ------
    InvalidInput
        If it is not known or is none.
    """
    if pixel_size_nm is None:
        raise InvalidInput(
            f"{name}: this {program} table does not tell the camera's pixel size, without which its positions are not certain; "
            "give it with --pixel-size NM"
        )
    if not 0 < pixel_size_nm < np.inf:
        raise InvalidInput(f"{name}: a pixel size of {pixel_size_nm:g} nm is impossible; give a positive --pixel-size")
    return pixel_size_nm
