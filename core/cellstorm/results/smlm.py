"""Localizations as .smlm 0.2.0 (ShareLoc): a ZIP of manifest.json and a table of packed little-endian rows.

The specification leaves the origin open. What most .smlm files come from, ThunderSTORM by its plugin, counts from the
left upper corner of pixel (0, 0) and its frames from 1, and so does `write`; the manifest says so, with the pixel size,
in an entry of our own, which the format permits. The same table gives the same bytes: nothing tells when, where or by
whom it was written (report.json does).

https://github.com/imodpasteur/smlm-file-format/blob/master/specification.md
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellstorm.errors import InvalidInput
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.results.imported import NM_PER_UNIT, ImportedTable, Values, assemble, from_zero, half_pixel_nm
from cellstorm.results.picasso import TableInfo

PROGRAM: Final = ".smlm"
_MANIFEST: Final = "manifest.json"
_TABLE: Final = "table.bin"
_FORMAT: Final = "smlm-table(binary)"
_OURS: Final = "cellstorm"
_BATCH_ROWS: Final = 2**18
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP can name."""
_UNIX: Final = 3
_MAX_MANIFEST_BYTES: Final = 2**20
_DAMAGE: Final = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, RuntimeError),  # encrypted, or nested too deep
    *(KeyError, TypeError, ValueError, AttributeError, OverflowError),  # a manifest that is none
)
_DTYPES: Final = {
    f"{kind}{bits}": f"<{kind[0]}{bits // 8}"
    for kind, sizes in {"uint": (8, 16, 32, 64), "int": (8, 16, 32, 64), "float": (32, 64)}.items()
    for bits in sizes
}


class _Header(NamedTuple):
    """A column of the file, where it comes from, and its unit there."""

    name: str
    source: str
    dtype: str
    unit: str


_HEADERS: Final = (
    _Header("frame", "frame", "uint32", "frame"),
    _Header("x", "x_nm", "float32", "nm"),
    _Header("y", "y_nm", "float32", "nm"),
    _Header("intensity", "photons", "float32", "photon"),
    _Header("background", "background_photons", "float32", "photon"),
    _Header("x_precision", "precision_nm", "float32", "nm"),
    _Header("y_precision", "precision_nm", "float32", "nm"),
    _Header("sigma", "psf_sigma_nm", "float32", "nm"),  # the built-in `width` is a full width at half maximum in TSF
    _Header("probability", "probability", "float32", "1"),
)
_ROW: Final = np.dtype([(header.name, _DTYPES[header.dtype]) for header in _HEADERS])

_ALIASES: Final = {
    "frame": ("frame",),
    "x_nm": ("x", "x_position"),
    "y_nm": ("y", "y_position"),
    "photons": ("intensity", "photons"),
    "background_photons": ("background", "offset"),
    "precision_nm": ("x_precision", "uncertainty_xy", "uncertainty"),
    "psf_sigma_nm": ("sigma",),
    "probability": ("probability",),
}
"""What our columns are called by the specification, and by ThunderSTORM's plugin."""


def write(destination: Path | BinaryIO, localizations: Localizations, info: TableInfo) -> None:
    """Write the table, as small pieces whatever its length."""
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        manifest = json.dumps(_manifest(len(localizations), info), indent=1).encode()
        archive.writestr(_member(_MANIFEST, len(manifest)), manifest, compresslevel=1)
        with archive.open(_member(_TABLE, len(localizations) * _ROW.itemsize), "w") as table:
            for start in range(0, len(localizations), _BATCH_ROWS):
                table.write(_to_rows(localizations[start : start + _BATCH_ROWS], info.pixel_size_nm).tobytes())


