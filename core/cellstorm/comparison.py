"""Two reconstructions of the same frames side by side: what both have found, how far apart, and how good each is.

Localizations belong together when they are in the same frame and less than the tolerance apart; the assignment is optimal,
one to one (cellstorm.scoring). Neither side is the truth. Of recordings of which one was localized in part only, what both
were looked for in is compared: what lies outside would count as disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import FrameRange, FramesSetting, RoiSetting
from cellstorm.analysis.resolution import ring_correlation
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Reconstruction, fitting_output_pixel_nm
from cellstorm.roi import LEAST_SIDE, RegionOfInterest
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
    matched: int = Field(description="Pairs of localizations in the same frame, less than the tolerance apart.")
    jaccard: float | None = Field(description="Pairs by all that either has found.")
    offset_x_nm: float | None = Field(description="Median of second less first.")
    offset_y_nm: float | None
    distance_nm_rms: float | None
    photon_ratio_median: float | None = Field(description="Second over first.")
    identical: bool = Field(description="Whether all rows are the same, as far as files keep them.")


class CommonComparison(Comparison):
    """Likewise of two acquisitions: of what both were asked to localize in, alone."""

    same_recording: bool | None = Field(description="Whether both were made of one video; null where nothing tells.")

    roi: RoiSetting | None = Field(
        description="X,Y,W,H in the camera's frame, where both were compared; null for the same region of both, all of it."
    )
    frames: FramesSetting | None = Field(
        description="A:B, which of them were compared; null for the same frames of both, all of them."
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """What a table was made of.

    Attributes
    ----------
    acquisitions
        Its own id and that of the one whose kept video it was made of.
    video_sha256
        None where it is not known.
    """

    acquisitions: frozenset[str] = frozenset()
    video_sha256: str | None = None

    def is_of(self, other: Origin) -> bool | None:
        """Whether both are of one recording; None where nothing tells."""
        if self.acquisitions & other.acquisitions:
            return True
        if self.video_sha256 is None or other.video_sha256 is None:
            return None
        return self.video_sha256 == other.video_sha256


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A table, and where in a recording its molecules were looked for.

    Attributes
    ----------
    roi
        Of the camera's frame; positions begin at the centre of its pixel (0, 0).
    frames
        None for all.
    """

    table: Localizations
    roi: RegionOfInterest
    frames: FrameRange | None = None
    origin: Origin = Origin()


def compare_parts(
    first: Part, second: Part, pixel_size_nm: float, tolerance_nm: float = DEFAULT_TOLERANCE_NM
) -> CommonComparison:
    """Compare what lies in the region and in the frames that both have.

    Raises
    ------
    InvalidSetting
        If they have none in common.
    """
    one, two = common_parts(first, second, pixel_size_nm)
    found = compare(one.table, two.table, tolerance_nm)
    return CommonComparison(
        **dict(found),
        same_recording=first.origin.is_of(second.origin),
        roi=None if first.roi == second.roi else one.roi,
        frames=None if _bounds(first.frames) == _bounds(second.frames) else one.frames,
    )


def common_parts(first: Part, second: Part, pixel_size_nm: float) -> tuple[Part, Part]:
    """Both, cut to the region and to the frames that they have in common.

    Raises
    ------
    InvalidSetting
        If they have none in common.
    """
    roi, frames = _common_region(first.roi, second.roi), _common_frames(first.frames, second.frames)
    one, two = (Part(_frames_of(_region_of(part, roi, pixel_size_nm), frames), roi, frames) for part in (first, second))
    return one, two


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


def draw_both(first: Part, second: Part, pixel_size_nm: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All of both on the same output pixels, of the rectangle that holds both regions."""
    hull = _hull(first.roi, second.roi)
    output_nm = fitting_output_pixel_nm(hull.width, hull.height, pixel_size_nm)
    images = (
        Reconstruction(hull.width, hull.height, pixel_size_nm, output_nm).add(_moved(part, hull, pixel_size_nm)).image
        for part in (first, second)
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


def _common_region(first: RegionOfInterest, second: RegionOfInterest) -> RegionOfInterest:
    left, top = max(first.x, second.x), max(first.y, second.y)
    width = min(first.x + first.width, second.x + second.width) - left
    height = min(first.y + first.height, second.y + second.height) - top
    if first != second and min(width, height) < LEAST_SIDE:
        raise InvalidSetting(
            f"regions {first} and {second} have less than {LEAST_SIDE}x{LEAST_SIDE} pixels in common; "
            "compare acquisitions whose regions overlap"
        )
    return RegionOfInterest.model_construct(x=left, y=top, width=width, height=height)  # frames may be smaller still


def _common_frames(first: FrameRange | None, second: FrameRange | None) -> FrameRange | None:
    bounds = [_bounds(first), _bounds(second)]
    start = max(one for one, _ in bounds)
    stops = [stop for _, stop in bounds if stop is not None]
    if not start and not stops:
        return None
    stop = min(stops, default=None)
    if stop is not None and stop <= start:
        raise InvalidSetting(
            f"frames {first or FrameRange()} and {second or FrameRange()} have none in common; "
            "compare acquisitions whose frames overlap"
        )
    return FrameRange(start=start, stop=stop)


def _bounds(frames: FrameRange | None) -> tuple[int, int | None]:
    return (0, None) if frames is None else (frames.start, frames.stop)


def _hull(first: RegionOfInterest, second: RegionOfInterest) -> RegionOfInterest:
    left, top = min(first.x, second.x), min(first.y, second.y)
    width = max(first.x + first.width, second.x + second.width) - left
    height = max(first.y + first.height, second.y + second.height) - top
    return RegionOfInterest.model_construct(x=left, y=top, width=width, height=height)


def _moved(part: Part, roi: RegionOfInterest, pixel_size_nm: float) -> Localizations:
    """All rows, with the region's left upper pixel as their origin."""
    if (part.roi.x, part.roi.y) == (roi.x, roi.y):
        return part.table
    moved = part.table.copy()
    moved["x_nm"] += np.float32((part.roi.x - roi.x) * pixel_size_nm)
    moved["y_nm"] += np.float32((part.roi.y - roi.y) * pixel_size_nm)
    return moved


def _region_of(part: Part, roi: RegionOfInterest, pixel_size_nm: float) -> Localizations:
    """Rows within the region, with its left upper pixel as their origin."""
    if part.roi == roi:
        return part.table
    moved = _moved(part, roi, pixel_size_nm)
    inside = np.ones(len(moved), bool)
    for axis, side_px in (("x_nm", roi.width), ("y_nm", roi.height)):
        inside &= (moved[axis] >= -0.5 * pixel_size_nm) & (moved[axis] < (side_px - 0.5) * pixel_size_nm)
    return moved[inside]


def _frames_of(table: Localizations, frames: FrameRange | None) -> Localizations:
    if frames is None:
        return table
    is_in = table["frame"] >= frames.start
    return table[is_in if frames.stop is None else is_in & (table["frame"] < frames.stop)]


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
