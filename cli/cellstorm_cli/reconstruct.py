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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cellstorm import localizations
from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import Chunk, ChunkHeader, Counts
from cellstorm.decoding import decode
from cellstorm.errors import InvalidChunk, InvalidSetting, InvalidVideo
from cellstorm.generator import Generator
from cellstorm.localizations import Localizations
from cellstorm.pipeline import localize_counts, select_frames
from cellstorm.results.folder import Results, check_folder, write_results
from cellstorm.results.report import Provenance
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.sources import Source, open_source
from cellstorm_cli import options
from cellstorm_cli.machine import usable_cores
from cellstorm_worker.onnx_generator import WarmGenerators

_AHEAD: Final = 1
"""Decoded chunks that wait for the generator; one may hold a GiB."""


def reconstruct(
    file: Annotated[Path, typer.Argument(help="A video or a TIFF stack.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    pixel_size: options.PixelSize = options.DEFAULT_PIXEL_SIZE_NM,
    model: options.Model = None,
    roi: options.Roi = None,
    frames: options.Frames = None,
    camera: options.CameraOption = None,
    name: options.Name = None,
    json: options.Json = False,
) -> None:
    """Localize the molecules of a recording and write the result folder."""
    process = Settings.load(model=model)
    settings = options.acquisition_settings(
        name=name or file.stem[:200] or None,
        pixel_size_nm=pixel_size,
        model=process.model,
        roi=roi,
        frames=frames,
        camera=camera,
    )
    check_folder(out)
    source = open_source(file)
    generators = WarmGenerators(process.zoo, provider=process.provider, threads=process.threads or usable_cores())
    generator = generators.get(settings.model)
    created_at = datetime.now(UTC)
    tally = _with_progress(source, generator, settings)
    results = _results(tally, source, file.name, generator, settings, created_at)
    files = write_results(out, results)
    _tell(results, [path.name for path in files], out, json=json)


@dataclass
class Tally:
    """What came of a recording's chunks, so far.

    Attributes
    ----------
    widefield_sum
        (height, width) of the region of interest.
    next_frame
        1 + the last frame's index.
    """

    widefield_sum: NDArray[np.uint32]
    tables: list[Localizations] = field(default_factory=list)
    frames_received: int = 0
    frames_lost: int = 0
    frames_damaged: int = 0
    frames_processed: int = 0
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
    camera = settings.camera or DEFAULT_CAMERA
    tally = Tally(np.zeros((roi.height, roi.width), np.uint32))
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
            tally.frames_processed += header.frame_count
            if counts is not None:
                result = localize_counts(
                    header, counts, generator, settings=settings, camera=camera, on_batch=lambda: None
                )
                tally.tables.append(result.localizations)
                tally.widefield_sum += result.widefield_sum
        on_frames(header.frame_count)
    tally.processing_s = time.monotonic() - began
    if not tally.frames_processed:
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


def _results(
    tally: Tally,
    source: Source,
    file_name: str,
    generator: Generator,
    settings: AcquisitionSettings,
    created_at: datetime,
) -> Results:
    width, height = source.frame_size
    provenance = Provenance(
        acquisition_id=secrets.token_urlsafe(16),
        name=settings.name,
        created_at=created_at,
        finished_at=datetime.now(UTC),
        source={"file": file_name, **source.description.model_dump(mode="json", exclude_none=True)},
        frames_received=tally.frames_received,
        frames_lost=tally.frames_lost,
        frames_damaged=tally.frames_damaged,
        frames_processed=tally.frames_processed,
        camera=settings.camera or DEFAULT_CAMERA,
        roi=settings.roi or RegionOfInterest.default(width, height),
        pixel_size_nm=settings.pixel_size_nm,
        generator=generator.spec,
        recording_s=tally.recording_s,
        processing_s=tally.processing_s,
    )
    return Results(localizations.concatenate(tally.tables), tally.widefield_sum, tally.next_frame, provenance)


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
