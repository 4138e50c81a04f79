"""Images of an acquisition, while it runs and after it has ended: drawn from the localizations, and the widefield."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final, Literal

import tifffile
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import Acquisition
from cellstorm.analysis.selection import Selection
from cellstorm.errors import InvalidSetting, ResultNotReady
from cellstorm.maps import in_counts
from cellstorm.reconstruction import MAX_OUTPUT_PIXELS, Method, Window, default_output_pixel_nm, fitting_output_pixel_nm
from cellstorm.rendering import DEFAULT_PERCENTILE, Colormap, annotated_png, reconstruction_png, widefield_png
from cellstorm.results import images, omezarr
from cellstorm.results.extras import RECONSTRUCTION_OZX
from cellstorm.results.folder import MAPS_TIFF, RECONSTRUCTION_TIFF, WIDEFIELD_PNG, WIDEFIELD_TIFF
from cellstorm.results.images import Depth
from cellstorm.scene import TILE, Image, Level, array_levels
from cellstorm.store import Widefield
from cellstorm_server.access import AcquisitionId
from cellstorm_server.answers import archived, etag, made, origin, tagged, unchanged
from cellstorm_server.follower import Follower
from cellstorm_server.services import Current, Services
from cellstorm_server.viewers import View

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["images"])

_PNG: Final = "image/png"
_TIFF: Final = "image/tiff"
_OZX: Final = "application/zip"


_METHODS: Final = "`gaussian`: each with its own precision; `histogram`: counted; `ash`: average shifted histogram"


class Drawing(Selection):
    """Which localizations are drawn, how, and at which scale."""

    render: Method | Literal["maps"] = Field(
        default="gaussian",
        description=f"{_METHODS}; `maps`: the sum of a generator's localization maps, without localizations.",
    )
    pixel_nm: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Output pixel, at least a 512th of a camera pixel; by default 20 nm or a fifth of a camera pixel.",
    )


class Colouring(Drawing):
    """Likewise, for people."""

    colormap: Colormap = "hot"
    percentile: float = Field(default=DEFAULT_PERCENTILE, gt=0, le=100, description="Of the lit pixels, drawn white.")
    scale_bar: bool = False


class Filing(Drawing):
    """Likewise, for programs."""

    depth: Depth = Field(default="float", description="float32, or 16 bits.")


class TileColouring(Selection):
    """How tiles look; contrast is that of the whole image."""

    render: Method = Field(default="gaussian", description=f"{_METHODS}.")
    colormap: Colormap = "hot"
    percentile: float = Field(default=DEFAULT_PERCENTILE, gt=0, le=100, description="Of the lit pixels, drawn white.")


class TileMap(BaseModel):
    """How the tiles of an image lie."""

    model_config = ConfigDict(frozen=True)

    tile_px: int = Field(description="Side of each tile, in its pixels.")
    pixel_nm: float = Field(description="A tile's pixel at zoom 0; each further zoom halves it.")
    left_nm: float = Field(description="Left edge of tile 0, and upper edge likewise, where localizations are at x_nm.")
    width_nm: float = Field(description="Of the field; tiles beyond it are empty.")
    height_nm: float


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
    tag = etag(view.position, look)
    if if_none_match == tag:
        return unchanged(tag)
    async with services.renders.place():
        image, pixel_nm = await _image(services, follower, look)
        png = await asyncio.to_thread(_coloured, image, pixel_nm, look)
    return Response(png, media_type=_PNG, headers=tagged(tag))


@router.get("/reconstruction.ome.tif", response_class=Response, responses={200: {"content": {_TIFF: {}}}})
async def reconstruction_tiff(
    acquisition_id: AcquisitionId, services: Current, filing: Annotated[Filing, Query()]
) -> Response:
    """The super-resolution image so far, localizations per pixel, with its scale; large ones in tiles, at several scales."""
    follower = services.followers.of(acquisition_id)
    await follower.read()
    async with services.renders.place():
        levels, notes = await _levels(services, follower, filing)
        return await made(
            RECONSTRUCTION_TIFF,
            _TIFF,
            lambda path: images.write_reconstruction(path, levels, notes, depth=filing.depth),
        )


@router.get("/reconstruction.ozx", response_class=Response, responses={200: {"content": {_OZX: {}}}})
async def reconstruction_zarr(
    acquisition_id: AcquisitionId, services: Current, filing: Annotated[Filing, Query()]
) -> Response:
    """Likewise as OME-Zarr 0.5 in one file (RFC-9)."""
    follower = services.followers.of(acquisition_id)
    view = await follower.read()
    edge_nm = -view.acquisition.settings.pixel_size_nm / 2
    async with services.renders.place():
        levels, notes = await _levels(services, follower, filing)
        return await made(
            RECONSTRUCTION_OZX,
            _OZX,
            lambda path: omezarr.write(path, levels, (edge_nm, edge_nm), notes, depth=filing.depth),
        )


@router.get("/tiles")
async def tile_map(acquisition_id: AcquisitionId, services: Current) -> TileMap:
    """How `tiles/{zoom}/{column}/{row}.png` lie; zoom 0 is the whole field in one tile."""
    view = await services.followers.of(acquisition_id).read(max_age_s=1.0)
    selected = await asyncio.to_thread(services.selected.of, view, Selection())
    scene, info = selected.scene("gaussian"), selected.info
    return TileMap(
        tile_px=TILE,
        pixel_nm=scene.tile_pixel_nm(0),
        left_nm=-info.pixel_size_nm / 2,
        width_nm=info.width_px * info.pixel_size_nm,
        height_nm=info.height_px * info.pixel_size_nm,
    )


@router.get("/tiles/{zoom}/{column}/{row}.png", response_class=Response, responses={200: {"content": {_PNG: {}}}})
async def tile(
    acquisition_id: AcquisitionId,
    zoom: int,
    column: int,
    row: int,
    services: Current,
    look: Annotated[TileColouring, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A part of the super-resolution image so far, at any scale; its contrast is that of the whole."""
    view = await services.followers.of(acquisition_id).read(max_age_s=1.0)
    tag = etag(view.position, look)
    if if_none_match == tag:
        return unchanged(tag)

    def draw() -> bytes:
        selected = services.selected.of(view, look)
        scene = selected.scene(look.render)
        image = scene.tile(zoom, column, row)
        white = selected.white_per_nm2(look.render, look.percentile) * scene.tile_pixel_nm(zoom) ** 2
        return reconstruction_png(image, colormap=look.colormap, white=white)

    async with services.renders.place():
        return Response(await asyncio.to_thread(draw), media_type=_PNG, headers=tagged(tag))


