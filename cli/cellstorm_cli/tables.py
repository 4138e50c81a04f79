"""`render`, `convert`, `score`, `compare`: tables of localizations, whichever program wrote them, without a recording."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from cellstorm.acquisitions import STORED
from cellstorm.analysis.selection import Selection
from cellstorm.comparison import Part, check_comparable, compare_parts, draw_both
from cellstorm.errors import InvalidInput, InvalidSetting, in_words
from cellstorm.reconstruction import (
    MAX_OUTPUT_PIXELS,
    Method,
    Reconstruction,
    default_output_pixel_nm,
    fitting_output_pixel_nm,
)
from cellstorm.rendering import DEFAULT_PERCENTILE, Colormap, annotated_png, difference_png
from cellstorm.results import images, omezarr
from cellstorm.results.folder import FOLDER_NAMES, REPORT, TABLE_HDF5, origin_of
from cellstorm.results.formats import SUFFIXES, TableFile, TableFormat, cropped, write_table
from cellstorm.results.images import Depth
from cellstorm.results.picasso import TableInfo
from cellstorm.results.report import Report
from cellstorm.results.tables import read_table
from cellstorm.roi import RegionOfInterest
from cellstorm.scene import Scene
from cellstorm.scoring import DEFAULT_TOLERANCE_NM, inside, read_truth
from cellstorm.scoring import score as score_table
from cellstorm.writing import writing_to
from cellstorm_cli import options
from cellstorm_cli.remote_comparison import compare_on_server, tell_comparison

_IMAGES: Final = (".png", ".tif", ".ozx")

Table = Annotated[
    Path, typer.Argument(help="ThunderSTORM CSV, Picasso HDF5, rapidSTORM text, .smlm, or a result folder.")
]
PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size", metavar="NM", help="Camera pixel, where the table does not tell it."),
]
Range = Annotated[str | None, typer.Option(metavar="A:B", help="From A to B, both included.")]
Precision = Annotated[str | None, typer.Option("--precision", metavar="A:B", help="In nm.")]
PsfSigma = Annotated[str | None, typer.Option("--psf-sigma", metavar="A:B", help="In nm.")]
Density = Annotated[str | None, typer.Option("--density", metavar="A:B", help="Others in the frame, per µm².")]
Neighbours = Annotated[str | None, typer.Option(metavar="A:B", help="Others of any frame within --neighbourhood.")]
Neighbourhood = Annotated[
    float | None,
    typer.Option("--neighbourhood", min=0.1, metavar="NM", help="Of neighbours; 100 where it is not given."),
]
Drift = Annotated[bool, typer.Option("--drift", help="Take out the drift that the localizations show.")]
Linked = Annotated[bool, typer.Option("--linked", help="One row for each emitter.")]
Region = Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="In nm; or a polygon X,Y;X,Y;X,Y;…")]
Tolerance = Annotated[float, typer.Option(min=0.1, metavar="NM", help="At most so far apart.")]


def render(
    table: Table,
    out: Annotated[Path, typer.Option("--out", help="A .png with a scale bar, an .ome.tif or an .ozx (OME-Zarr).")],
    pixel_size: PixelSize = None,
    method: Annotated[Method, typer.Option("--render", help="How localizations are drawn.")] = "gaussian",
    pixel_nm: Annotated[float | None, typer.Option(min=0.1, metavar="NM", help="Output pixel.")] = None,
    colormap: Annotated[Colormap, typer.Option(help="Of a PNG.")] = "hot",
    percentile: Annotated[float, typer.Option(min=0.1, max=100, help="Of the lit pixels, white in a PNG.")] = (
        DEFAULT_PERCENTILE
    ),
    depth: Annotated[Depth, typer.Option(help="Values of a TIFF or OME-Zarr: float32 or 16 bits.")] = "float",
    frames: options.Frames = None,
    photons: Range = None,
    precision_nm: Precision = None,
    psf_sigma_nm: PsfSigma = None,
    probability: Range = None,
    density_per_um2: Density = None,
    neighbours: Neighbours = None,
    neighbourhood_nm: Neighbourhood = None,
    region: Region = None,
    drift: Drift = False,
    linked: Linked = False,
    crop: Annotated[bool, typer.Option("--crop", help="Draw only the camera pixels that hold localizations.")] = False,
) -> None:
    """Draw a table as an image."""
    if out.suffix not in _IMAGES:
        raise InvalidSetting(f"{out.name} tells no format; let it end in .png, .ome.tif or .ozx")
    chosen: dict[str, str | float | None] = {"frames": frames, "photons": photons, "precision_nm": precision_nm}
    chosen |= {"psf_sigma_nm": psf_sigma_nm, "probability": probability, "density_per_um2": density_per_um2}
    chosen |= {"neighbours": neighbours, "neighbourhood_nm": neighbourhood_nm, "region": region}
    whole = load(table, pixel_size)
    drawn = replace(whole, localizations=selection(chosen, drift=drift, linked=linked).of(whole.localizations))
    corner_nm = (-whole.info.pixel_size_nm / 2, -whole.info.pixel_size_nm / 2)
    if crop:
        drawn, corner_nm = cropped(drawn)
    rows, info = drawn.localizations, drawn.info
    output_nm = pixel_nm or _usual_pixel_nm(info, whole_in_memory=out.suffix == ".png")
    scene = Scene(rows, info.width_px, info.height_px, info.pixel_size_nm, method)
    with writing_to(out):
        if out.suffix == ".png":
            scene.grid(output_nm).check_fits(MAX_OUTPUT_PIXELS)
            image = Reconstruction(info.width_px, info.height_px, info.pixel_size_nm, output_nm, method).add(rows).image
            out.write_bytes(annotated_png(image, output_nm, colormap=colormap, percentile=percentile))
        elif out.suffix == ".ozx":
            omezarr.write(out, scene.levels(output_nm), corner_nm, whole.origin, depth=depth)
        else:
            notes = {**whole.origin, "Left upper corner [nm]": f"{corner_nm[0]:g}, {corner_nm[1]:g}"}
            images.write_reconstruction(out, scene.levels(output_nm), notes, depth=depth)
    grid = scene.grid(output_nm)
    typer.echo(f"{len(rows)} localizations on {grid.width}x{grid.height} pixels of {output_nm:g} nm in {out}")


def _usual_pixel_nm(info: TableInfo, *, whole_in_memory: bool) -> float:
    if whole_in_memory:
        return fitting_output_pixel_nm(info.width_px, info.height_px, info.pixel_size_nm)
    return default_output_pixel_nm(info.pixel_size_nm)


def convert(
    table: Table,
    to: Annotated[TableFormat, typer.Option("--to", help="The format to write.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="By default beside the table, with the other suffix.")
    ] = None,
    pixel_size: PixelSize = None,
    frames: options.Frames = None,
    photons: Range = None,
    precision_nm: Precision = None,
    psf_sigma_nm: PsfSigma = None,
    probability: Range = None,
    density_per_um2: Density = None,
    neighbours: Neighbours = None,
    neighbourhood_nm: Neighbourhood = None,
    region: Region = None,
    drift: Drift = False,
    linked: Linked = False,
) -> None:
    """Write a table in another program's format."""
    chosen: dict[str, str | float | None] = {"frames": frames, "photons": photons, "precision_nm": precision_nm}
    chosen |= {"psf_sigma_nm": psf_sigma_nm, "probability": probability, "density_per_um2": density_per_um2}
    chosen |= {"neighbours": neighbours, "neighbourhood_nm": neighbourhood_nm, "region": region}
    whole = load(table, pixel_size)
    rows = selection(chosen, drift=drift, linked=linked).of(whole.localizations)
    target = out or _beside(table, to)
    if target.resolve() == table.resolve():
        raise InvalidSetting(f"{target.name} would replace the table itself; name another file with --out")
    if target.suffix != SUFFIXES[to]:
        raise InvalidSetting(f"a {to} table is a {SUFFIXES[to]} file; let --out end so")
    with writing_to(target):
        write_table(target, replace(whole, localizations=rows), to)
    typer.echo(f"{len(rows)} localizations in {target}")


