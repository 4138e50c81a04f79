"""Drift of the stage by adaptive intersection maximisation (Ma et al., Science Advances 10, eadm7765, 2024).

The table is cut in time into segments of equally many localizations. A segment's drift is the shift at which it shares
the most localizations with all others: positions are put into cells of about the localization precision, and a shift's
score is the sum over cells of the smaller of the two counts. A first pass follows the drift from segment to segment on
coarse cells; further passes hold each segment, on fine ones, against all others as corrected so far (never against
itself, which would always find that it has not moved). The peak of the scores is fitted to a fraction of a cell. What the
segments tell is smoothed as far as their error goes, or a stage that stands still would seem to tremble by several times it.

Against redundant cross-correlation (Wang et al., Optics Express 22, 15982, 2014) on simulated filaments and rings this was
equal for smooth drift and nearer for drift that wanders; and its cost follows the localizations, not the field squared.
docs/analysis.md has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import least_squares

from cellstorm.analysis.precision import typical_precision_nm
from cellstorm.analysis.smoothing import smoothed
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations

Shifts = NDArray[np.float64]
"""(n, 2) of x and y, nm."""

MIN_LOCALIZATIONS: Final = 3000
ROWS_PER_SEGMENT: Final = 1000
MAX_SEGMENTS: Final = 100
_REACH_CELLS: Final = 6
"""Shifts that are tried to each side."""
_FINE_NM: Final = (10.0, 40.0)
_COARSE_NM: Final = 40.0
_REFINEMENTS: Final = 2
_TILE_NM: Final = 1000.0
_MAX_GRID_CELLS: Final = 24 * 2**20
"""96 MiB of counts."""
_MAX_FAILED: Final = 0.2
_MAX_FRAMES: Final = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Where the sample was in each frame, relative to the first.

    Attributes
    ----------
    x_nm, y_nm
        (frames,) float64, to be subtracted from positions. Before the first localization and after the last one nothing tells
        where it was: there it stays.
    uncertainty_x_nm, uncertainty_y_nm
        One sigma of the curve, from two halves of the field that know nothing of each other. What the sample did faster than
        a segment lasts is not in it.
    uncertainty_nm
        One sigma of `total_nm`.
    """

    x_nm: NDArray[np.float64]
    y_nm: NDArray[np.float64]
    uncertainty_x_nm: float
    uncertainty_y_nm: float
    uncertainty_nm: float

    @property
    def total_nm(self) -> float:
        """Diagonal of the rectangle that the sample moved in."""
        return float(math.hypot(np.ptp(self.x_nm), np.ptp(self.y_nm)))


def measure_drift(localizations: Localizations, frame_count: int) -> Drift | Unknown:
    """The drift over `frame_count` frames; `Unknown` where there is too little in common between them to tell.

    `localizations` is an (n,) table in any order; frames, positions and the median of `precision_nm` are used.
    """
    rows = localizations[np.isfinite(localizations["x_nm"]) & np.isfinite(localizations["y_nm"])]
    if len(rows) < MIN_LOCALIZATIONS:
        return Unknown(f"drift needs {MIN_LOCALIZATIONS} localizations or more, and there are {len(rows)}")
    if frame_count > _MAX_FRAMES:
        return Unknown(f"drift is told of at most {_MAX_FRAMES:,} frames, and these are {frame_count:,}")
    segments = _segments(rows)
    if len(segments) < 3:
        return Unknown("nearly all localizations are in one or two frames")
    positions = [np.stack([rows["x_nm"][part], rows["y_nm"][part]], axis=1).astype(np.float64) for part in segments]
    shifts = _follow(positions)
    fine_nm = float(np.clip(typical_precision_nm(rows), *_FINE_NM))
    for _ in range(_REFINEMENTS):
        shifts = _refined(positions, shifts, fine_nm)
    uncertainty = _uncertainty(positions, shifts, fine_nm)
    if uncertainty is None or max(uncertainty) > fine_nm:
        return Unknown("different times of the recording have too little structure in common to tell how it drifted")
    frames = np.array([rows["frame"][part].mean(dtype=np.float64) for part in segments])
    told = int(rows["frame"].min()), int(rows["frame"].max())
    x, y = (_course(frames, shifts[:, axis], uncertainty[axis], told, frame_count) for axis in (0, 1))
    total_uncertainty_nm = math.hypot(x.range_uncertainty_nm, y.range_uncertainty_nm)
    return Drift(
        x.by_frame_nm,
        y.by_frame_nm,
        x.uncertainty_nm,
        y.uncertainty_nm,
        total_uncertainty_nm,
    )


