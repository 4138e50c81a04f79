"""Tables and archives of an acquisition, while it runs and after it has ended: all from the same localizations."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import Field

from cellstorm.analysis.selection import Selection
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import ResultNotReady
from cellstorm.results import thunderstorm
from cellstorm.results.extras import TABLE_PARQUET
from cellstorm.results.folder import TABLE_CSV, TABLE_HDF5, TABLE_SMLM, TABLE_YAML
from cellstorm.results.formats import TableFile, TableFormat, write_table
from cellstorm_server.access import AcquisitionId
from cellstorm_server.answers import made, origin, result_folder
from cellstorm_server.selected import Selected
from cellstorm_server.services import Current, Services
from cellstorm_server.zipping import zip_pieces

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["results"])

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    TABLE_CSV: "text/csv",
    TABLE_HDF5: "application/x-hdf5",
    TABLE_YAML: "application/yaml",
    TABLE_SMLM: "application/zip",
    TABLE_PARQUET: "application/vnd.apache.parquet",
}


class CsvSelection(Selection):
    """Which rows, and under which header."""

    header: Literal["development", "1.3"] = Field(
        default="development", description="ThunderSTORM's; Picasso refuses that of its release 1.3."
    )


@router.get("/localizations.csv", response_class=StreamingResponse)
async def localizations_csv(
    acquisition_id: AcquisitionId, services: Current, wanted: Annotated[CsvSelection, Query()]
) -> Response:
    """The localizations so far, as ThunderSTORM writes them."""
    if wanted.header == "development" and (kept := await _kept(services, acquisition_id, wanted, TABLE_CSV)):
        return FileResponse(kept, media_type=_MEDIA_TYPES[TABLE_CSV], filename=TABLE_CSV)
    selected = await _selected(services, acquisition_id, wanted)
    header = thunderstorm.HEADER_1_3 if wanted.header == "1.3" else thunderstorm.HEADER
    return StreamingResponse(
        thunderstorm.text(selected.table, selected.info.pixel_size_nm, header),
        media_type=_MEDIA_TYPES[TABLE_CSV],
        headers={"Content-Disposition": f'attachment; filename="{TABLE_CSV}"'},
    )


@router.get("/localizations.hdf5", response_class=FileResponse)
async def localizations_hdf5(
    acquisition_id: AcquisitionId, services: Current, wanted: Annotated[Selection, Query()]
) -> Response:
    """The localizations so far, as Picasso reads them together with localizations.yaml."""
    return await _table(acquisition_id, services, wanted, TABLE_HDF5, "picasso")


@router.get("/localizations.yaml", response_class=FileResponse)
async def localizations_yaml(
    acquisition_id: AcquisitionId, services: Current, wanted: Annotated[Selection, Query()]
) -> Response:
    """What Picasso wants to know beside localizations.hdf5."""
    return await _table(acquisition_id, services, wanted, TABLE_YAML, "picasso")


@router.get("/localizations.smlm", response_class=FileResponse)
async def localizations_smlm(
    acquisition_id: AcquisitionId, services: Current, wanted: Annotated[Selection, Query()]
) -> Response:
    """The localizations so far, as ShareLoc and ThunderSTORM's plugin read them (.smlm 0.2)."""
    return await _table(acquisition_id, services, wanted, TABLE_SMLM, "smlm")


@router.get("/localizations.parquet", response_class=FileResponse)
async def localizations_parquet(
    acquisition_id: AcquisitionId, services: Current, wanted: Annotated[Selection, Query()]
) -> Response:
    """The localizations so far, in this project's own columns, for programs that compute with tables."""
    return await _table(acquisition_id, services, wanted, TABLE_PARQUET, "parquet")


@router.get("/archive.zip", response_class=StreamingResponse)
async def archive(acquisition_id: AcquisitionId, services: Current) -> Response:
    """The result folder of a finished acquisition."""
    folder = await result_folder(services, acquisition_id)
    files = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    return StreamingResponse(
        zip_pieces(files),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="cellstorm-{acquisition_id}.zip"'},
    )


async def _selected(services: Services, acquisition_id: str, wanted: Selection) -> Selected:
    view = await services.followers.of(acquisition_id).read()
    async with services.renders.place():
        return await asyncio.to_thread(services.selected.of, view, wanted)


async def _table(
    acquisition_id: str, services: Services, wanted: Selection, name: str, table_format: TableFormat
) -> Response:
    """The result folder's, or one that is written for this answer."""
    if kept := await _kept(services, acquisition_id, wanted, name):
        return FileResponse(kept, media_type=_MEDIA_TYPES[name], filename=name)
    selected = await _selected(services, acquisition_id, wanted)
    async with services.renders.place():
        return await made(name, _MEDIA_TYPES[name], lambda path: _write(path, selected, wanted, table_format))


def _write(path: Path, selected: Selected, wanted: Selection, table_format: TableFormat) -> None:
    acquisition = selected.acquisition
    notes = {**origin(acquisition), **{f"Filter {name}": text for name, text in wanted.chosen.items()}}
    camera = acquisition.settings.camera or DEFAULT_CAMERA
    target = path.with_suffix(".hdf5") if table_format == "picasso" else path  # its .yaml comes with it
    write_table(target, TableFile(selected.table, selected.info, camera, notes), table_format)


async def _kept(services: Services, acquisition_id: str, wanted: Selection, name: str) -> Path | None:
    """A table's file in the result folder, where all of it is wanted and it is there."""
    if not wanted.is_all:
        return None
    try:
        path = await result_folder(services, acquisition_id) / name
    except ResultNotReady:
        return None
    return path if await asyncio.to_thread(path.is_file) else None  # an older folder may lack it
