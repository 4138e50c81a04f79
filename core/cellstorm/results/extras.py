"""Files of a result folder that are there on request: what every folder holds serves most people, and folders stay small.

parquet    localizations.parquet, for programs that compute with tables
ozx        reconstruction.ozx, OME-Zarr with smaller copies, for images that are looked at in part
16bit      reconstruction-16bit.ome.tif, for programs that know no floating point
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.results import images, omezarr, parquet
from cellstorm.results.picasso import TableInfo
from cellstorm.scene import Level

Extra = Literal["parquet", "ozx", "16bit"]

TABLE_PARQUET: Final = "localizations.parquet"
RECONSTRUCTION_OZX: Final = "reconstruction.ozx"
RECONSTRUCTION_16BIT: Final = "reconstruction-16bit.ome.tif"

EXTRA_NAMES: Final[Mapping[Extra, str]] = {
    "parquet": TABLE_PARQUET,
    "ozx": RECONSTRUCTION_OZX,
    "16bit": RECONSTRUCTION_16BIT,
}


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What extras are made from."""

    localizations: Localizations
    info: TableInfo
    levels: Sequence[Level]
    origin: Mapping[str, str]


def parse_extras(names: Sequence[str]) -> frozenset[Extra]:
    """The extras of these names.

    Raises
    ------
    InvalidSetting
        If one is not known.
    """
    found: set[Extra] = set()
    for name in names:
        known: list[Extra] = [extra for extra in get_args(Extra) if extra == name]
        if not known:
            raise InvalidSetting(f"there is no format {name!r}; choose of {', '.join(get_args(Extra))}")
        found.update(known)
    return frozenset(found)


def write_extras(folder: Path, extras: frozenset[Extra], material: Material) -> None:
    """Write what is asked for into `folder`."""
    for extra in sorted(extras):
        _WRITERS[extra](folder / EXTRA_NAMES[extra], material)


def _write_parquet(path: Path, material: Material) -> None:
    parquet.write(path, material.localizations, material.info, material.origin)


def _write_ozx(path: Path, material: Material) -> None:
    edge_nm = -material.info.pixel_size_nm / 2
    omezarr.write(path, material.levels, (edge_nm, edge_nm), material.origin)


def _write_16bit(path: Path, material: Material) -> None:
    images.write_reconstruction(path, material.levels, material.origin, depth="16")


_WRITERS: Final[Mapping[Extra, Callable[[Path, Material], None]]] = {
    "parquet": _write_parquet,
    "ozx": _write_ozx,
    "16bit": _write_16bit,
}