@router.get("/widefield.png", response_class=Response, responses={200: {"content": {_PNG: {}}}})
async def widefield_image(
    acquisition_id: AcquisitionId, services: Current, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The sum of all frames so far, for looking at."""
    widefield = await asyncio.to_thread(services.store.widefield, acquisition_id)
    if widefield.counts is None:
        return await archived(services, acquisition_id, WIDEFIELD_PNG, _PNG)
    tag = etag(str(widefield.version), None)
    if if_none_match == tag:
        return unchanged(tag)
    async with services.renders.place():
        png = await asyncio.to_thread(widefield_png, widefield.counts)
    return Response(png, media_type=_PNG, headers=tagged(tag))


@router.get("/widefield.ome.tif", response_class=Response, responses={200: {"content": {_TIFF: {}}}})
async def widefield_tiff(acquisition_id: AcquisitionId, services: Current) -> Response:
    """The sum of all frames so far, counts, with its scale."""
    widefield = await asyncio.to_thread(services.store.widefield, acquisition_id)
    if widefield.counts is None:
        return await archived(services, acquisition_id, WIDEFIELD_TIFF, _TIFF)
    acquisition = await asyncio.to_thread(services.store.get, acquisition_id)
    return await made(WIDEFIELD_TIFF, _TIFF, lambda path: _write_widefield(path, widefield, acquisition))


def _write_widefield(path: Path, widefield: Widefield, acquisition: Acquisition) -> None:
    assert widefield.counts is not None
    images.write_widefield(path, widefield.counts, acquisition.settings.pixel_size_nm)


def _coloured(image: Image, pixel_nm: float, look: Colouring) -> bytes:
    if look.scale_bar:
        return annotated_png(image, pixel_nm, colormap=look.colormap, percentile=look.percentile)
    return reconstruction_png(image, colormap=look.colormap, percentile=look.percentile)


async def _maps(services: Services, view: View, look: Drawing) -> tuple[Image, float]:
    """The sum of localization maps, counts per pixel, and its pixel."""
    if not look.is_all or look.pixel_nm is not None:
        raise InvalidSetting("a sum of maps has its own pixels and no localizations; ask for it without a selection")
    acquisition = view.acquisition
    sums = await asyncio.to_thread(services.store.widefield, acquisition.id)
    if sums.maps is not None:
        image = in_counts(sums.maps)
    else:
        path = services.library.results(acquisition.id) / MAPS_TIFF
        if not await asyncio.to_thread(path.is_file):
            raise ResultNotReady("there is no sum of maps: none has come yet, or the generator makes none")
        image = await asyncio.to_thread(tifffile.imread, path)
    assert acquisition.roi is not None
    return image, acquisition.settings.pixel_size_nm * acquisition.roi.width / image.shape[1]


async def _image(services: Services, follower: Follower, look: Drawing) -> tuple[Image, float]:
    """The whole image and its pixel: of all localizations it is the follower's, which grows; others are drawn anew."""
    view = follower.view()
    if look.render == "maps":
        return await _maps(services, view, look)
    method = look.render
    usual_nm = _usual_pixel_nm(view.acquisition)
    pixel_nm = look.pixel_nm or usual_nm
    if look.is_all:
        # Coarser ones are thumbnails and the tiles of a wall, asked for again and again; finer ones are large.
        snapshot = await follower.snapshot(method, pixel_nm, keep=pixel_nm >= usual_nm)
        return snapshot.image, pixel_nm

    def draw() -> Image:
        scene = services.selected.of(view, look).scene(method)
        grid = scene.grid(pixel_nm)
        grid.check_fits(MAX_OUTPUT_PIXELS)
        return scene.draw(pixel_nm, Window(0, 0, grid.width, grid.height))

    return await asyncio.to_thread(draw), pixel_nm


def _usual_pixel_nm(acquisition: Acquisition) -> float:
    """Of an image that nobody asked a pixel for; all of it is in memory at once."""
    roi, pixel_size_nm = acquisition.roi, acquisition.settings.pixel_size_nm
    if roi is None:
        return default_output_pixel_nm(pixel_size_nm)
    return fitting_output_pixel_nm(roi.width, roi.height, pixel_size_nm)


async def _levels(services: Services, follower: Follower, look: Drawing) -> tuple[list[Level], dict[str, str]]:
    """The image in as many levels as it needs, drawn while they are written where it is too large for memory; and notes."""
    view = follower.view()
    pixel_nm = look.pixel_nm or default_output_pixel_nm(view.acquisition.settings.pixel_size_nm)
    notes = {**origin(view.acquisition), "Rendering": look.render, **look.chosen}
    if look.render != "maps":
        selected = await asyncio.to_thread(services.selected.of, view, look)
        scene = selected.scene(look.render)
        grid = scene.grid(pixel_nm)
        if grid.pixels > MAX_OUTPUT_PIXELS:
            return scene.levels(pixel_nm), notes
    image, pixel_nm = await _image(services, follower, look)
    return array_levels(image, pixel_nm), notes