def _member(name: str, size: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, _UNIX, 0o644 << 16
    member.file_size = size  # tells zipfile whether ZIP64 is needed
    return member


def _manifest(rows: int, info: TableInfo) -> dict[str, object]:
    columns = {
        "columns": len(_HEADERS),
        "headers": [header.name for header in _HEADERS],
        "dtype": [header.dtype for header in _HEADERS],
        "shape": [1] * len(_HEADERS),
        "units": [header.unit for header in _HEADERS],
    }
    table = {"name": _FORMAT, "type": "table", "mode": "binary", "extension": ".bin", **columns}
    file = {"name": _TABLE, "type": "table", "format": _FORMAT, "channel": "default", "rows": rows, "offset": {}}
    ours = {
        "pixel_size_nm": info.pixel_size_nm,
        "width_px": info.width_px,
        "height_px": info.height_px,
        "frame_count": info.frame_count,
        "origin": "left upper corner of pixel (0, 0), y down",
        "first_frame": 1,
    }
    return {
        "format_version": "0.2",
        "formats": {_FORMAT: table},
        "files": [file],
        "name": "cellSTORM localizations",
        "description": "Localizations of single molecules, made by cellSTORM",
        "tags": ["SMLM", "cellSTORM"],
        _OURS: ours,
    }


def _to_rows(localizations: Localizations, pixel_size_nm: float) -> NDArray[np.void]:
    rows = np.zeros(len(localizations), _ROW)
    for header in _HEADERS:
        rows[header.name] = localizations[header.source]
    for axis in ("x", "y"):
        rows[axis] = localizations[f"{axis}_nm"].astype(np.float64) + pixel_size_nm / 2
    rows["frame"] = localizations["frame"] + np.uint64(1)
    return rows


def read(path: Path, pixel_size_nm: float | None = None) -> ImportedTable:
    """The one table in an .smlm; `pixel_size_nm` where its manifest, not of our writing, does not tell it.

    Raises
    ------
    InvalidInput
        If it is damaged, holds no binary table or several, or the pixel size is not known.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path.name, pixel_size_nm)
    except _DAMAGE as error:
        raise InvalidInput(
            f"{path.name} is damaged or no .smlm 0.2 with one binary table ({error}); export it anew"
        ) from error


def _read(archive: zipfile.ZipFile, name: str, pixel_size_nm: float | None) -> ImportedTable:
    if archive.getinfo(_MANIFEST).file_size > _MAX_MANIFEST_BYTES:
        raise ValueError(f"its {_MANIFEST} is too long")
    manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
    if not str(manifest["format_version"]).startswith("0.2"):
        raise ValueError(f"version {manifest['format_version']}")
    tables = [file for file in manifest["files"] if file["type"] == "table"]
    if len(tables) != 1:
        raise InvalidInput(f"{name} holds {len(tables)} tables where one is wanted; export one channel at a time")
    ours = manifest.get(_OURS)
    field_px = None
    if ours is not None:
        pixel_size_nm = float(ours["pixel_size_nm"])
        field_px = (int(ours["width_px"]), int(ours["height_px"]))
    half_nm = half_pixel_nm(name, PROGRAM, pixel_size_nm)
    layout = manifest["formats"][tables[0]["format"]]
    columns = _columns(archive, tables[0], layout)
    columns["frame"] = from_zero(columns["frame"])
    columns["x_nm"] -= half_nm
    columns["y_nm"] -= half_nm
    return ImportedTable(assemble(name, columns), pixel_size_nm, PROGRAM, field_px)


def _columns(archive: zipfile.ZipFile, file: dict[str, Any], layout: dict[str, Any]) -> dict[str, Values]:
    """Our columns of the file's, in our units."""
    if layout["mode"] != "binary":
        raise ValueError("its table is text")
    row, units = _row_of(layout), dict(zip(layout["headers"], layout["units"], strict=True))
    found = {
        ours: next((alias for alias in _ALIASES[ours] if alias in units), None) for ours in LOCALIZATION.names or ()
    }
    missing = [ours for ours in ("frame", "x_nm", "y_nm") if found[ours] is None]
    if missing:
        raise ValueError(f"no column for {', '.join(missing)}")
    count, stored = int(file["rows"]), archive.getinfo(file["name"]).file_size
    if stored != count * row.itemsize:
        raise ValueError(f"its table has {stored} bytes where {count} rows of {row.itemsize} are announced")
    columns = {ours: np.empty(count) for ours, theirs in found.items() if theirs is not None}
    offsets = file.get("offset") or {}
    for start, rows in _batches(archive, file["name"], row, count):
        for ours, values in columns.items():
            theirs = str(found[ours])
            scale = NM_PER_UNIT[units[theirs] or "nm"] if ours.endswith("_nm") else 1.0
            part = (rows[theirs] + np.float64(offsets.get(theirs, 0))) * scale
            values[start : start + len(rows)] = part
    return columns


def _row_of(layout: dict[str, Any]) -> np.dtype[np.void]:
    """Of a table in which every row lies packed; a column may hold more than one number."""
    headers, kinds, shapes = layout["headers"], layout["dtype"], layout["shape"]
    shaped = [tuple(shape) if isinstance(shape, list) else (shape,) for shape in shapes]
    return np.dtype(
        [
            (header, _DTYPES[kind], () if shape == (1,) else shape)
            for header, kind, shape in zip(headers, kinds, shaped, strict=True)
        ]
    )


def _batches(
    archive: zipfile.ZipFile, name: str, row: np.dtype[np.void], count: int
) -> Iterator[tuple[int, NDArray[np.void]]]:
    with archive.open(name) as table:
        for start in range(0, count, _BATCH_ROWS):
            wanted = min(_BATCH_ROWS, count - start)
            yield start, np.frombuffer(table.read(wanted * row.itemsize), row, wanted)
