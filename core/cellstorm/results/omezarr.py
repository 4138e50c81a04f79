"""Images as OME-Zarr 0.5 in one file (.ozx, RFC-9): a ZIP, stored as it is, whose metadata come first.

Every level says where its first pixel's centre lies, so that localizations laid over it in the same nanometres fit.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.storage import ZipStore

from cellstorm.results.images import Depth, factor_of, in_depth
from cellstorm.scene import STRIP_ROWS, Level

_VERSION: Final = "0.5"
_CHUNK: Final = STRIP_ROWS
_COMMENT: Final = {"ome": {"version": _VERSION, "zipFile": {"centralDirectory": {"jsonFirst": True}}}}


def write(
    path: Path,
    levels: Sequence[Level],
    corner_nm: tuple[float, float],
    provenance: Mapping[str, str] | None = None,
    *,
    depth: Depth = "float",
) -> None:
    """Write `levels` (of `cellstorm.scene`), localizations per output pixel, to `path`, an .ozx.

    `corner_nm` is x and y of the image's left upper corner: half a camera pixel before the origin, of a whole field.
    """
    factor = factor_of(levels) if depth == "16" else 1.0
    notes = dict(provenance or {}) | (
        {} if depth == "float" else {"Value of one localization per pixel": f"{factor:g}"}
    )
    dtype = np.dtype(np.uint16 if depth == "16" else np.float32)
    path.touch()  # where it cannot be made, the store raises an error that tells nothing, and from `close`
    store = ZipStore(path, mode="w")
    try:
        with warnings.catch_warnings():
            # of ZipStore, which zarr has not finished for groups that are written to again: these are not
            warnings.filterwarnings("ignore", category=UserWarning, module="zipfile")
            zarr.create_group(store, attributes=_attributes(levels, corner_nm, notes))
            arrays = [_array(store, number, level, dtype) for number, level in enumerate(levels)]
            for array, level in zip(arrays, levels, strict=True):
                for number, strip in enumerate(level.strips()):
                    top = number * STRIP_ROWS
                    array[top : top + len(strip)] = in_depth(strip, dtype, factor)
    finally:
        store.close()
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = json.dumps(_COMMENT).encode()


def _array(store: ZipStore, number: int, level: Level, dtype: np.dtype[Any]) -> zarr.Array[Any]:
    return zarr.create_array(
        store,
        name=str(number),
        shape=(level.height, level.width),
        dtype=dtype,
        chunks=(min(_CHUNK, level.height), min(_CHUNK, level.width)),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        fill_value=0,
        dimension_names=("y", "x"),
    )


def _attributes(levels: Sequence[Level], corner_nm: tuple[float, float], notes: Mapping[str, str]) -> dict[str, Any]:
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [level.pixel_nm, level.pixel_nm]},
                {
                    "type": "translation",
                    "translation": [edge_nm + level.pixel_nm / 2 for edge_nm in reversed(corner_nm)],
                },
            ],
        }
        for number, level in enumerate(levels)
    ]
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in ("y", "x")]
    multiscale = {"name": "reconstruction", "axes": axes, "datasets": datasets}
    return {"ome": {"version": _VERSION, "multiscales": [multiscale]}, "cellstorm": dict(notes)}
