"""Two reconstructions of the same frames side by side: what both have found, how far apart, and how good each is.

Localizations belong together when they are in the same frame and at most the tolerance apart; the assignment is optimal,
one to one (cellstorm.scoring). Neither side is the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.resolution import ring_correlation
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Reconstruction, default_output_pixel_nm
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import DEFAULT_TOLERANCE_NM, matches


class Side(BaseModel):
    """One of the two; medians are null where there are no localizations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    localizations: int
    frames: int = Field(description="That have a localization.")
    photons_median: float | None
    precision_nm_median: float | None
    resolution_nm: float | None = Field(description="Fourier ring correlation; null where it cannot be told.")
    matched_share: float | None = Field(description="Of its localizations, those that the other one has too.")


class Comparison(BaseModel):
    """What two tables have in common; distances are null where they share nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Side
    second: Side
    tolerance_nm: float
    matched: int = Field(description="Pairs of localizations in the same frame, at most the tolerance apart.")
    jaccard: float | None = Field(description="Pairs by all that either has found.")
    offset_x_nm: float | None = Field(description="Median of second less first.")
    offset_y_nm: float | None
    distance_nm_rms: float | None
    photon_ratio_median: float | None = Field(description="Second over first.")
    identical: bool = Field(description="Whether all rows are the same, as far as files keep them.")


def compare(first: Localizations, second: Localizations, tolerance_nm: float = DEFAULT_TOLERANCE_NM) -> Comparison:
    """Compare two (n,) tables whose positions have the same origin."""
    one, two = matches(first, second, tolerance_nm)
    in_both = len(one)
    dx_nm, dy_nm = (second[axis][two].astype(np.float64) - first[axis][one] for axis in ("x_nm", "y_nm"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = second["photons"][two] / first["photons"][one]
    total = len(first) + len(second) - in_both
    return Comparison(
        first=_side(first, in_both),
        second=_side(second, in_both),
        tolerance_nm=tolerance_nm,
        matched=in_both,
        jaccard=in_both / total if total else None,
        offset_x_nm=_median(dx_nm),
        offset_y_nm=_median(dy_nm),
        distance_nm_rms=float(np.sqrt(np.mean(dx_nm**2 + dy_nm**2))) if in_both else None,
        photon_ratio_median=_median(ratio),
        identical=_are_same(first, second),
    )


def in_frame_coordinates(table: Localizations, roi: RegionOfInterest, pixel_size_nm: float) -> Localizations:
    """A copy whose origin is the centre of the whole frame's pixel (0, 0), whatever region was localized in."""
    moved = table.copy()
    moved["x_nm"] += np.float32(roi.x * pixel_size_nm)
    moved["y_nm"] += np.float32(roi.y * pixel_size_nm)
    return moved


def draw_both(
    first: Localizations, second: Localizations, width_px: int, height_px: int, pixel_size_nm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both tables' reconstructions on the same output pixels."""
    output_nm = default_output_pixel_nm(pixel_size_nm)
    images = (
        Reconstruction(width_px, height_px, pixel_size_nm, output_nm).add(table).image for table in (first, second)
    )
    one, two = images
    return one, two


def check_comparable(first_pixel_nm: float, second_pixel_nm: float) -> None:
    """Nothing.

    Raises
    ------
    InvalidSetting
        If the two were not made with the same camera pixel.
    """
    if first_pixel_nm != second_pixel_nm:
        raise InvalidSetting(
            f"one was made with camera pixels of {first_pixel_nm:g} nm and the other of {second_pixel_nm:g} nm; "
            "compare acquisitions of the same pixel size"
        )


def _are_same(first: Localizations, second: Localizations) -> bool:
    """Picasso's form rounds lengths to 2 parts in 10 million; a table that comes from there is the same all the same."""
    if len(first) != len(second) or not np.array_equal(first["frame"], second["frame"]):
        return False
    columns = [name for name in first.dtype.names or () if name != "frame"]
    return all(np.allclose(first[name], second[name], rtol=4e-7, atol=1e-4, equal_nan=True) for name in columns)


def _side(table: Localizations, matched: int) -> Side:
    return Side(
        localizations=len(table),
        frames=len(np.unique(table["frame"])),
        photons_median=_median(table["photons"]),
        precision_nm_median=_median(table["precision_nm"]),
        resolution_nm=ring_correlation(table).resolution_nm,
        matched_share=matched / len(table) if len(table) else None,
    )


def _median(values: NDArray[np.floating]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
