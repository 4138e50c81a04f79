"""Reading rapidSTORM's text files: one line of XML that names the columns, then numbers between spaces.

Positions and frames count as ours do. Files found in the wild tell it: their headers give frames from `0 fr`, and
positions from 0 to 255 pixels of 128.3 and of 158 nm, the centres of the first and the last of 256.
Amplitudes are counts, and left out: photons need a camera. Widths are full widths at half maximum.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import numpy as np

from cellstorm.errors import InvalidInput
from cellstorm.results.imported import NM_PER_UNIT, ImportedTable, Values, assemble, read_numbers

PROGRAM: Final = "rapidSTORM"
START: Final = "<localizations"
_MAX_HEADER: Final = 2**16

# Not for an XML parser: what stands there is of one form, and a parser would follow entities of a hostile file.
_FIELD: Final = re.compile(r"<field\s([^<>]*)>")
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_SIGMAS_PER_FWHM: Final = 1 / (2 * math.sqrt(2 * math.log(2)))

_LENGTHS: Final = {
    "x_nm": (("Position-0-0",), 1.0),
    "y_nm": (("Position-1-0",), 1.0),
    "precision_nm": (("Position-0-0-uncertainty", "Position-1-0-uncertainty"), 1.0),
    "psf_sigma_nm": (("PSFWidth-0-0", "PSFWidth-1-0"), _SIGMAS_PER_FWHM),
}
"""Fields whose mean is a column of ours, and the factor to it."""
_PHOTONS: Final = {"photons": "Amplitude-0-0", "background_photons": "LocalBackground-0-0"}
_FRAME: Final = "ImageNumber-0-0"


def read(path: Path, pixel_size_nm: float | None = None) -> ImportedTable:
    """The table in `path`; the pixel size is handed on and not needed.

    Raises
    ------
    InvalidInput
        If it is no such table, holds tracks or is damaged.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline(_MAX_HEADER)
        if START not in header:
            raise InvalidInput(f"{path.name} does not start with rapidSTORM's header; export it anew")
        if header.count(START) > 1:
            raise InvalidInput(f"{path.name} holds tracks; export the localizations themselves")
        fields = _fields(header)
        missing = [name for name in (_FRAME, "Position-0-0", "Position-1-0") if name not in fields]
        if missing:
            raise InvalidInput(f"{path.name} lacks the field {missing[0]}; export it with positions and frame numbers")
        rows = read_numbers(file, path.name, range(len(fields)), None)
    return ImportedTable(assemble(path.name, _columns(path.name, fields, rows)), pixel_size_nm, PROGRAM)


def _fields(header: str) -> dict[str, tuple[int, str]]:
    """Place and unit of each column."""
    found = [dict(_ATTRIBUTE.findall(field)) for field in _FIELD.findall(header)]
    return {field.get("identifier", ""): (place, field.get("unit", "")) for place, field in enumerate(found)}


def _columns(name: str, fields: dict[str, tuple[int, str]], rows: Values) -> dict[str, Values]:
    columns = {"frame": rows[:, fields[_FRAME][0]]}
    for ours, (theirs, factor) in _LENGTHS.items():
        present = [fields[field] for field in theirs if field in fields]
        if present:
            in_nm = [rows[:, place] * _nm_per(name, unit) for place, unit in present]
            columns[ours] = np.mean(in_nm, axis=0) * factor
    for ours, field in _PHOTONS.items():
        place, unit = fields.get(field, (0, ""))
        if unit in ("photon", "photons"):
            columns[ours] = rows[:, place]
    return columns


def _nm_per(name: str, unit: str) -> float:
    try:
        return NM_PER_UNIT[unit]
    except KeyError as error:
        raise InvalidInput(f"{name}: the unit {unit!r} of a length is not known; export in nanometers") from error
