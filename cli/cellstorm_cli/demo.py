"""`cellstorm demo`: a simulated sample through the real path, scored against what was really there."""

from __future__ import annotations

import asyncio
import json
import tempfile
import webbrowser
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm.errors import RuntimeUnavailable
from cellstorm.logs import configure_logs
from cellstorm.results import folder as results
from cellstorm.results import picasso
from cellstorm.scoring import Score, score
from cellstorm.settings import Settings
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.machine import free_port
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import Picture, TimedFrames, encode
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.simulation import Recording, SimulationConfig, simulate

_FPS: Final = 20.0
_PIXEL_SIZE_NM: Final = 100.0
_FINISH_S: Final = 60.0
_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the demo must reach to be called right; well below what it does reach, well above chance."""

    detection_precision: float = 0.9
    jaccard: float = 0.7
    rmse_lateral_nm: float = 60.0

    def shortfalls(self, reached: Score, acquisition: Acquisition, sent: int) -> list[str]:
        """What is not right, in words; empty when all is."""
        rmse = reached.rmse_lateral_nm
        found = {
            f"state is {acquisition.state}": acquisition.state == "finished",
            f"only {acquisition.frames_processed} of {sent} frames were localized": acquisition.frames_processed
            == sent,
            f"detection precision is below {self.detection_precision}": reached.detection_precision
            >= self.detection_precision,
            f"Jaccard is below {self.jaccard}": reached.jaccard >= self.jaccard,
            f"RMSE is above {self.rmse_lateral_nm} nm": rmse is not None and rmse <= self.rmse_lateral_nm,
        }
        return [what for what, is_right in found.items() if not is_right]


def demo(
    headless: Annotated[bool, typer.Option(help="No browser; end when the results are there.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("cellstorm-demo"),
    frames: Annotated[int, typer.Option(min=20, max=100_000, help="Length of the simulated recording.")] = 400,
    photons: Annotated[float, typer.Option(min=1, help="Of an emitter that shines throughout a frame.")] = 1000.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the gateway; 0 for any that is free.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")] = False,
) -> None:
    """Stream a simulated sample over real WebRTC, show how the image grows, and score it against the truth."""
    console = Console(stderr=as_json)
    results.check_folder(out)
    configure_logs("console")
    console.print("Simulating filaments and a Siemens star of blinking molecules")
    config = SimulationConfig(frames=frames, photons=photons, structure="mixed", pixel_size_nm=_PIXEL_SIZE_NM)
    recording = simulate(config, np.random.default_rng(_SEED))
    with tempfile.TemporaryDirectory(prefix="cellstorm-demo-") as data:
        settings = Settings.load(data=Path(data), port=port or free_port()).model_copy(update={"https_port": None})
        with local_service(settings, workers=1, log_file=Path(data) / "log") as service:
            acquisition = asyncio.run(_stream(service, recording, out, console, show=not headless))
            table, _ = picasso.read(out / results.TABLE_HDF5)
            reached = score(table, recording.truth)
            shortfalls = Expectation().shortfalls(reached, acquisition, frames)
            _print(console, acquisition, reached, out)
            if as_json:
                summary = {
                    "acquisition": acquisition.model_dump(mode="json"),
                    "score": asdict(reached),
                    "wrong": shortfalls,
                }
                typer.echo(json.dumps(summary))
            if shortfalls:
                raise RuntimeUnavailable("the demo's results are not right: " + "; ".join(shortfalls))
            if not headless:
                console.input("The page stays until you press Enter. ")


async def _stream(
    service: LocalService, recording: Recording, out: Path, console: Console, *, show: bool
) -> Acquisition:
    async with GatewayClient(service.url, service.admin_token) as client:
        created = await client.create(AcquisitionSettings(name="demo", pixel_size_nm=_PIXEL_SIZE_NM))
        link = f"{created.viewer_url}?token={created.token}"  # exchanged for a cookie at once
        console.print(f"Watch it grow: {link}", soft_wrap=True)
        if show:
            await asyncio.to_thread(webbrowser.open, link)
        phone = Phone(client, created.whip_url, give_up_after_s=20.0)
        with Progress(
            TextColumn("Filming"), BarColumn(), TextColumn("{task.completed}/{task.total} frames"), console=console
        ) as bar:
            task = bar.add_task("", total=len(recording.counts))
            await phone.publish(lambda first: _pictures(recording, first), lambda _: bar.advance(task))
        await client.finish(created.id)
        acquisition = await client.wait_until_over(created.id, _FINISH_S)
        await client.download_results(created.id, out)
        return acquisition


def _pictures(recording: Recording, first_frame: int) -> Iterator[Picture]:
    counts = recording.counts[first_frame:].astype(np.uint8, copy=False)
    due_s = tuple((first_frame + i) / _FPS for i in range(len(counts)))
    return encode([TimedFrames(first_frame, due_s, counts)], None)


def _print(console: Console, acquisition: Acquisition, reached: Score, out: Path) -> None:
    table = Table("measured against the truth", "")
    counts = (acquisition.frames_received, acquisition.frames_lost, acquisition.frames_damaged)
    table.add_row("localizations", f"{acquisition.localizations}")
    table.add_row("frames received, lost, damaged", ", ".join(map(str, counts)))
    table.add_row("detection precision", f"{reached.detection_precision:.3f}")
    table.add_row("detection recall", f"{reached.recall:.3f}")
    rmse = reached.rmse_lateral_nm
    table.add_row("detection Jaccard (200 nm)", f"{reached.jaccard:.3f}")
    table.add_row("RMSE, lateral", "none matched" if rmse is None else f"{rmse:.1f} nm")
    console.print(table)
    console.print(f"Results: {out.resolve()}", soft_wrap=True)
