"""Which files a table can become, by name: the same on the command line, over HTTP and in result folders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cellstorm.camera import Camera
from cellstorm.localizations import Localizations
from cellstorm.results import parquet, picasso, smlm, thunderstorm
from cellstorm.results.imported import ImportedTable, checked_pixel_size_nm
from cellstorm.results.picasso import TableInfo

TableFormat = Literal["thunderstorm", "thunderstorm-1.3", "picasso", "smlm", "parquet"]

SUFFIXES: Final[Mapping[TableFormat, str]] = {
    "thunderstorm": ".csv",
    "thunderstorm-1.3": ".csv",
    "picasso": ".hdf5",
    "smlm": ".smlm",
    "parquet": ".parquet",
}


@dataclass(frozen=True, slots=True, eq=False)
class TableFile:
    """A table and all that any of the formats wants to know of it.

    Attributes
    ----------
    localizations
        By frame.
    camera
        None where nobody knows with what it was filmed.
    origin
        Where it comes from, for formats that can hold notes.
    """

    localizations: Localizations
    info: TableInfo
    camera: Camera | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_imported(cls, name: str, table: ImportedTable) -> TableFile:
        """Of another program's table; where it does not tell the field's size, the localizations do.

        Raises
        ------
        InvalidInput
            If the pixel size is not known.
        """
        pixel_size_nm = checked_pixel_size_nm(name, table.program, table.pixel_size_nm)
        rows = table.localizations
        width_px, height_px = table.field_px or (_side_px(rows, axis, pixel_size_nm) for axis in ("x_nm", "y_nm"))
        frame_count = int(rows["frame"].max(initial=0)) + 1
        info = TableInfo(width_px, height_px, frame_count, pixel_size_nm)
        order = np.argsort(rows["frame"], kind="stable")
        return cls(rows[order], info, origin={"Imported from": f"{name} ({table.program})"})


def cropped(table: TableFile) -> tuple[TableFile, tuple[float, float]]:
    """The camera pixels that hold localizations as a field of their own, and x and y of its left upper corner, nm."""
    rows, info = table.localizations, table.info
    sides = []
    corner_nm = []
    moved = rows.copy()
    for axis in ("x_nm", "y_nm"):
        pixels = np.floor(rows[axis].astype(np.float64) / info.pixel_size_nm + 0.5)
        first, last = (int(pixels.min()), int(pixels.max())) if len(rows) else (0, 0)
        moved[axis] = rows[axis] - np.float32(first * info.pixel_size_nm)
        sides.append(last - first + 1)
        corner_nm.append((first - 0.5) * info.pixel_size_nm)
    smaller = replace(info, width_px=sides[0], height_px=sides[1])
    return replace(table, localizations=moved, info=smaller), (corner_nm[0], corner_nm[1])


def write_table(path: Path, table: TableFile, table_format: TableFormat) -> None:
    """Write `table` to `path`; Picasso's .yaml lies beside it afterwards."""
    rows, info = table.localizations, table.info
    if table_format == "picasso":
        picasso.write(path, rows, info, table.camera, table.origin)
    elif table_format == "smlm":
        smlm.write(path, rows, info)
    elif table_format == "parquet":
        parquet.write(path, rows, info, table.origin)
    else:
        header = thunderstorm.HEADER_1_3 if table_format == "thunderstorm-1.3" else thunderstorm.HEADER
        thunderstorm.write(path, rows, info.pixel_size_nm, header)


def _side_px(rows: Localizations, axis: str, pixel_size_nm: float) -> int:
    """Camera pixels from the first to the one in which the last localization lies."""
    return max(1, math.floor(float(rows[axis].max(initial=0)) / pixel_size_nm + 0.5) + 1)
