"""Which files of an acquisition can be fetched, and the result folder's own files one by one."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.requests import HTTPConnection
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import State
from cellstorm.errors import ResultNotReady
from cellstorm.results.folder import (
    RECONSTRUCTION_PNG,
    RECONSTRUCTION_TIFF,
    REPORT_HTML,
    TABLE_CSV,
    TABLE_HDF5,
    TABLE_SMLM,
    TABLE_YAML,
    WIDEFIELD_PNG,
    WIDEFIELD_TIFF,
)
from cellstorm_server.access import AcquisitionId
from cellstorm_server.answers import result_folder
from cellstorm_server.services import Current
from cellstorm_server.urls import API

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["results"])

_AT_ANY_TIME: Final = (
    RECONSTRUCTION_PNG,
    RECONSTRUCTION_TIFF,
    WIDEFIELD_PNG,
    WIDEFIELD_TIFF,
    TABLE_CSV,
    TABLE_HDF5,
    TABLE_YAML,
    TABLE_SMLM,
)
"""Made when they are asked for, of what there is by then."""
_MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".hdf5": "application/x-hdf5",
    ".parquet": "application/vnd.apache.parquet",
    ".smlm": "application/zip",
    ".tif": "image/tiff",
    ".yaml": "application/yaml",
}
_AS_A_PAGE: Final = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
}
"""A report is read in the browser, as a document of no origin: whatever stood in one, it reaches nothing of the server."""


class ResultFile(BaseModel):
    """A file that can be fetched."""

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int | None = Field(description="Null for one that is made when it is fetched.")
    media_type: str
    url: str


@router.get("/files")
async def list_files(acquisition_id: AcquisitionId, services: Current, connection: HTTPConnection) -> list[ResultFile]:
    """All files that can be fetched by now: the result folder's once it is written, else those that are made on demand."""
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    base = f"{connection.scope.get('root_path', '')}{API}/acquisitions/{acquisition_id}"
    try:
        folder = await result_folder(services, acquisition_id)
    except ResultNotReady:
        if acquisition.roi is None or acquisition.state is State.CANCELLED:
            return []
        return [_result_file(name, None, f"{base}/{name}") for name in _AT_ANY_TIME]
    sizes = await asyncio.to_thread(_sizes, folder)
    return [_result_file(name, size, f"{base}/files/{name}") for name, size in sizes.items()]


@router.get("/files/{name}", response_class=FileResponse)
async def result_file(acquisition_id: AcquisitionId, name: str, services: Current) -> Response:
    """One file of the result folder, as it lies there; browsers show the report, and save all others."""
    folder = await result_folder(services, acquisition_id)
    if name not in await asyncio.to_thread(_sizes, folder):
        raise ResultNotReady(f"the results hold no file {name!r}; GET …/files tells which they hold")
    is_page = name == REPORT_HTML
    return FileResponse(
        folder / name,
        media_type=_media_type(name),
        filename=name,
        headers=_AS_A_PAGE if is_page else None,
        content_disposition_type="inline" if is_page else "attachment",
    )


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return {path.name: path.stat().st_size for path in sorted(files)}


def _result_file(name: str, size: int | None, url: str) -> ResultFile:
    return ResultFile(name=name, bytes=size, media_type=_media_type(name), url=url)


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
