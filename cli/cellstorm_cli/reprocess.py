"""`cellstorm reprocess`: a kept acquisition again, with another generator, region, frames, threshold or camera."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Final

import typer

from cellstorm.acquisitions import LEAST_THRESHOLD, MOST_THRESHOLD, Acquisition, State
from cellstorm.comparison import CommonComparison
from cellstorm.errors import InvalidVideo
from cellstorm.results.folder import check_folder
from cellstorm_cli import options
from cellstorm_cli.remote_comparison import tell_comparison
from cellstorm_client import Client

_PATIENCE_S: Final = 24 * 3600.0


def reprocess(
    acquisition: Annotated[str, typer.Argument(metavar="ID", help="Of the acquisition whose video is kept.")],
    server: options.Server,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the new results.")] = None,
    token: options.Token = None,
    model: options.Model = None,
    roi: Annotated[str | None, typer.Option("--roi", metavar="X,Y,W,H", help="Region of interest.")] = None,
    frames: options.Frames = None,
    threshold: Annotated[
        float | None, typer.Option(min=LEAST_THRESHOLD, max=MOST_THRESHOLD, help="Of the probability.")
    ] = None,
    camera: options.CameraOption = None,
    name: options.Name = None,
    json: options.Json = False,
) -> None:
    """Reconstruct a kept acquisition again, and compare the new one with the old.

    What is not named stays as it was; the name, with ", again" after it.
    """
    if out is not None:
        check_folder(out)
    given = {"model": model, "roi": roi, "frames": frames, "threshold": threshold, "camera": camera, "name": name}
    changes: dict[str, object] = {option: value for option, value in given.items() if value is not None}
    with Client(server, options.find_token(token)) as client:
        made, comparison = _reprocess(client, acquisition, changes, out)
    if json:
        told = {"acquisition": made.model_dump(mode="json"), "comparison": comparison.model_dump(mode="json")}
        typer.echo(jsonlib.dumps(told))
        return
    typer.echo(f"{made.id}: {made.localizations} localizations in {made.frames_processed} frames")
    tell_comparison(comparison, json=False)


def _reprocess(
    client: Client, acquisition_id: str, changes: dict[str, object], out: Path | None
) -> tuple[Acquisition, CommonComparison]:
    created = client.reprocess(acquisition_id, changes)
    made = client.wait(created.id, timeout_s=_PATIENCE_S)
    if made.state is not State.FINISHED:
        raise InvalidVideo(made.error or f"the server could not reprocess the acquisition ({made.state})")
    if out is not None:
        client.results(made.id, out)
    return made, client.compare(acquisition_id, made.id)
