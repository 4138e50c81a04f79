"""`analyse`: the report, made again for a result folder, or made for a table of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellstorm.errors import InvalidInput
from cellstorm.results.folder import REPORT_HTML
from cellstorm.results.reanalysis import analyse_folder, analyse_table
from cellstorm_cli import options


def analyse(
    source: Annotated[
        Path,
        typer.Argument(help="A result folder, or a ThunderSTORM, Picasso, rapidSTORM or .smlm table."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the report of a table; a result folder keeps its own.")
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option(
            "--pixel-size", metavar="NM", help="Camera pixel in the sample plane, where the table does not tell."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure resolution, precision, drift, blinking and quality, and write report.html and report.json."""
    if not source.exists():
        raise InvalidInput(f"there is no {source}; name a result folder or a table")
    if source.is_dir():
        if out is not None or pixel_size is not None:
            raise InvalidInput("a result folder has its place and its pixel size; leave out --out and --pixel-size")
        report, folder = analyse_folder(source), source
    else:
        if out is None:
            raise InvalidInput("name a folder for the report: --out DIR")
        report, folder = analyse_table(source, out, pixel_size), out
    if json:
        print(report.analysis.model_dump_json())
        return
    for finding in report.analysis.verdict:
        print(f"{finding.says} {finding.advice}")
    print(f"the report is {folder / REPORT_HTML}")
