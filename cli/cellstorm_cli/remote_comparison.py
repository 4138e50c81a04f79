"""Two acquisitions on a server, compared there; and how a comparison is told."""

from __future__ import annotations

import typer

from cellstorm.comparison import CommonComparison, Side
from cellstorm_cli import options
from cellstorm_client import Client


def compare_on_server(
    server: str, token: str | None, first: str, second: str, tolerance_nm: float, *, with_picture: bool
) -> tuple[CommonComparison, bytes | None]:
    """The comparison of two acquisitions, and a PNG of their difference.

    Raises
    ------
    CellstormError
        If the server cannot be reached, or refuses.
    """
    with Client(server, options.find_token(token)) as client:
        comparison = client.compare(first, second, tolerance_nm=tolerance_nm)
        return comparison, client.difference(first, second) if with_picture else None


def tell_comparison(result: CommonComparison, *, json: bool) -> None:
    """Print it."""
    if json:
        typer.echo(result.model_dump_json())
        return
    if result.same_recording is False:
        typer.echo("these are two recordings, by their videos' SHA-256: what is found in both means little")
    parts = [f"{name} {part}" for name, part in (("region", result.roi), ("frames", result.frames)) if part is not None]
    if parts:
        typer.echo(f"compared in {' and '.join(parts)}, which both have")
    for name, side in (("first", result.first), ("second", result.second)):
        typer.echo(f"{name}: {_side(side)}")
    if result.identical:
        typer.echo("the tables are identical")
    elif result.matched:
        typer.echo(
            f"{result.matched} pairs at most {result.tolerance_nm:g} nm apart (Jaccard {result.jaccard:.3f}); "
            f"second less first: x {result.offset_x_nm:+.1f} nm, y {result.offset_y_nm:+.1f} nm; "
            f"distance {result.distance_nm_rms:.1f} nm RMS{_photons(result.photon_ratio_median)}"
        )
    else:
        typer.echo("they have no localization in common")


def _photons(ratio: float | None) -> str:
    return "" if ratio is None else f"; photons of pairs x{ratio:.2f}"


def _side(side: Side) -> str:
    parts = [f"{side.localizations} localizations in {side.frames} frames"]
    if side.matched_share is not None:
        parts.append(f"{side.matched_share:.1%} of them in the other too")
    if side.photons_median is not None:
        parts.append(f"photons {side.photons_median:.0f}")
    if side.precision_nm_median is not None:
        parts.append(f"precision {side.precision_nm_median:.1f} nm")
    if side.resolution_nm is not None:
        parts.append(f"resolution {side.resolution_nm:.0f} nm")
    return ", ".join(parts)
