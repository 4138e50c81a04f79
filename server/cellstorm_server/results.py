"""Images, tables and archives of an acquisition, while it runs and after it has ended: all from the same localizations."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response, status
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from cellstorm.acquisitions import Acquisition, State
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Method, Snapshot, default_output_pixel_nm
from cellstorm.rendering import DEFAULT_PERCENTILE, Colormap, reconstruction_png, widefield_png
from cellstorm.results import images, picasso, smlm, thunderstorm
from cellstorm.results.folder import (
    RECONSTRUCTION_TIFF,
    REPORT,
    TABLE_CSV,
    TABLE_HDF5,
    TABLE_SMLM,
    TABLE_YAML,
    WIDEFIELD_PNG,
    WIDEFIELD_TIFF,
)
from cellstorm.store import Widefield
from cellstorm_server.access import AcquisitionId
from cellstorm_server.filters import Filters
from cellstorm_server.follower import Follower, View
from cellstorm_server.services import Current, Services
from cellstorm_server.zipping import zip_pieces

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["results"])

_PNG: Final = "image/png"
_TIFF: Final = "image/tiff"


class Drawing(BaseModel):
    """What of the reconstruction's look may be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    render: Method = Field(
        default="gaussian", description="`gaussian`: each with its own precision; `histogram`: counted."
    )
    pixel_nm: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Output pixel; by default 20 nm or a fifth of a camera pixel.",
    )


class Colouring(Drawing):
    """Likewise, for people."""

    colormap: Colormap = "hot"
    percentile: float = Field(default=DEFAULT_PERCENTILE, gt=0, le=100, description="Of the lit pixels, drawn white.")


