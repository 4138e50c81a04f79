"""`reconstruct`: a recorded video or TIFF stack, in this process, without a server; same code, same result as the service.

Frames are decoded in a thread, one chunk ahead of the generator.
"""

from __future__ import annotations

import json as jsonlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cellstorm import localizations, maps, zoo
from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.analysis.recording import Examiner
from cellstorm.chunks import Chunk, ChunkHeader, Counts
from cellstorm.decoding import decode
from cellstorm.errors import InvalidChunk, InvalidInput, InvalidSetting, InvalidVideo
from cellstorm.file_names import readable_name
from cellstorm.generator import Generator
from cellstorm.localizations import Localizations
from cellstorm.pipeline import add_maps, localize_counts, select_frames
from cellstorm.results.extras import parse_extras
from cellstorm.results.folder import Results, check_folder, write_results
from cellstorm.results.report import Provenance
from cellstorm.results.reproduction import Recipe, in_effect, read_recipe, sha256_of, versions
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.sources import Source, open_source
from cellstorm_cli import options
from cellstorm_cli.machine import usable_cores
from cellstorm_worker.onnx_generator import WarmGenerators

_AHEAD: Final = 1
"""Decoded chunks that wait for the generator; one may hold a GiB."""


def reconstruct(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="A video, a TIFF stack or a folder of TIFFs; with --from, by default the report's."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--from", metavar="report.json", help="Make the same table again: all settings are the report's."),
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", metavar="NM", help="Camera pixel in the sample plane; 100 where it is not given."),
    ] = None,
    model: options.Model = None,
    roi: options.Roi = None,
    frames: options.Frames = None,
    camera: options.CameraOption = None,
    threshold: options.Threshold = None,
    frame_rate: options.FrameRate = None,
    name: options.Name = None,
    formats: options.Formats = None,
    json: options.Json = False,
) -> None:
    """Localize the molecules of a recording and write the result folder."""
    given = {
        "pixel_size_nm": pixel_size,
        "model": model,
        "roi": roi,
        "frames": frames,
        "camera": camera,
        "threshold": threshold,
        "frame_rate": frame_rate,
    }
    extras = parse_extras(formats or [])
    task = _task_of_report(recipe, file, given) if recipe is not None else _task(file, name, given)
    check_folder(out)
    source = open_source(task.file, frame_rate=task.settings.frame_rate)
    process = Settings.load()
    generators = WarmGenerators(process.zoo, provider=process.provider, threads=process.threads or usable_cores())
    generator = generators.get(task.settings.model)
    if task.recipe is not None:
        task.recipe.check_generator(generator.spec)
    created_at = datetime.now(UTC)
    tally = _with_progress(source, generator, task.settings)
    if notice := source.description.notice:
        Console(stderr=True).print(notice, highlight=False)
    results = replace(results_of(tally, source, task, generator, created_at), extras=extras)
    files = write_results(out, results)
    _tell(results, [path.name for path in files], out, json=json)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be reconstructed, and how.

    Attributes
    ----------
    recipe
        Of the report that is to be reproduced; None for a new reconstruction.
    """

    file: Path
    settings: AcquisitionSettings
    recipe: Recipe | None = None


def _task(file: Path | None, name: str | None, given: dict[str, Any]) -> Task:
    if file is None:
        raise InvalidInput("name the video or TIFF stack to reconstruct")
    usual: dict[str, Any] = {"pixel_size_nm": options.DEFAULT_PIXEL_SIZE_NM, "model": Settings.load().model}
    chosen = {option: value for option, value in given.items() if value is not None or option not in usual}
    settings = options.acquisition_settings(name=name or options.name_of(file), **(usual | chosen))
    return Task(file, settings)


def _task_of_report(report: Path, file: Path | None, given: dict[str, Any]) -> Task:
    changed = [name for name, value in given.items() if value is not None]
    if changed:
        option = changed[0].removesuffix("_nm").replace("_", "-")
        raise InvalidSetting(f"--from takes all settings from the report; leave out --{option}, or leave out --from")
    recipe = read_recipe(report)
    if file is None:
        file = report.parent / Path(recipe.file_name).name
        if not file.exists():
            raise InvalidInput(
                f"{file.name} does not lie beside {report.name}; name it: cellstorm reconstruct {file.name} --from {report}"
            )
    recipe.check_file(file)
    for name, (theirs, ours) in recipe.other_versions.items():
        Console(stderr=True).print(f"{name} was {theirs} and is {ours}: the last bits may differ", highlight=False)
    name = zoo.name_of(recipe.generator, Settings.load().zoo)
    return Task(file, recipe.settings.model_copy(update={"model": name}), recipe)


@dataclass
class Tally:
    """What came of a recording's chunks, so far.

    Attributes
    ----------
    widefield_sum
        (height, width) of the region of interest.
    map_sum
        Of the localization maps; None where the generator makes none.
    examiner
        Sees the chunks too, for the report's figures on the recording itself.
    next_frame
        1 + the last frame's index.
    """

    widefield_sum: NDArray[np.uint32]
    examiner: Examiner
    map_sum: NDArray[np.uint32] | None = None
    tables: list[Localizations] = field(default_factory=list)
    frames_received: int = 0
    frames_lost: int = 0
    frames_damaged: int = 0
    frames_processed: int = 0
    frames_left_out: int = 0
    frames_selected: int = 0
    next_frame: int = 0
    recording_s: float = 0.0
    processing_s: float = 0.0

    def count(self, header: ChunkHeader) -> None:
        """A chunk that came."""
        self.frames_received += header.frame_count + header.damaged
        self.frames_lost += header.lost
        self.frames_damaged += header.damaged
        self.next_frame = header.next_frame
        self.recording_s = header.times_s[-1]


def localize_recording(
    source: Source, generator: Generator, settings: AcquisitionSettings, on_frames: Callable[[int], None]
) -> Tally:
    """Localize in all chunks of a recording; `on_frames` is told how many frames are done.

    Raises
    ------
    InvalidVideo
        If no frame can be had.
    InvalidSetting
        If the region of interest reaches beyond the frame, or the recording has none of the frames that are asked for.
    """
    width, height = source.frame_size
    roi = (settings.roi or RegionOfInterest.default(width, height)).check_inside(width, height)
    camera = settings.camera or source.description.usual_camera
    tally = Tally(np.zeros((roi.height, roi.width), np.uint32), Examiner(settings.frames))
    began = time.monotonic()

    def prepare(chunk: Chunk) -> Counts | None:
        return decode(chunk, roi) if len(select_frames(chunk.header, settings)) else None

    for chunk, prepared in _ahead(prepare, source.chunks()):
        header = chunk.header
        tally.count(header)
        tally.frames_selected += len(select_frames(header, settings))
        try:
            counts = prepared.result()
        except InvalidChunk:
            tally.frames_damaged += header.frame_count
        else:
            tally.examiner.add(chunk, counts)
            if counts is None:
                tally.frames_left_out += header.frame_count
            else:
                result = localize_counts(
                    header, counts, generator, settings=settings, camera=camera, on_batch=lambda: None
                )
                tally.frames_processed += result.frame_count
                tally.frames_left_out += result.left_out
                tally.tables.append(result.localizations)
                tally.widefield_sum = maps.added(tally.widefield_sum, result.widefield_sum)
                tally.map_sum = add_maps(tally.map_sum, result.map_sum)
        on_frames(header.frame_count)
    tally.processing_s = time.monotonic() - began
    if not tally.frames_processed + tally.frames_left_out:
        raise InvalidVideo("no frame of the recording can be decoded; record or copy it again")
    if not tally.frames_selected:
        raise InvalidSetting(f"the recording has no frames {settings.frames}: it ends at {tally.next_frame}")
    return tally


def _ahead(
    prepare: Callable[[Chunk], Counts | None], chunks: Iterable[Chunk]
) -> Iterator[tuple[Chunk, Future[Counts | None]]]:
    """Each chunk and what `prepare` makes of it in a thread, while those before it are worked on."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting: deque[tuple[Chunk, Future[Counts | None]]] = deque()
        for chunk in chunks:
            waiting.append((chunk, thread.submit(prepare, chunk)))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting


def _with_progress(source: Source, generator: Generator, settings: AcquisitionSettings) -> Tally:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("frames", total=source.frame_count_estimate)
        return localize_recording(source, generator, settings, lambda frames: progress.advance(task, frames))


def results_of(tally: Tally, source: Source, task: Task, generator: Generator, created_at: datetime) -> Results:
    """What the result folder of a recording that is localized is made from."""
    width, height = source.frame_size
    settings = task.settings
    camera = settings.camera or source.description.usual_camera
    roi = settings.roi or RegionOfInterest.default(width, height)
    description = source.description.model_dump(mode="json", exclude_none=True)
    provenance = Provenance(
        acquisition_id=secrets.token_urlsafe(16),
        name=settings.name,
        created_at=created_at,
        finished_at=datetime.now(UTC),
        source={"file": readable_name(task.file), "sha256": sha256_of(task.file), **description},
        frames_received=tally.frames_received,
        frames_lost=tally.frames_lost,
        frames_damaged=tally.frames_damaged,
        frames_processed=tally.frames_processed,
        frames_left_out=tally.frames_left_out,
        camera=camera,
        roi=roi,
        pixel_size_nm=settings.pixel_size_nm,
        generator=generator.spec,
        settings=in_effect(settings, roi, camera),
        versions=versions(),
        recording_s=tally.recording_s if source.description.is_timed else None,
        processing_s=tally.processing_s,
    )
    table = localizations.concatenate(tally.tables)
    recording = tally.examiner.facts(
        table, camera=camera, pixel_size_nm=settings.pixel_size_nm, is_network=generator.spec.output != "counts"
    )
    return Results(table, tally.widefield_sum, tally.next_frame, provenance, map_sum=tally.map_sum, recording=recording)


def _tell(results: Results, files: list[str], folder: Path, *, json: bool) -> None:
    provenance = results.provenance
    frames_per_s = provenance.frames_processed / max(provenance.processing_s or 0.0, 1e-9)
    if json:
        told = {
            "folder": str(folder),
            "files": files,
            "frames_received": provenance.frames_received,
            "frames_lost": provenance.frames_lost,
            "frames_damaged": provenance.frames_damaged,
            "frames_processed": provenance.frames_processed,
            "localizations": len(results.localizations),
            "frames_per_s": round(frames_per_s, 1),
        }
        print(jsonlib.dumps(told))
        return
    print(
        f"{len(results.localizations)} localizations in {provenance.frames_processed} frames "
        f"({frames_per_s:.0f} frames/s), {provenance.frames_lost} lost, {provenance.frames_damaged} damaged; "
        f"the results are in {folder}"
    )
