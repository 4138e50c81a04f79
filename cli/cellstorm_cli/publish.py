"""`cellstorm publish`: be a phone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm_cli import options
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import Picture, as_is, encode, read_frames

_FINISH_S = 600.0


def publish(
    file: options.File,
    server: options.Server,
    token: options.Token = None,
    acquisition: Annotated[str | None, typer.Option(help="Continue this one instead of creating one.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, max=240, help="Frames per second, in place of the file's.")] = None,
    bitrate: Annotated[int | None, typer.Option(min=50, help="kbit/s; without it 0.5 bits per pixel.")] = None,
    as_it_is: Annotated[bool, typer.Option("--as-is", help="Send the file's own H.264 instead of encoding it.")] = False,
    keep_open: Annotated[bool, typer.Option(help="Do not finish the acquisition at the end.")] = False,
    retry_for: Annotated[float, typer.Option(min=0, help="Seconds for which a lost gateway is sought again.")] = 60.0,
    sent_log: Annotated[Path | None, typer.Option(help="Write when each frame was sent (Unix time) to this CSV.")] = None,
    name: options.Name = None,
    pixel_size: options.PixelSize = options.DEFAULT_PIXEL_SIZE_NM,
    model: options.Model = None,
    roi: options.Roi = None,
    camera: options.CameraText = None,
    frames: options.Frames = None,
    as_json: options.Json = False,
) -> None:
    """Stream a video file to a gateway in real time, as a phone would, over WebRTC (WHIP)."""
    settings = options.acquisition_settings(file, name, pixel_size, model, roi, camera, frames)

    def pictures(first_frame: int) -> Iterator[Picture]:
        if as_it_is:
            return as_is(file, fps, first_frame)
        return encode(read_frames(file, fps, first_frame), bitrate)

    next(pictures(0))  # a file that cannot be played is refused before anything is asked of the gateway
    result = asyncio.run(
        _publish(pictures, settings, server, options.token(token), acquisition, keep_open, retry_for, sent_log)
    )
    if as_json:
        typer.echo(result.model_dump_json())
    else:
        Console().print(
            f"{result.id}: {result.frames_received} frames received, {result.frames_lost} lost, "
            f"{result.frames_damaged} damaged; {result.localizations} localizations; {result.state}"
        )


async def _publish(
    pictures: Callable[[int], Iterator[Picture]],
    settings: AcquisitionSettings,
    server: str,
    token: str,
    acquisition: str | None,
    keep_open: bool,
    retry_for_s: float,
    sent_log: Path | None,
) -> Acquisition:
    sent: list[tuple[int, float]] = []
    async with GatewayClient(server, token) as client:
        acquisition_id = acquisition or (await client.create(settings))["id"]
        phone = Phone(client, f"{client.server}/whip/{acquisition_id}", give_up_after_s=retry_for_s)
        with _progress() as progress:
            task = progress.add_task(f"publishing to {acquisition_id}", sent=0)

            def on_sent(picture: Picture) -> None:
                sent.append((picture.frame_index, time.time()))
                progress.update(task, sent=phone.pictures_sent)

            await phone.publish(pictures, on_sent)
        if sent_log is not None:
            rows = "".join(f"{frame},{sent_at:.6f}\n" for frame, sent_at in sent)
            await asyncio.to_thread(sent_log.write_text, "frame,sent_at\n" + rows)
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