def _beside(table: Path, to: TableFormat) -> Path:
    """Where a table goes that nobody has named a place for: nothing that is there already is replaced by it.

    Raises
    ------
    InvalidSetting
        If something is there.
    """
    suffix = SUFFIXES[to]
    target = table.with_name(table.resolve().name + suffix) if table.is_dir() else table.with_suffix(suffix)
    companions = [target, target.with_suffix(".yaml")] if to == "picasso" else [target]
    there = next((each for each in companions if each.exists()), None)
    if there is not None and there.resolve() != table.resolve():
        raise InvalidSetting(f"{there} is there already; name another file with --out, or that one, to replace it")
    return target


def score(
    table: Table,
    truth: Annotated[Path, typer.Argument(help="CSV of frame, x_nm, y_nm, photons, on.")],
    pixel_size: PixelSize = None,
    tolerance: Tolerance = DEFAULT_TOLERANCE_NM,
    border: Annotated[float, typer.Option(min=0.0, metavar="NM", help="Left out at the image's edges.")] = 0.0,
    json: options.Json = False,
) -> None:
    """Hold a table against what was really there."""
    whole = load(table, pixel_size)
    try:
        reference = read_truth(truth)
    except OSError as error:
        raise InvalidInput(f"{truth} cannot be read ({error.strerror}); check its name and permissions") from error
    rows, info = whole.localizations, whole.info
    if border > 0:
        width_nm, height_nm = ((side - 1) * info.pixel_size_nm for side in (info.width_px, info.height_px))
        rows, reference = (inside(each, width_nm, height_nm, border) for each in (rows, reference))
    reached = score_table(rows, reference, tolerance)
    if json:
        typer.echo(jsonlib.dumps(asdict(reached)))
        return
    rmse = "-" if reached.rmse_lateral_nm is None else f"{reached.rmse_lateral_nm:.1f} nm"
    typer.echo(
        f"Jaccard {reached.jaccard:.3f} (detection precision {reached.detection_precision:.3f}, recall {reached.recall:.3f}), "
        f"RMSE {rmse}; {reached.matched} matched, {reached.spurious} spurious, {reached.missed} missed"
    )


