"""Which localizations are wanted: one model for the command line, HTTP queries and reports.

Every condition is a text, the same wherever it is given (`--photons 500:`, `?photons=500:`, `"photons": "500:"`), checked
when the model is made and read when it is applied:

    frames        A:B   frames A to B-1, counted from 0
    region        X,Y,W,H in nm, or a polygon's corners X,Y;X,Y;X,Y;…; both in the table's own coordinates
    all others    A:B   from A to B, both included; either may be left out

A row must meet all conditions. What a column does not tell (NaN) meets none that asks for it. First the rows are judged
each by itself. `density_per_um2` then looks at the whole table's frames, since what else shone there disturbed the fit
whether it is wanted or not; `neighbours` looks at what has passed until then, since that is what the image will show.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from scipy.spatial import KDTree

from cellstorm.acquisitions import FrameRange
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations

_COLUMNS: Final = ("photons", "background_photons", "precision_nm", "psf_sigma_nm", "probability")
_DENSITY_RADIUS_NM: Final = 1000.0
_DENSITY_AREA_UM2: Final = math.pi * (_DENSITY_RADIUS_NM / 1000) ** 2
_MAX_NEIGHBOURS: Final = 500
"""More are never counted: what a filter of noise needs is a handful, and the cost follows the number."""
_MAX_CORNERS: Final = 200
_ROWS_AT_A_TIME: Final = 100_000

Mask = NDArray[np.bool_]
Positions = NDArray[np.float64]


def parse_range(text: str) -> tuple[float, float]:
    """The bounds of `A:B`, both included; one that is left out is infinite.

    Raises
    ------
    InvalidSetting
        If it is no such range, or an empty one.
    """
    try:
        low, high = text.split(":")
        bounds = (float(low or -math.inf), float(high or math.inf))
    except ValueError as error:
        raise InvalidSetting(f"range {text!r} must be A:B, two numbers of which one may be left out") from error
    if not bounds[0] <= bounds[1]:
        raise InvalidSetting(f"range {text!r} is empty; A must not be greater than B")
    return bounds


def parse_region(text: str) -> Positions:
    """(corners, 2) of the polygon that `text` names, in nm; a rectangle `X,Y,W,H` has four.

    Raises
    ------
    InvalidSetting
        If it is neither a rectangle nor a polygon of three corners or more.
    """
    try:
        points = [[float(part) for part in point.split(",")] for point in text.strip(";").split(";")]
        if len(points) == 1:
            x, y, width, height = points[0]
            points = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
            if not (width > 0 and height > 0):
                raise ValueError
        corners = np.array(points, np.float64)
        if corners.shape[1:] != (2,) or not 3 <= len(corners) <= _MAX_CORNERS or not np.isfinite(corners).all():
            raise ValueError
    except ValueError as error:
        raise InvalidSetting(
            f"region {text!r} must be X,Y,W,H or X,Y;X,Y;X,Y;… in nm, with 3 to {_MAX_CORNERS} corners"
        ) from error
    return corners


def _check_range(text: str) -> str:
    try:
        parse_range(text)
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    return text


def _check_neighbours(text: str) -> str:
    _, high = parse_range(_check_range(text))
    low = parse_range(text)[0]
    if low > _MAX_NEIGHBOURS or _MAX_NEIGHBOURS < high < math.inf:
        raise ValueError(f"at most {_MAX_NEIGHBOURS} neighbours are counted; choose smaller bounds")
    return text


def _check_frames(text: str) -> str:
    try:
        FrameRange.parse(text)
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    return text


def _check_region(text: str) -> str:
    try:
        parse_region(text)
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    return text


Range = Annotated[str, AfterValidator(_check_range), Field(max_length=80)]


class Filters(BaseModel):
    """A localization must meet all conditions that are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Annotated[str, AfterValidator(_check_frames), Field(max_length=80)] | None = Field(
        default=None, description="A:B, frames A to B-1."
    )
    photons: Range | None = Field(default=None, description="A:B, both included.")
    background_photons: Range | None = Field(default=None, description="A:B, per camera pixel, both included.")
    precision_nm: Range | None = Field(default=None, description="A:B, both included.")
    psf_sigma_nm: Range | None = Field(default=None, description="A:B, width of the spot, both included.")
    probability: Range | None = Field(default=None, description="A:B, both included.")
    density_per_um2: Range | None = Field(
        default=None, description="A:B, other localizations of the same frame within 1 µm, per µm²."
    )
    region: Annotated[str, AfterValidator(_check_region), Field(max_length=4000)] | None = Field(
        default=None, description="X,Y,W,H or X,Y;X,Y;X,Y;… in nm; what lies inside."
    )
    neighbours: Annotated[str, AfterValidator(_check_neighbours), Field(max_length=80)] | None = Field(
        default=None,
        description="A:B, other localizations of any frame within neighbourhood_nm; single ones are noise.",
    )
    neighbourhood_nm: float = Field(default=100.0, gt=0, le=10_000, description="What counts as near for neighbours.")

    def apply(self, table: Localizations) -> Localizations:
        """The rows that pass, in their order."""
        return table[self.keeps(table)]

    def keeps(self, table: Localizations) -> Mask:
        """(n,) whether each row of `table` passes."""
        keep = np.ones(len(table), bool)
        if self.frames is not None:
            frames = FrameRange.parse(self.frames)
            keep &= table["frame"] >= frames.start
            if frames.stop is not None:
                keep &= table["frame"] < frames.stop
        for column in _COLUMNS:
            text = getattr(self, column)
            if text is not None:
                low, high = parse_range(text)
                keep &= (table[column] >= low) & (table[column] <= high)
        if self.region is not None:
            keep &= _inside(_positions(table), parse_region(self.region))
        if self.density_per_um2 is not None:
            keep &= _is_dense(table, *parse_range(self.density_per_um2))
        if self.neighbours is not None:
            passed = np.flatnonzero(keep)
            keep[passed] = _has_neighbours(
                _positions(table)[passed], self.neighbourhood_nm, *parse_range(self.neighbours)
            )
        return keep


