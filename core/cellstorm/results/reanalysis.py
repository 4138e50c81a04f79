"""A report made again, or made for a table that came from elsewhere.

Of a result folder everything stays but report.html and report.json, and those are exchanged whole. A table of another
program gets a folder with a report and a picture: what only its recording could tell is not in it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from cellstorm.acquisitions import STORED
from cellstorm.analysis.recording import RecordingQuality, examine
from cellstorm.analysis.summary import Analysis
from cellstorm.camera import PRESETS
from cellstorm.errors import InvalidInput, InvalidVideo
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Reconstruction, default_output_pixel_nm
from cellstorm.rendering import annotated_png
from cellstorm.results import html, picasso
from cellstorm.results.folder import (
    RECONSTRUCTION_PNG,
    REPORT,
    REPORT_HTML,
    TABLE_HDF5,
    VIDEO,
    WIDEFIELD_PNG,
)
from cellstorm.results.report import IMPORTED, Provenance, Report, circumstances
from cellstorm.results.tables import read_table
from cellstorm.roi import RegionOfInterest
from cellstorm.sources import open_source
from cellstorm.writing import writing_to

_MIN_SIDE_PX: Final = 8
_MAX_SIDE_PX: Final = 20_000
_MAX_PICTURE_PX: Final = 4000
"""Of a side of the picture in the report, where a table covers more than a camera does."""


def analyse_folder(folder: Path) -> Report:
    """Make the report of a result folder again, from its table and, where it is there, its video.

    Raises
    ------
    InvalidInput
        If it is no complete result folder, or cannot be written to.
    """
    try:
        old = Report.model_validate_json((folder / REPORT).read_bytes(), context=STORED)
        table, info = picasso.read(folder / TABLE_HDF5)
        widefield = (folder / WIDEFIELD_PNG).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{folder} is no complete result folder ({_what_is_wrong(error)}); give one that cellstorm wrote"
        ) from error
    seen = _examined(folder / VIDEO, old, table) or old.analysis.recording
    analysis = Analysis.of(table, circumstances(old, info.frame_count, seen))
    report = old.model_copy(update={"analysis": analysis})
    _write(folder, report, html.page(report, table, info.frame_count, widefield))
    return report


def _what_is_wrong(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        return f"its {REPORT} is none, or of another version"
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"it has no {Path(error.filename).name}"
    return str(error).splitlines()[0]


def analyse_table(path: Path, out: Path, pixel_size_nm: float | None = None) -> Report:
    """Make a report on any table that cellSTORM reads, into the folder `out`.

    Raises
    ------
    InvalidInput
        If it cannot be read, has no localizations, or its pixel size is not known; if `out` cannot be written to.
    """
    imported = read_table(path, pixel_size_nm)
    table, pixel_nm = imported.localizations.copy(), imported.pixel_size_nm or pixel_size_nm
    if pixel_nm is None:
        raise InvalidInput(f"{path.name} does not tell the camera's pixel size; give --pixel-size")
    if not len(table):
        raise InvalidInput(f"{path.name} holds no localizations; export the table again")
    frame_count = int(table["frame"].max()) + 1
    (left, width), (top, height) = (_span_px(table, name, pixel_nm) for name in ("x_nm", "y_nm"))
    table["x_nm"] -= left * np.float32(pixel_nm)
    table["y_nm"] -= top * np.float32(pixel_nm)
    # Some count from the middle of the field: there is no such pixel.
    field = RegionOfInterest(x=max(0, left), y=max(0, top), width=width, height=height)
    given = _provenance(path, imported.program, field, frame_count, pixel_nm)
    output_pixel_nm = max(
        default_output_pixel_nm(pixel_nm), max(given.roi.width, given.roi.height) * pixel_nm / _MAX_PICTURE_PX
    )
    drawn = Reconstruction(given.roi.width, given.roi.height, pixel_nm, output_pixel_nm).add(table).snapshot()
    report = Report.of(given, table, drawn, "gaussian", frame_count=frame_count)
    picture = annotated_png(drawn.image, drawn.output_pixel_nm)
    page = html.page(report, table, frame_count, None)
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / RECONSTRUCTION_PNG).write_bytes(picture)
    _write(out, report, page)
    return report


def _provenance(
    path: Path, program: str, field: RegionOfInterest, frame_count: int, pixel_size_nm: float
) -> Provenance:
    written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Provenance(
        acquisition_id=path.name,
        name=path.stem,
        created_at=written_at,
        finished_at=written_at,
        source={"kind": IMPORTED, "file": path.name, "program": program},
        frames_received=frame_count,
        frames_processed=frame_count,
        camera=PRESETS["phone"],
        roi=field,
        pixel_size_nm=pixel_size_nm,
        generator=GeneratorSpec(
            name=program, version="unknown", output="counts", context_frames=1, size_multiple=1, threshold=0.5
        ),
    )


def _span_px(table: Localizations, name: str, pixel_size_nm: float) -> tuple[int, int]:
    """First pixel that a table's localizations lie in, and how many they are spread over."""
    first, last = (int(np.floor(end / pixel_size_nm + 0.5)) for end in (table[name].min(), table[name].max()))
    if last - first > _MAX_SIDE_PX:
        raise InvalidInput(
            f"localizations are spread over {last - first} pixels; check the table's units and --pixel-size"
        )
    return first, max(_MIN_SIDE_PX, last - first + 1)


def _examined(video: Path, report: Report, table: Localizations) -> RecordingQuality | None:
    if not video.is_file():
        return None
    try:
        source = open_source(video)
    except InvalidVideo:
        return None
    frames = report.settings.frames if report.settings is not None else None
    return examine(source.chunks(), report.roi, report.frames_received, frames).facts(
        table,
        camera=report.camera,
        pixel_size_nm=report.pixel_size_nm,
        is_network=report.generator.output != "counts",
    )


def _write(folder: Path, report: Report, page: str) -> None:
    """Each whole or not at all; report.json last, as ever."""
    with writing_to(folder):
        for name, text in ((REPORT_HTML, page), (REPORT, report.model_dump_json(indent=2) + "\n")):
            part = folder / f".{name}.part"
            part.write_text(text, encoding="utf-8")
            os.replace(part, folder / name)