def compare(
    first: Annotated[str, typer.Argument(help="A table or result folder; with --server an acquisition's id.")],
    second: Annotated[str, typer.Argument(help="Likewise.")],
    pixel_size: PixelSize = None,
    tolerance: Tolerance = DEFAULT_TOLERANCE_NM,
    difference: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Write an image: orange only the first, blue only the second."),
    ] = None,
    server: Annotated[str | None, typer.Option(metavar="URL", help="Compare two acquisitions there.")] = None,
    token: options.Token = None,
    json: options.Json = False,
) -> None:
    """Hold two reconstructions of the same frames against each other."""
    if difference is not None and difference.suffix != ".png":
        raise InvalidSetting(f"the difference is a PNG; let {difference.name} end in .png")
    if server is not None:
        result, picture = compare_on_server(
            server, token, first, second, tolerance, with_picture=difference is not None
        )
    else:
        one, two = (load(Path(each), pixel_size) for each in (first, second))
        check_comparable(one.info.pixel_size_nm, two.info.pixel_size_nm)
        parts = _parts((Path(first), one), (Path(second), two))
        result = compare_parts(*parts, one.info.pixel_size_nm, tolerance)
        picture = None if difference is None else difference_png(*draw_both(*parts, one.info.pixel_size_nm))
    if difference is not None and picture is not None:
        with writing_to(difference):
            difference.write_bytes(picture)
    tell_comparison(result, json=json)


def load(path: Path, pixel_size_nm: float | None) -> TableFile:
    """The table in a file, or in a result folder, whose report tells what the table does not.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    file = path / TABLE_HDF5 if path.is_dir() else path
    report = _report_of(path)
    if pixel_size_nm is None and report is not None:
        pixel_size_nm = report.pixel_size_nm
    table = TableFile.of_imported(file.name, read_table(file, pixel_size_nm))
    return table if report is None or report.is_imported else _with_what_is_known(table, report)


def _with_what_is_known(table: TableFile, report: Report) -> TableFile:
    """Of a result folder's own table."""
    frame_count = max(table.info.frame_count, report.frames_received + report.frames_lost)
    info = replace(table.info, width_px=report.roi.width, height_px=report.roi.height, frame_count=frame_count)
    return replace(table, info=info, camera=report.camera, origin=origin_of(report))


def selection(chosen: Mapping[str, str | float | None], *, drift: bool, linked: bool) -> Selection:
    """What the options ask for.

    Raises
    ------
    InvalidSetting
        Naming the first option that is wrong.
    """
    given = {name: text for name, text in chosen.items() if text is not None}
    try:
        return Selection.model_validate({**given, "drift": drift, "linked": linked})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).removesuffix("_nm").removesuffix("_per_um2").replace("_", "-")
        raise InvalidSetting(f"--{option}: {in_words(first['msg'])}") from error


def _report_of(path: Path) -> Report | None:
    """Of a result folder, or of the one that a table lies in; None of any other table, and of another version's folder."""
    report = path / REPORT if path.is_dir() else path.with_name(REPORT)
    if not report.is_file() or not (path.is_dir() or path.name in FOLDER_NAMES):
        return None
    try:
        return Report.model_validate_json(report.read_bytes(), context=STORED)
    except (OSError, ValidationError):
        return None


def _parts(first: tuple[Path, TableFile], second: tuple[Path, TableFile]) -> tuple[Part, Part]:
    """Where both were looked for, as their reports tell; without these, all of one field."""
    tables = [table for _, table in (first, second)]
    reports = [report for path, _ in (first, second) if (report := _report_of(path)) is not None]
    if len(reports) == len(tables):
        asked = [None if report.settings is None else report.settings.frames for report in reports]
        one, two = (
            Part(table.localizations, report.roi, frames, report.origin)
            for table, report, frames in zip(tables, reports, asked, strict=True)
        )
        return one, two
    width, height = (max(getattr(each.info, side) for each in tables) for side in ("width_px", "height_px"))
    field = RegionOfInterest.model_construct(x=0, y=0, width=width, height=height)  # may be smaller than a region
    one, two = (Part(table.localizations, field) for table in tables)
    return one, two