def _positions(table: Localizations) -> Positions:
    return np.stack([table["x_nm"], table["y_nm"]], axis=1).astype(np.float64)


def _inside(position: Positions, corners: Positions) -> Mask:
    """(n,) whether each of (n, 2) lies in the polygon, by the even-odd rule; on its left and upper border too."""
    inside = np.zeros(len(position), bool)
    x, y = position.T
    for (x_a, y_a), (x_b, y_b) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y >= min(y_a, y_b)) & (y < max(y_a, y_b))
        share = (y[crosses] - y_a) / (y_b - y_a)
        inside[crosses] ^= x[crosses] >= x_a + share * (x_b - x_a)
    return inside


def _is_dense(table: Localizations, low_per_um2: float, high_per_um2: float) -> Mask:
    """(n,) whether the others of each row's frame lie within these bounds of density around it."""
    apart_nm = 2 * _DENSITY_RADIUS_NM  # of frames, as a third dimension: no other frame lies in a ball
    place = np.column_stack([_positions(table), table["frame"].astype(np.float64) * apart_nm])
    known = np.flatnonzero(np.isfinite(place).all(axis=1))
    keep = np.zeros(len(table), bool)
    if not len(known):
        return keep
    tree = KDTree(place[known])
    for start in range(0, len(known), _ROWS_AT_A_TIME):
        part = known[start : start + _ROWS_AT_A_TIME]
        others = tree.query_ball_point(place[part], _DENSITY_RADIUS_NM, return_length=True) - 1
        density = others / _DENSITY_AREA_UM2
        keep[part] = (density >= low_per_um2) & (density <= high_per_um2)
    return keep


def _has_neighbours(position: Positions, within_nm: float, low: float, high: float) -> Mask:
    """(n,) whether from `low` to `high` others of (n, 2) lie within that distance of each.

    It is enough to ask how far the nearest `low`-th and the first beyond `high` are: crowded places cost no more.
    """
    known = np.flatnonzero(np.isfinite(position).all(axis=1))
    keep = np.zeros(len(position), bool)
    if not len(known) or high < 0:
        return keep
    tree = KDTree(position[known])
    for start in range(0, len(known), _ROWS_AT_A_TIME):
        part = known[start : start + _ROWS_AT_A_TIME]
        passes = np.ones(len(part), bool)
        if low > 0:
            passes &= _kth_distance(tree, position[part], math.ceil(low)) <= within_nm
        if high < math.inf:
            passes &= _kth_distance(tree, position[part], math.floor(high) + 1) > within_nm
        keep[part] = passes
    return keep


def _kth_distance(tree: KDTree, position: Positions, others: int) -> NDArray[np.float64]:
    """(n,) distance of each position's `others`-th neighbour; infinite where there are fewer."""
    distance, _ = tree.query(position, k=[others + 1])  # the nearest is the row itself
    return np.asarray(distance[:, 0], np.float64)
