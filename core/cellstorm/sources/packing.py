"""A folder of TIFF files as one file that can be sent: a ZIP archive, without compression, so that it is read where it lies."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellstorm.errors import InvalidVideo, StorageFull
from cellstorm.file_names import readable_name
from cellstorm.sources.members import folder_members


@contextmanager
def sendable(path: Path) -> Iterator[Path]:
    """A file as it is; a folder packed, for as long as the context lasts.

    The archive has no times in it, so that packing the same folder again gives the same bytes, and an upload may go on.

    Raises
    ------
    InvalidVideo
        If the folder holds no TIFF file, or one cannot be read.
    StorageFull
        If there is no room for the archive.
    """
    if not path.is_dir():
        yield path
        return
    members = folder_members(path)
    with tempfile.TemporaryDirectory(prefix="cellstorm-") as folder:
        archive = Path(folder) / f"{path.resolve().name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            for member in members:
                _add(packed, member.path)
        yield archive


def _add(packed: zipfile.ZipFile, path: Path) -> None:
    try:
        size = path.stat().st_size
        source = path.open("rb")
    except OSError as error:
        raise InvalidVideo(f"{path.name} cannot be read ({error.strerror}); check its permissions") from error
    info = zipfile.ZipInfo(readable_name(path))
    info.file_size = size  # tells zipfile whether the large format is needed
    try:
        with source, packed.open(info, "w") as target:
            while data := source.read(2**20):
                target.write(data)
    except OSError as error:
        raise StorageFull(f"the folder cannot be packed ({error.strerror}); make room for a copy of it") from error
