"""Localizations as ThunderSTORM's CSV: frames from 1, and the centre of pixel (0, 0) half a pixel from the origin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from cellstorm.errors import InvalidInput
from cellstorm.localizations import COLUMNS, Localizations
from cellstorm.results.imported import (
    NM_PER_UNIT,
    ImportedTable,
    Values,
    assemble,
    checked_pixel_size_nm,
    from_zero,
    half_pixel_nm,
    read_numbers,
)

PROGRAM: Final = "ThunderSTORM"

_NAMES: Final = {column.name: column.thunderstorm for column in COLUMNS}
HEADER: Final = (
    "id",
    _NAMES["frame"],
    _NAMES["x_nm"],
    _NAMES["y_nm"],
    _NAMES["psf_sigma_nm"],
    _NAMES["photons"],
    _NAMES["background_photons"],
    "bkgstd [photon]",
    _NAMES["precision_nm"],
)
"""Of ThunderSTORM's development branch, which Picasso asks for."""
HEADER_1_3: Final = (*HEADER[:-1], "uncertainty [nm]")
"""Of its release 1.3 (2014), the one that most people have; Picasso refuses it."""

_ROW: Final = "%d,%d" + ",%.3f" * 7 + "\n"
_BATCH_ROWS: Final = 16384
"""Rows that are turned into text at once: some 10 MiB."""


def text(localizations: Localizations, pixel_size_nm: float, header: tuple[str, ...] = HEADER) -> Iterator[bytes]:
    """The file, piece by piece, with one of the two headers.

    `bkgstd`, the background's standard deviation, is the square root of `background_photons`: photons obey Poisson.
    """
    yield (",".join(f'"{name}"' for name in header) + "\n").encode()
    for start in range(0, len(localizations), _BATCH_ROWS):
        batch = localizations[start : start + _BATCH_ROWS]
        rows = np.column_stack(
            (
                np.arange(start + 1, start + len(batch) + 1),
                batch["frame"].astype(np.float64) + 1,
                batch["x_nm"] + pixel_size_nm / 2,
                batch["y_nm"] + pixel_size_nm / 2,
                batch["psf_sigma_nm"],
                batch["photons"],
                batch["background_photons"],
                np.sqrt(np.maximum(batch["background_photons"], 0)),
                batch["precision_nm"],
            )
        )
        # One formatting of many rows takes a third of the time that many of one row take.
        lines = _ROW * len(batch) % tuple(rows.reshape(-1).tolist())
        # as Java spells what is not known, or beyond all bounds: ThunderSTORM reads nothing else
        yield lines.replace("nan", "NaN").replace("inf", "Infinity").encode()


def write(path: Path, localizations: Localizations, pixel_size_nm: float, header: tuple[str, ...] = HEADER) -> None:
    """Write the table to `path`."""
    with path.open("wb") as file:
        file.writelines(text(localizations, pixel_size_nm, header))


_MAX_HEADER: Final = 2**16


class _Theirs(NamedTuple):
    """What one of our columns may be called there, and in which unit we want it."""

    names: tuple[str, ...]
    unit: str


_THEIRS: Final = {
    "frame": _Theirs(("frame",), ""),
    "x_nm": _Theirs(("x",), "nm"),
    "y_nm": _Theirs(("y",), "nm"),
    "photons": _Theirs(("intensity",), "photon"),
    "background_photons": _Theirs(("offset",), "photon"),
    "precision_nm": _Theirs(("uncertainty_xy", "uncertainty"), "nm"),  # the latter in release 1.3
    "psf_sigma_nm": _Theirs(("sigma", "sigma1"), "nm"),
}
_SECOND_SIGMA: Final = "sigma2"
"""Of an astigmatic spot; its width is then the geometric mean."""


def header_of(line: str) -> dict[str, tuple[int, str]]:
    """Columns by name, with their place and unit, of a header with any quoting; empty where it is no such header."""
    cells = [cell.strip() for cell in line.replace('"', "").strip().split(",")]
    parts = [cell.removesuffix("]").partition(" [") for cell in cells]
    columns = {name: (place, unit) for place, (name, _, unit) in enumerate(parts)}
    has_units = all(name in columns and columns[name][1] for name in ("x", "y"))
    return columns if has_units and "frame" in columns else {}


def read(path: Path, pixel_size_nm: float | None = None) -> ImportedTable:
    """The table in `path`; intensities that are not in photons are left out.

    Picasso writes this format, too, with bare names in the header, frames from 0, and positions from the first pixel's centre.

    Raises
    ------
    InvalidInput
        If it is no such table, is damaged, or the pixel size is not known.
    """
    half_nm = half_pixel_nm(path.name, PROGRAM, pixel_size_nm)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = file.readline(_MAX_HEADER)
        header = header_of(names)
        if not header:
            raise InvalidInput(f"{path.name} has no ThunderSTORM header with frame, x [nm] and y [nm]; export it anew")
        rows = read_numbers(file, path.name, range(1 + max(place for place, _ in header.values())), ",")
    columns = _in_our_units(path.name, header, rows, pixel_size_nm)
    is_picassos = '"' not in names and len(rows) > 0 and columns["frame"].min() == 0
    if not is_picassos:
        for axis in ("x_nm", "y_nm"):
            columns[axis] = columns[axis] - half_nm
    columns["frame"] = from_zero(columns["frame"])
    return ImportedTable(assemble(path.name, columns), pixel_size_nm, "Picasso" if is_picassos else PROGRAM)


def _in_our_units(
    name: str, header: dict[str, tuple[int, str]], rows: Values, pixel_size_nm: float | None
) -> dict[str, Values]:
    columns = {}
    for ours, theirs in _THEIRS.items():
        place, unit = next((header[alias] for alias in theirs.names if alias in header), (None, ""))
        if place is None or (theirs.unit == "photon" and unit != "photon"):
            continue
        scale = _scale_nm(name, unit, pixel_size_nm) if theirs.unit == "nm" else 1.0
        columns[ours] = rows[:, place] * scale
    if _SECOND_SIGMA in header and "psf_sigma_nm" in columns:
        place, unit = header[_SECOND_SIGMA]
        second_nm = rows[:, place] * _scale_nm(name, unit, pixel_size_nm)
        columns["psf_sigma_nm"] = np.sqrt(np.abs(columns["psf_sigma_nm"] * second_nm))
    return columns


def _scale_nm(name: str, unit: str, pixel_size_nm: float | None) -> float:
    if unit == "px":
        return checked_pixel_size_nm(name, PROGRAM, pixel_size_nm)
    try:
        return NM_PER_UNIT[unit]
    except KeyError as error:
        raise InvalidInput(f"{name}: the unit [{unit}] is not known; export lengths in nm") from error