@router.get("/reconstruction.png", response_class=Response, responses={200: {"content": {_PNG: {}}}})
async def reconstruction_image(
    acquisition_id: AcquisitionId,
    services: Current,
    look: Annotated[Colouring, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The super-resolution image so far, for looking at."""
    follower = services.followers.of(acquisition_id)
    view = await follower.read()
    tag = _etag(view.position, look)
    if if_none_match == tag:
        return _unchanged(tag)
    async with services.renders.place():
        snapshot = await _snapshot(follower, look)
        png = await asyncio.to_thread(
            reconstruction_png, snapshot.image, colormap=look.colormap, percentile=look.percentile
        )
    return Response(png, media_type=_PNG, headers=_tagged(tag))


@router.get("/reconstruction.ome.tif", response_class=Response, responses={200: {"content": {_TIFF: {}}}})
async def reconstruction_tiff(
    acquisition_id: AcquisitionId, services: Current, look: Annotated[Drawing, Query()]
) -> Response:
    """The super-resolution image so far, localizations per pixel, with its scale."""
    follower = services.followers.of(acquisition_id)
    await follower.read()
    async with services.renders.place():
        snapshot = await _snapshot(follower, look)
        return await _made(
            RECONSTRUCTION_TIFF,
            _TIFF,
            lambda path: images.write_reconstruction(path, snapshot.image, snapshot.output_pixel_nm),
        )


@router.get("/widefield.png", response_class=Response, responses={200: {"content": {_PNG: {}}}})
async def widefield_image(
    acquisition_id: AcquisitionId, services: Current, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The sum of all frames so far, for looking at."""
    widefield = await asyncio.to_thread(services.store.widefield, acquisition_id)
    if widefield.counts is None:
        return await _archived(services, acquisition_id, WIDEFIELD_PNG, _PNG)
    tag = _etag(str(widefield.version), None)
    if if_none_match == tag:
        return _unchanged(tag)
    async with services.renders.place():
        png = await asyncio.to_thread(widefield_png, widefield.counts)
    return Response(png, media_type=_PNG, headers=_tagged(tag))


@router.get("/widefield.ome.tif", response_class=Response, responses={200: {"content": {_TIFF: {}}}})
async def widefield_tiff(acquisition_id: AcquisitionId, services: Current) -> Response:
    """The sum of all frames so far, counts, with its scale."""
    widefield = await asyncio.to_thread(services.store.widefield, acquisition_id)
    if widefield.counts is None:
        return await _archived(services, acquisition_id, WIDEFIELD_TIFF, _TIFF)
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    return await _made(WIDEFIELD_TIFF, _TIFF, lambda path: _write_widefield(path, widefield, acquisition))


@router.get("/localizations.csv", response_class=StreamingResponse)
async def localizations_csv(
    acquisition_id: AcquisitionId, services: Current, filters: Annotated[Filters, Query()]
) -> Response:
    """The localizations so far, as ThunderSTORM writes them."""
    if kept := await _kept(services, acquisition_id, filters, TABLE_CSV):
        return FileResponse(kept, media_type="text/csv", filename=TABLE_CSV)
    view = await services.followers.of(acquisition_id).read()
    async with services.renders.place():
        table = await asyncio.to_thread(_filtered, view, filters)
    return StreamingResponse(
        thunderstorm.text(table, view.acquisition.settings.pixel_size_nm),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{TABLE_CSV}"'},
    )


@router.get("/localizations.hdf5", response_class=FileResponse)
async def localizations_hdf5(
    acquisition_id: AcquisitionId, services: Current, filters: Annotated[Filters, Query()]
) -> Response:
    """The localizations so far, as Picasso reads them together with localizations.yaml."""
    return await _picasso(acquisition_id, services, filters, TABLE_HDF5, "application/x-hdf5")


@router.get("/localizations.yaml", response_class=FileResponse)
async def localizations_yaml(
    acquisition_id: AcquisitionId, services: Current, filters: Annotated[Filters, Query()]
) -> Response:
    """What Picasso wants to know beside localizations.hdf5."""
    return await _picasso(acquisition_id, services, filters, TABLE_YAML, "application/yaml")


@router.get("/localizations.smlm", response_class=FileResponse)
async def localizations_smlm(
    acquisition_id: AcquisitionId, services: Current, filters: Annotated[Filters, Query()]
) -> Response:
    """The localizations so far, as ShareLoc and ThunderSTORM's plugin read them (.smlm 0.2)."""

    def write(path: Path, view: View) -> None:
        smlm.write(path, _filtered(view, filters), _table_info(view))

    return await _table_file(acquisition_id, services, filters, TABLE_SMLM, "application/zip", write)


@router.get("/archive.zip", response_class=StreamingResponse)
async def archive(acquisition_id: AcquisitionId, services: Current) -> Response:
    """The result folder of a finished acquisition."""
    folder = await _results(services, acquisition_id)
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return StreamingResponse(
        zip_pieces(files),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="cellstorm-{acquisition_id}.zip"'},
    )


async def _snapshot(follower: Follower, look: Drawing) -> Snapshot:
    usual_nm = default_output_pixel_nm(follower.view().acquisition.settings.pixel_size_nm)
    # The usual image is kept and grows; one of other pixels is drawn anew.
    return await follower.snapshot(look.render, look.pixel_nm or usual_nm, keep=look.pixel_nm in (None, usual_nm))


async def _picasso(acquisition_id: str, services: Services, filters: Filters, name: str, media_type: str) -> Response:
    def write(path: Path, view: View) -> None:
        _write_picasso(path.with_suffix(".hdf5"), view, filters)

    return await _table_file(acquisition_id, services, filters, name, media_type, write)


async def _table_file(
    acquisition_id: str,
    services: Services,
    filters: Filters,
    name: str,
    media_type: str,
    write: Callable[[Path, View], None],
) -> Response:
    """The result folder's, or one that is written for this answer."""
    if kept := await _kept(services, acquisition_id, filters, name):
        return FileResponse(kept, media_type=media_type, filename=name)
    view = await services.followers.of(acquisition_id).read()
    if view.acquisition.roi is None:
        raise ResultNotReady("no frame has come yet; the table is there with the first ones")
    async with services.renders.place():
        return await _made(name, media_type, lambda path: write(path, view))


def _write_picasso(path: Path, view: View, filters: Filters) -> None:
    acquisition, settings = view.acquisition, view.acquisition.settings
    provenance = {
        "Generated by": "cellSTORM",
        "Acquisition": acquisition.id,
        "Name": settings.name,
        "Generator": settings.model,
        **{f"Filter {name}": text for name, text in filters.model_dump(exclude_none=True).items()},
    }
    picasso.write(path, _filtered(view, filters), _table_info(view), settings.camera or DEFAULT_CAMERA, provenance)


def _table_info(view: View) -> picasso.TableInfo:
    acquisition = view.acquisition
    assert acquisition.roi is not None
    end_frame = max((commit.end_frame for commit in view.commits), default=0)
    return picasso.TableInfo(
        acquisition.roi.width, acquisition.roi.height, end_frame, acquisition.settings.pixel_size_nm
    )


def _write_widefield(path: Path, widefield: Widefield, acquisition: Acquisition) -> None:
    assert widefield.counts is not None
    images.write_widefield(path, widefield.counts, acquisition.settings.pixel_size_nm)


def _filtered(view: View, filters: Filters) -> Localizations:
    """By frame, as in the result folder."""
    table = view.table()
    table = table[table["frame"].argsort(kind="stable")]
    return filters.apply(table)


async def _made(name: str, media_type: str, write: Callable[[Path], None]) -> Response:
    """A file that is written for this answer and removed after it."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="cellstorm-"))
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    try:
        await asyncio.to_thread(write, folder / name)
    except BaseException:
        await remove()
        raise
    return FileResponse(folder / name, media_type=media_type, filename=name, background=remove)


async def _kept(services: Services, acquisition_id: str, filters: Filters, name: str) -> Path | None:
    """A table's file in the result folder, where all of it is wanted and it is there."""
    if filters != Filters():
        return None
    try:
        path = await _results(services, acquisition_id) / name
    except ResultNotReady:
        return None
    return path if await asyncio.to_thread(path.is_file) else None  # an older folder may lack it


async def _archived(services: Services, acquisition_id: str, name: str, media_type: str) -> Response:
    return FileResponse(await _results(services, acquisition_id) / name, media_type=media_type, filename=name)


async def _results(services: Services, acquisition_id: str) -> Path:
    """The complete result folder.

    Raises
    ------
    ResultNotReady
        If it is not there.
    """
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    folder = services.library.results(acquisition_id)
    if acquisition.state is not State.FINISHED:
        raise ResultNotReady(f"the acquisition is {acquisition.state}; its results are there when it is finished")
    if not await asyncio.to_thread((folder / REPORT).is_file):
        raise ResultNotReady("the results lie with another gateway; ask the one that received the acquisition")
    return folder


def _etag(version: str, look: BaseModel | None) -> str:
    text = version + (look.model_dump_json() if look is not None else "")
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def _tagged(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache"}


def _unchanged(tag: str) -> Response:
    return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=_tagged(tag))
