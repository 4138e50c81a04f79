"""Images as OME-TIFF, which Fiji, napari and Avivator open with their scale; large ones in tiles, with smaller copies.

Values are localizations per pixel, as float32. With 16 bits they are whole numbers, multiplied where they would lose too
much; the factor stands in the file's annotations, beside where the image comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellstorm.scene import Level, array_levels, highest

Depth = Literal["float", "16"]
"""Of an image's values: float32, or 16 bits without a sign."""

_NM_PER_CM: Final = 1e7
_TILE: Final = 512
_WHITE_16: Final = 65_535
_ALL_IN_ONE: Final = 2**31
"""Bytes from which on a file is a BigTIFF: an ordinary one ends at 4 GiB."""
_NAMESPACE: Final = "cellstorm/provenance"


def write_reconstruction(
    destination: Path | BinaryIO,
    levels: Sequence[Level],
    provenance: Mapping[str, str] | None = None,
    *,
    depth: Depth = "float",
) -> None:
    """Write a reconstruction, localizations per output pixel; `levels` as `cellstorm.scene` makes them."""
    factor = factor_of(levels) if depth == "16" else 1.0
    notes = dict(provenance or {})
    if depth == "16":
        notes["Value of one localization per pixel"] = f"{factor:.9g}"
    dtype = np.dtype(np.uint16 if depth == "16" else np.float32)
    _write(destination, levels, "reconstruction", notes, dtype, factor)


def write_widefield(
    destination: Path | BinaryIO, widefield: NDArray[np.floating] | NDArray[np.integer], pixel_size_nm: float
) -> None:
    """Write the (height, width) sum of all frames, counts, as float32.

    ImageJ has no whole numbers of 32 bits, and 16 bits overflow after 257 frames. A float32 is exact up to 2^24 and
    beyond it errs by 6 parts in 10^8.
    """
    levels = array_levels(widefield.astype(np.float32), pixel_size_nm)
    _write(destination, levels[:1], "widefield", {}, np.dtype(np.float32), 1.0)


def write_maps(
    destination: Path | BinaryIO, maps: NDArray[np.float32], map_pixel_nm: float, provenance: Mapping[str, str]
) -> None:
    """Write the (rows, columns) sum of localization maps, counts per map pixel."""
    _write(destination, array_levels(maps, map_pixel_nm), "localization maps", provenance, np.dtype(np.float32), 1.0)


def factor_of(levels: Sequence[Level]) -> float:
    """By what values are multiplied to become 16 bits: counts that fit by 1, all others by as much as fits."""
    top = highest(levels)
    is_counts = all(not np.any(strip % 1) for strip in levels[0].strips())
    return 1.0 if top == 0 or (is_counts and top <= _WHITE_16) else _WHITE_16 / top


def _write(
    destination: Path | BinaryIO,
    levels: Sequence[Level],
    name: str,
    notes: Mapping[str, str],
    dtype: np.dtype[Any],
    factor: float,
) -> None:
    full = levels[0]
    is_tiled = max(full.height, full.width) > 2 * _TILE
    bytes_in_all = sum(level.height * level.width for level in levels) * dtype.itemsize
    with tifffile.TiffWriter(destination, bigtiff=bytes_in_all > _ALL_IN_ONE, ome=True) as tiff:
        for number, level in enumerate(levels):
            options: dict[str, Any] = {
                "photometric": "minisblack",
                "compression": "zlib",  # every reader has it
                "compressionargs": {"level": 1},
                "resolution": (_NM_PER_CM / level.pixel_nm, _NM_PER_CM / level.pixel_nm),  # for ImageJ alone
                "resolutionunit": "CENTIMETER",
            }
            if number == 0:
                options |= {"subifds": len(levels) - 1, "metadata": _metadata(name, full.pixel_nm, notes)}
            else:
                options |= {"subfiletype": 1, "metadata": None}
            strips = (in_depth(strip, dtype, factor) for strip in level.strips())
            if is_tiled:
                tiff.write(
                    _tiles(strips), shape=(level.height, level.width), dtype=dtype, tile=(_TILE, _TILE), **options
                )
            else:
                tiff.write(np.concatenate(list(strips)), **options)


def _metadata(name: str, pixel_nm: float, notes: Mapping[str, str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "axes": "YX",
        "Name": name,
        "PhysicalSizeX": pixel_nm,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": pixel_nm,
        "PhysicalSizeYUnit": "nm",
    }
    if notes:
        metadata["MapAnnotation"] = {"Namespace": _NAMESPACE, **notes}
    return metadata


def in_depth(strip: NDArray[np.float32], dtype: np.dtype[Any], factor: float) -> NDArray[Any]:
    """(rows, width) values of a file, float32 as they are or multiplied and rounded to 16 bits."""
    if dtype == np.uint16:
        return np.clip(np.rint(strip * np.float64(factor)), 0, _WHITE_16).astype(np.uint16)
    return strip


def _tiles(strips: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Whole tiles, from left to right and downwards; what lies beyond the image is 0. A strip is as high as a tile."""
    for strip in strips:
        for left in range(0, strip.shape[1], _TILE):
            part = strip[:, left : left + _TILE]
            yield np.pad(part, ((0, _TILE - part.shape[0]), (0, _TILE - part.shape[1])))
