"""The result folder, written whole or not at all.

Everything is written into a hidden folder first. Where the result folder is new, the hidden one lies beside it and
becomes it by one rename. Where it exists (it may be empty, a mounted volume or somebody's working directory, and must
stay the same folder) the hidden one lies inside; its complete files take their places one by one, and report.json, taken
away first, comes last. So a folder with a report.json is complete, and every file in it is at any time.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.analysis.recording import RecordingQuality
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.maps import in_counts
from cellstorm.reconstruction import Method, Reconstruction, Snapshot, fitting_output_pixel_nm
from cellstorm.rendering import annotated_png, widefield_png
from cellstorm.results import html, images, picasso, smlm, thunderstorm
from cellstorm.results.extras import EXTRA_NAMES, Extra, Material, write_extras
from cellstorm.results.report import Provenance, Report
from cellstorm.scene import array_levels
from cellstorm.writing import HIDDEN, check_writable, sync, writing_to

TABLE_CSV: Final = "localizations.csv"
TABLE_HDF5: Final = "localizations.hdf5"
TABLE_YAML: Final = "localizations.yaml"
TABLE_SMLM: Final = "localizations.smlm"
RECONSTRUCTION_TIFF: Final = "reconstruction.ome.tif"
RECONSTRUCTION_PNG: Final = "reconstruction.png"
WIDEFIELD_TIFF: Final = "widefield.ome.tif"
WIDEFIELD_PNG: Final = "widefield.png"
MAPS_TIFF: Final = "maps.ome.tif"
"""Of generators that make localization maps: their sum."""
REPORT_HTML: Final = "report.html"
REPORT: Final = "report.json"
VIDEO: Final = "video.mp4"
"""The stream as it was received; once in a folder it is never removed, since nothing can bring it back."""

RESULT_NAMES: Final = (
    TABLE_CSV,
    TABLE_HDF5,
    TABLE_YAML,
    TABLE_SMLM,
    RECONSTRUCTION_TIFF,
    RECONSTRUCTION_PNG,
    WIDEFIELD_TIFF,
    WIDEFIELD_PNG,
    VIDEO,
    REPORT_HTML,
    REPORT,
)
"""What every result folder holds (the video where it came live). report.json is the last to come."""

_SOMETIMES: Final = (MAPS_TIFF, *EXTRA_NAMES.values())
FOLDER_NAMES: Final = (*_SOMETIMES, *RESULT_NAMES)
"""All that a result folder may hold."""

_LEFTOVER_S: Final = 3600.0
"""What is hidden and older was left by a process that was killed."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a result folder is made from.

    Attributes
    ----------
    localizations
        In any order; they are written by frame.
    widefield_sum
        (height, width) sum of the processed frames' counts, in the region of interest.
    frame_count
        1 + the last frame's index; lost frames count.
    provenance
        Where they come from.
    output_pixel_nm
        Of the reconstruction; None for `fitting_output_pixel_nm`.
    method
        How the reconstruction is drawn.
    extras
        Files beyond those of every result folder.
    map_sum
        Of the localization maps, as `cellstorm.maps.sum_of` makes it; None where there are none.
    recording
        What was seen in the recording itself; None where it was not at hand.
    """

    localizations: Localizations
    widefield_sum: NDArray[np.unsignedinteger] | NDArray[np.floating]
    frame_count: int
    provenance: Provenance
    output_pixel_nm: float | None = None
    method: Method = "gaussian"
    extras: frozenset[Extra] = frozenset()
    map_sum: NDArray[np.uint32] | None = None
    recording: RecordingQuality | None = None


def check_folder(folder: Path) -> None:
    """Nothing, if results may be written to `folder`: worth asking before hours of work.

    Raises
    ------
    InvalidSetting
        If it is a file, holds files that are not results, or cannot be written to.
    """
    with writing_to(folder):
        _check_contents(folder)
    check_writable(folder)


def _check_contents(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InvalidSetting(f"{folder} is a file; choose a folder for the results")
    others = sorted(
        entry.name for entry in folder.iterdir() if entry.name not in FOLDER_NAMES and not entry.name.startswith(HIDDEN)
    )
    if others:
        raise InvalidSetting(
            f"{folder} holds other files ({others[0]}); choose a new or an empty folder for the results"
        )


def write_results(folder: Path, results: Results, *, video: Path | None = None) -> list[Path]:
    """Write the result folder and return its files; `video` is linked into it, or copied where that cannot be.

    Raises
    ------
    InvalidSetting
        If `folder` cannot be written to or holds files that are not results.
    StorageFull
        If the disk has no room. The folder is then as it was before.
    """
    folder = folder.resolve()
    with written_whole(folder) as hidden:
        _write_files(hidden, results, video)
    return [folder / name for name in FOLDER_NAMES if (folder / name).exists()]


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A hidden folder whose files become those of the result folder when the context ends well; else that stays as it is.

    Raises
    ------
    InvalidSetting
        If `folder` cannot be written to or holds files that are not results.
    StorageFull
        If the disk has no room.
    """
    folder = folder.resolve()
    with writing_to(folder):
        _check_contents(folder)
        existed = folder.exists()
        hidden = _make_hidden(folder, inside=existed)
        try:
            yield hidden
            if existed:
                _move_in(hidden, folder)
            else:
                hidden.rename(folder)
            sync(folder if existed else folder.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def _make_hidden(folder: Path, *, inside: bool) -> Path:
    parent, prefix = (folder, HIDDEN) if inside else (folder.parent, f".{folder.name}{HIDDEN}")
    parent.mkdir(parents=True, exist_ok=True)
    for entry in parent.iterdir():
        if entry.name.startswith(prefix) and time.time() - entry.stat().st_mtime > _LEFTOVER_S:
            shutil.rmtree(entry, ignore_errors=True)
    hidden = parent / (prefix + secrets.token_hex(4))
    hidden.mkdir()
    return hidden


def _write_files(folder: Path, results: Results, video: Path | None) -> None:
    provenance = results.provenance
    localizations = results.localizations[np.argsort(results.localizations["frame"], kind="stable")]
    thunderstorm.write(folder / TABLE_CSV, localizations, provenance.pixel_size_nm)
    _write_hdf5(folder / TABLE_HDF5, localizations, results)
    smlm.write(folder / TABLE_SMLM, localizations, _table_info(results))
    snapshot = _reconstruct(localizations, results)
    levels = array_levels(snapshot.image, snapshot.output_pixel_nm)
    origin = origin_of(provenance)
    images.write_reconstruction(folder / RECONSTRUCTION_TIFF, levels, origin)
    if results.map_sum is not None:
        pixel_nm = provenance.pixel_size_nm / provenance.generator.upsampling
        images.write_maps(folder / MAPS_TIFF, in_counts(results.map_sum), pixel_nm, origin)
    write_extras(folder, results.extras, Material(localizations, _table_info(results), levels, origin))
    widefield = widefield_png(results.widefield_sum)
    (folder / RECONSTRUCTION_PNG).write_bytes(annotated_png(snapshot.image, snapshot.output_pixel_nm))
    images.write_widefield(folder / WIDEFIELD_TIFF, results.widefield_sum, provenance.pixel_size_nm)
    (folder / WIDEFIELD_PNG).write_bytes(widefield)
    report = Report.of(
        provenance,
        localizations,
        snapshot,
        results.method,
        frame_count=results.frame_count,
        recording=results.recording,
    )
    page = html.page(report, localizations, results.frame_count, widefield)
    (folder / REPORT_HTML).write_text(page, encoding="utf-8")
    (folder / REPORT).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if video is not None:
        _link_or_copy(video, folder / VIDEO)
    for path in (*folder.iterdir(), folder):
        sync(path)


def _write_hdf5(path: Path, localizations: Localizations, results: Results) -> None:
    provenance = results.provenance
    picasso.write(
        path,
        localizations,
        _table_info(results),
        provenance.camera,
        origin_of(provenance),
    )


def origin_of(provenance: Provenance) -> dict[str, str]:
    """What every file that can hold notes says of where it comes from."""
    generator = provenance.generator
    return {
        "Generated by": "cellSTORM",
        "Acquisition": provenance.acquisition_id,
        "Name": provenance.name,
        "Generator": f"{generator.name} {generator.version}",
        "Generator SHA-256": generator.sha256 or "no network",
    }


def _table_info(results: Results) -> picasso.TableInfo:
    height_px, width_px = results.widefield_sum.shape
    return picasso.TableInfo(width_px, height_px, results.frame_count, results.provenance.pixel_size_nm)


def _reconstruct(localizations: Localizations, results: Results) -> Snapshot:
    height_px, width_px = results.widefield_sum.shape
    pixel_size_nm = results.provenance.pixel_size_nm
    output_pixel_nm = results.output_pixel_nm
    if output_pixel_nm is None:
        output_pixel_nm = fitting_output_pixel_nm(width_px, height_px, pixel_size_nm)
    reconstruction = Reconstruction(width_px, height_px, pixel_size_nm, output_pixel_nm, results.method)
    return reconstruction.add(localizations).snapshot()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _move_in(hidden: Path, folder: Path) -> None:
    (folder / REPORT).unlink(missing_ok=True)
    for name in FOLDER_NAMES:
        if (hidden / name).exists():
            os.replace(hidden / name, folder / name)
        elif name in _SOMETIMES:  # of other localizations than the new ones
            (folder / name).unlink(missing_ok=True)