def corrected(localizations: Localizations, drift: Drift) -> Localizations:
    """A copy of the table as if the sample had stayed where it was in the first frame; the original stays as it is.

    Frames after the last one of `drift` are corrected by its last value.
    """
    copy = localizations.copy()
    frame = np.minimum(copy["frame"], len(drift.x_nm) - 1)
    copy["x_nm"] -= drift.x_nm[frame].astype(np.float32)
    copy["y_nm"] -= drift.y_nm[frame].astype(np.float32)
    return copy


def _segments(rows: Localizations) -> list[NDArray[np.intp]]:
    """Indices of rows, cut in time into parts of about equally many; a frame is never in two of them."""
    order = np.argsort(rows["frame"], kind="stable")
    frames = rows["frame"][order]
    count = min(MAX_SEGMENTS, len(rows) // ROWS_PER_SEGMENT)
    wanted = np.linspace(0, len(rows), count + 1).astype(np.intp)[1:-1]
    cuts = np.unique(np.searchsorted(frames, frames[wanted]))
    return [part for part in np.split(order, cuts) if len(part)]


class _Grid:
    """Counts of localizations by cell, with a margin for all shifts that are tried."""

    def __init__(self, positions: list[NDArray[np.float64]], shifts: Shifts, cell_nm: float) -> None:
        low = np.min([part.min(axis=0) for part in positions], axis=0) - np.ptp(shifts, axis=0)
        high = np.max([part.max(axis=0) for part in positions], axis=0) + np.ptp(shifts, axis=0)
        area_nm2 = float(np.prod(high - low + 1))
        self.cell_nm = float(max(cell_nm, math.sqrt(area_nm2 / _MAX_GRID_CELLS)))
        # What is followed may wander further than is known yet: positions that leave the grid are not counted.
        margin = 4 * _REACH_CELLS
        self._origin = low - margin * self.cell_nm
        self._width, self._height = ((high - low) / self.cell_nm).astype(int) + 2 * margin + 1
        self._counts = np.zeros(self._width * self._height, np.int32)
        span = np.arange(-_REACH_CELLS, _REACH_CELLS + 1)
        self._steps = (span[:, None] * self._width + span).ravel()

    def add(self, positions: NDArray[np.float64], sign: int = 1) -> None:
        """Count these (n, 2) positions, or count them no more."""
        cells, counts = self._cells(positions)
        self._counts[cells] += (sign * counts).astype(np.int32)

    def shift(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2,) x and y in nm by which these (n, 2) positions lie off what is counted; NaN where that cannot be told."""
        cells, counts = self._cells(positions)
        scores = np.array([np.minimum(self._counts[cells + step], counts).sum() for step in self._steps], np.float64)
        return -_peak(scores.reshape(2 * _REACH_CELLS + 1, -1)) * self.cell_nm

    def _cells(self, positions: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        column, row = ((positions - self._origin) / self.cell_nm).astype(np.intp).T
        reach = _REACH_CELLS
        inside = (column >= reach) & (column < self._width - reach) & (row >= reach) & (row < self._height - reach)
        cells, counts = np.unique(row[inside] * self._width + column[inside], return_counts=True)
        return cells, counts


def _peak(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) x and y of the maximum, in cells from the middle, by a round Gaussian on a level ground; NaN where there is none."""
    rows, columns = np.mgrid[-_REACH_CELLS : _REACH_CELLS + 1, -_REACH_CELLS : _REACH_CELLS + 1].astype(float)

    def misfit(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        height, x, y, sigma, ground = parameters
        squared = (columns - x) ** 2 + (rows - y) ** 2
        return np.asarray(height * np.exp(-squared / (2 * sigma**2)) + ground - scores, np.float64).ravel()

    top = np.unravel_index(np.argmax(scores), scores.shape)
    height = float(np.ptp(scores))
    if height == 0:
        return np.full(2, np.nan)
    found = least_squares(misfit, [height, columns[top], rows[top], 2.0, scores.min()], method="lm", max_nfev=400)
    x, y = found.x[1:3]
    is_peak = found.success and found.x[0] > 0 and max(abs(x), abs(y)) <= _REACH_CELLS
    return np.array([x, y]) if is_peak else np.full(2, np.nan)


def _follow(positions: list[NDArray[np.float64]]) -> Shifts:
    """Each segment's drift against all before it, beginning where the one before was found."""
    shifts = np.zeros((len(positions), 2))
    grid = _Grid(positions, shifts, _COARSE_NM)
    grid.add(positions[0])
    for index in range(1, len(positions)):
        guess = shifts[index - 1]
        shifts[index] = guess + np.nan_to_num(grid.shift(positions[index] - guess))
        grid.add(positions[index] - shifts[index])
    return shifts


def _refined(positions: list[NDArray[np.float64]], shifts: Shifts, cell_nm: float) -> Shifts:
    """Each segment's drift against all others; where that fails, as it was."""
    better = shifts.copy()
    grid = _full_grid(positions, better, cell_nm)
    for index, part in enumerate(positions):
        grid.add(part - better[index], -1)
        better[index] += np.nan_to_num(grid.shift(part - better[index]))
        grid.add(part - better[index])
    return better


def _full_grid(positions: list[NDArray[np.float64]], shifts: Shifts, cell_nm: float) -> _Grid:
    grid = _Grid(positions, shifts, cell_nm)
    for part, shift in zip(positions, shifts, strict=True):
        grid.add(part - shift)
    return grid


def _uncertainty(positions: list[NDArray[np.float64]], shifts: Shifts, cell_nm: float) -> tuple[float, float] | None:
    """One sigma in x and y, from each segment's drift as told by the black and the white squares of a chessboard.

    An emitter lies in one of them. Two independent estimates, each with half of the data, differ by twice the sigma of the
    one that has all. None where more than a fifth of the segments have no estimate.
    """
    grid = _full_grid(positions, shifts, cell_nm)
    differences = []
    for part, shift in zip(positions, shifts, strict=True):
        fixed = part - shift
        black = np.floor(fixed / _TILE_NM).astype(np.intp).sum(axis=1) % 2 == 0
        grid.add(fixed, -1)
        differences.append(grid.shift(fixed[black]) - grid.shift(fixed[~black]))
        grid.add(fixed)
    told = np.array([difference for difference in differences if np.isfinite(difference).all()])
    if len(told) < (1 - _MAX_FAILED) * len(positions):
        return None
    x, y = np.sqrt((told**2).mean(axis=0)) / 2
    return float(x), float(y)


class _Course(NamedTuple):
    """Drift along one axis, with one sigma of it and of the difference of its extremes."""

    by_frame_nm: NDArray[np.float64]
    uncertainty_nm: float
    range_uncertainty_nm: float


def _course(
    frames: NDArray[np.float64], shifts: NDArray[np.float64], sigma_nm: float, told: tuple[int, int], frame_count: int
) -> _Course:
    """By frame, through the smoothed segments' middles without overshoot, 0 in the first frame.

    At both ends straight on to the first and the last of the frames that tell, `told`, by the length of a segment at most.
    """
    # So few segments know their own error badly: Student's t is wider than the normal distribution by as much.
    sigma_nm *= math.sqrt(len(frames) / (len(frames) - 2))
    segments = smoothed(frames, shifts, sigma_nm)
    begin = max(told[0], 2 * frames[0] - frames[1])
    end = min(told[1], 2 * frames[-1] - frames[-2])
    knots = np.concatenate([[min(begin, frames[0] - 1)], frames, [max(end, frames[-1] + 1)]])
    onto_knots = np.eye(len(frames))[[0, *range(len(frames)), -1]]
    for knot, near, next_to_it in ((0, 0, 1), (-1, -1, -2)):
        reach = (knots[knot] - frames[near]) / (frames[next_to_it] - frames[near])
        onto_knots[knot, near] -= reach
        onto_knots[knot, next_to_it] += reach
    at_knots = onto_knots @ segments.values
    covariance = onto_knots @ segments.covariance @ onto_knots.T
    high, low = np.argmax(at_knots), np.argmin(at_knots)
    range_variance = covariance[high, high] + covariance[low, low] - 2 * covariance[high, low]
    curve = PchipInterpolator(knots, at_knots)(np.clip(np.arange(frame_count), knots[0], knots[-1]))
    return _Course(
        np.asarray(curve - curve[0], np.float64),
        math.sqrt(np.trace(segments.covariance) / len(frames)),
        math.sqrt(max(0.0, range_variance)),
    )
