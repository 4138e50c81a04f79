"""`cellstorm submit`: let a service reconstruct a recording, and fetch the results."""

from __future__ import annotations

import asyncio
import json as jsonlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.errors import Busy, CellstormError, InvalidVideo, StoreUnavailable
from cellstorm.results.folder import check_folder
from cellstorm_cli import options
from cellstorm_cli.gateway_client import GatewayClient

_PIECE_BYTES: Final = 2**20
_POLL_S: Final = 0.5
_PATIENCE_S: Final = 60.0
"""For a gateway that is being restarted while we wait."""
_UPLOAD_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, read=180.0)
"""The answer comes when the file was looked into."""


def submit(
    file: Annotated[Path, typer.Argument(help="A video or a TIFF stack.")],
    server: options.Server,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    token: options.Token = None,
    pixel_size: options.PixelSize = options.DEFAULT_PIXEL_SIZE_NM,
    model: options.Model = None,
    roi: options.Roi = None,
    frames: options.Frames = None,
    camera: options.CameraOption = None,
    name: options.Name = None,
    json: options.Json = False,
) -> None:
    """Upload a recording, wait until it is reconstructed, and write the result folder."""
    settings = options.acquisition_settings(
        name=name or file.stem[:200] or None,
        pixel_size_nm=pixel_size,
        model=model,
        roi=roi,
        frames=frames,
        camera=camera,
    )
    check_folder(out)
    size = _size(file)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        acquisition = asyncio.run(
            _submit(GatewayClient(server, options.find_token(token)), settings, file, size, out, progress)
        )
    if json:
        typer.echo(jsonlib.dumps({"folder": str(out), **acquisition.model_dump(mode="json")}))
    else:
        typer.echo(
            f"{acquisition.localizations} localizations in {acquisition.frames_processed} frames, "
            f"{acquisition.frames_lost} lost, {acquisition.frames_damaged} damaged; the results are in {out}"
        )


async def _submit(
    client: GatewayClient, settings: AcquisitionSettings, file: Path, size: int, out: Path, progress: Progress
) -> Acquisition:
    async with client:
        created = await client.create(settings)
        try:
            await _upload(client, str(created["upload_url"]), file, size, progress)
            acquisition = await _wait(client, str(created["id"]), progress)
        except CellstormError:
            await _delete(client, str(created["id"]))
            raise
        await client.download_results(acquisition.id, out)
        return acquisition


async def _upload(client: GatewayClient, url: str, file: Path, size: int, progress: Progress) -> None:
    task = progress.add_task("upload", total=size)
    content = _pieces(file, lambda sent: progress.advance(task, sent))
    await client.request("PUT", url, content=content, headers={"Content-Length": str(size)}, timeout=_UPLOAD_TIMEOUT)


async def _pieces(file: Path, on_sent: Callable[[int], None]) -> AsyncIterator[bytes]:
    try:
        with await asyncio.to_thread(file.open, "rb") as source:
            while piece := await asyncio.to_thread(source.read, _PIECE_BYTES):
                yield piece
                on_sent(len(piece))
    except OSError as error:
        raise _unreadable(file, error) from error


async def _wait(client: GatewayClient, acquisition_id: str, progress: Progress) -> Acquisition:
    """The finished acquisition."""
    task = progress.add_task("frames", total=None)
    answered_at = time.monotonic()
    while True:
        try:
            acquisition = await client.get(acquisition_id)
            answered_at = time.monotonic()
        except (StoreUnavailable, Busy):
            if time.monotonic() - answered_at > _PATIENCE_S:
                raise
            await asyncio.sleep(_POLL_S)
            continue
        done = acquisition.frames_processed + acquisition.frames_damaged
        progress.update(task, completed=done, total=acquisition.frames_expected)
        if acquisition.state is State.FINISHED:
            return acquisition
        if acquisition.state is State.FAILED:
            raise InvalidVideo(acquisition.error or "the server could not process the recording")
        await asyncio.sleep(_POLL_S)


async def _delete(client: GatewayClient, acquisition_id: str) -> None:
    """What was refused need not stay with the server; where it is gone, it may."""
    try:
        await client.request("DELETE", f"/api/v1/acquisitions/{acquisition_id}")
    except CellstormError:
        return


def _size(file: Path) -> int:
    try:
        with file.open("rb") as source:
            return source.seek(0, 2)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> InvalidVideo:
    return InvalidVideo(f"{file} cannot be read ({error.strerror}); check its name and permissions")
