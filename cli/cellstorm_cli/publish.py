"""`cellstorm publish`: be a phone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm.errors import InvalidVideo
from cellstorm.writing import writing_to
from cellstorm_cli import options, playback
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import Picture

_FINISH_S = 600.0


def publish(
    file: Annotated[Path, typer.Argument(help="A video, or a TIFF stack of 8 bits.")],
    server: options.Server,
    token: options.Token = None,
    acquisition: Annotated[str | None, typer.Option(help="Continue this one instead of creating one.")] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=240, help="Frames per second, in place of the file's.")
    ] = None,
    bitrate: Annotated[int | None, typer.Option(min=50, help="kbit/s; without it 0.5 bits per pixel.")] = None,
    as_is: Annotated[bool, typer.Option(help="Send the file's own H.264 instead of encoding it.")] = False,
    keep_open: Annotated[bool, typer.Option(help="Do not finish the acquisition at the end.")] = False,
    retry_for: Annotated[float, typer.Option(min=0, help="Seconds for which a lost gateway is sought again.")] = 60.0,
    sent_log: Annotated[Path | None, typer.Option(help="CSV to write: when each frame was sent, as Unix time.")] = None,
    name: options.Name = None,
    pixel_size: options.PixelSize = options.DEFAULT_PIXEL_SIZE_NM,
    model: options.Model = None,
    roi: options.Roi = None,
    frames: options.Frames = None,
    camera: options.CameraOption = None,
    as_json: options.Json = False,
) -> None:
    """Stream a video file to a gateway in real time over WebRTC (WHIP), as a phone would."""
    settings = options.acquisition_settings(
        name=name or options.name_of(file), pixel_size_nm=pixel_size, model=model, roi=roi, frames=frames, camera=camera
    )

    def pictures(first_frame: int) -> Iterator[Picture]:
        if as_is:
            return playback.as_is(file, fps, first_frame)
        return playback.encode(playback.read_frames(file, fps, first_frame), bitrate)

    next(pictures(0))  # a file that cannot be played is refused before anything is asked of the gateway
    sent: list[tuple[int, float]] = []
    job = _publish(
        GatewayClient(server, options.find_token(token)), settings, acquisition, pictures, sent, keep_open, retry_for
    )
    result = asyncio.run(job)
    if sent_log is not None:
        with writing_to(sent_log):
            sent_log.write_text("frame,sent_at\n" + "".join(f"{frame},{at:.6f}\n" for frame, at in sent))
    if as_json:
        typer.echo(json.dumps({"frames_sent": len(sent), **result.model_dump(mode="json")}))
    else:
        typer.echo(
            f"{result.id}: {len(sent)} frames sent, {result.frames_received} received, {result.frames_lost} lost, "
            f"{result.frames_damaged} damaged; {result.localizations} localizations; {result.state}"
        )
    if result.error:
        raise InvalidVideo(result.error)


async def _publish(
    client: GatewayClient,
    settings: AcquisitionSettings,
    acquisition: str | None,
    pictures: Callable[[int], Iterator[Picture]],
    sent: list[tuple[int, float]],
    keep_open: bool,
    retry_for_s: float,
) -> Acquisition:
    async with client:
        acquisition_id = acquisition or (await client.create(settings)).id
        phone = Phone(client, f"{client.server}/whip/{acquisition_id}", give_up_after_s=retry_for_s)
        with _progress() as progress:
            task = progress.add_task(f"publishing to {acquisition_id}", sent=0)

            def on_sent(picture: Picture) -> None:
                sent.append((picture.frame_index, time.time()))
                progress.update(task, sent=len(sent))

            try:
                await phone.publish(pictures, on_sent)
            except asyncio.CancelledError:  # as Ctrl-C does
                typer.echo(f"interrupted; to go on, name the acquisition: --acquisition {acquisition_id}", err=True)
                raise
        if keep_open:
            return await client.get(acquisition_id)
        await client.finish(acquisition_id)
        return await client.wait_until_over(acquisition_id, _FINISH_S)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}: {task.fields[sent]} frames sent"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
