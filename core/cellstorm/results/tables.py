"""Tables of localizations, whichever program wrote them, told apart by what is in them rather than by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cellstorm.errors import InvalidInput
from cellstorm.results import picasso, rapidstorm, smlm, thunderstorm
from cellstorm.results.imported import ImportedTable, checked_pixel_size_nm

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_ZIP: Final = b"PK\x03\x04"
_SNIFFED_BYTES: Final = 4096


def read_table(path: Path, pixel_size_nm: float | None = None) -> ImportedTable:
    """The table in a ThunderSTORM CSV, Picasso HDF5, rapidSTORM text or .smlm file.

    `pixel_size_nm` is wanted where the file does not tell it: of ThunderSTORM's always, of Picasso's without its .yaml,
    of .smlm that others wrote. Where the file tells, the file is believed.

    Raises
    ------
    InvalidInput
        If the file cannot be read, is none of these, is damaged, or the pixel size is not known.
    """
    if pixel_size_nm is not None:
        checked_pixel_size_nm(path.name, "", pixel_size_nm)
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
        return _read(path, start, pixel_size_nm)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read ({error.strerror or error}); check its name and permissions"
        ) from error


def _read(path: Path, start: bytes, pixel_size_nm: float | None) -> ImportedTable:
    if start.startswith(_HDF5):
        return picasso.read_foreign(path, pixel_size_nm)
    if start.startswith(_ZIP):
        return smlm.read(path, pixel_size_nm)
    first_line = start.decode("utf-8-sig", errors="replace").partition("\n")[0]
    if rapidstorm.START in first_line:
        return rapidstorm.read(path, pixel_size_nm)
    if thunderstorm.header_of(first_line):
        return thunderstorm.read(path, pixel_size_nm)
    raise InvalidInput(
        f"{path.name} is no table that cellSTORM reads; give a ThunderSTORM CSV, Picasso HDF5, rapidSTORM text or .smlm file"
    )
