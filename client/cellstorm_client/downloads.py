"""Fetches result folders and tables."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import httpx

from cellstorm.localizations import Localizations
from cellstorm.results import picasso
from cellstorm.results.folder import FOLDER_NAMES, TABLE_HDF5, TABLE_YAML, written_whole
from cellstorm_client.errors import Unreachable, check


def unpack_results(http: httpx.Client, url: str, folder: Path) -> None:
    """The ZIP at `url` into `folder`; all or nothing, and only files that belong to a result folder.

    Raises
    ------
    CellstormError
        If it cannot be had.
    """
    with tempfile.TemporaryFile() as archive:
        _fetch(http, url, {}, archive)
        try:
            with written_whole(folder) as hidden, zipfile.ZipFile(archive) as opened:
                _unpack(opened, hidden)
        except zipfile.BadZipFile as error:
            raise Unreachable("the download came damaged; ask for the results again") from error


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    for member in archive.infolist():
        name = PurePosixPath(member.filename).name  # whatever path it claims
        if name in FOLDER_NAMES:
            with archive.open(member) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)


def table(http: httpx.Client, url: str, filters: Mapping[str, str]) -> Localizations:
    """The localizations of the acquisition at `url`."""
    with tempfile.TemporaryDirectory(prefix="cellstorm-") as folder:
        for name in (TABLE_HDF5, TABLE_YAML):
            with (Path(folder) / name).open("wb") as target:
                _fetch(http, f"{url}/{name}", filters, target)
        rows, _ = picasso.read(Path(folder) / TABLE_HDF5)
        return rows


def _fetch(http: httpx.Client, url: str, params: Mapping[str, str], target: IO[bytes]) -> None:
    try:
        with http.stream("GET", url, params=dict(params)) as response:
            if not response.is_success:
                response.read()
            check(response)
            for part in response.iter_bytes():
                target.write(part)
    except httpx.HTTPError as error:
        raise Unreachable(f"the download broke off ({error!r}); ask for the results again") from error
