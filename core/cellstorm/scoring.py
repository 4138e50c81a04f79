"""How good a localization table is, against the truth of a simulation.

Matching is optimal, one to one within each frame, less than `tolerance_nm` apart. An event that was on for under a quarter
of a frame is "don't care": finding it is no error, nor is missing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cellstorm.errors import InvalidInput
from cellstorm.localizations import Localizations

TRUTH: Final = np.dtype([("frame", "<u4"), ("x_nm", "<f8"), ("y_nm", "<f8"), ("photons", "<f8"), ("on", "<f8")])
"""One emitter in one frame; `on` is the share of the frame that it shone. Origin and axes as in localization tables."""

Truth = NDArray[np.void]
"""(n,) structured array of TRUTH."""

CARE_ON: Final = 0.25
DEFAULT_TOLERANCE_NM: Final = 200.0


@dataclass(frozen=True, slots=True)
class Score:
    """Detection counts and the errors of what was detected; None where nothing was."""

    matched: int
    spurious: int
    missed: int
    dont_care: int
    detection_precision: float
    recall: float
    jaccard: float
    rmse_lateral_nm: float | None
    within_one_sigma: float | None  # share of errors in x (less their mean) below the stated precision
    photon_ratio_median: float | None  # estimated over true photons


def score(table: Localizations, truth: Truth, tolerance_nm: float = DEFAULT_TOLERANCE_NM) -> Score:
    """Compare `table` with `truth` frame by frame."""
    found, true = matches(table, truth, tolerance_nm)
    care = truth["on"][true] >= CARE_ON
    matched = int(care.sum())
    spurious = len(table) - len(found)
    missed = int((truth["on"] >= CARE_ON).sum()) - matched
    estimate, reference = table[found[care]], truth[true[care]]
    error_x = estimate["x_nm"] - reference["x_nm"]
    error_y = estimate["y_nm"] - reference["y_nm"]
    return Score(
        matched=matched,
        spurious=spurious,
        missed=missed,
        dont_care=len(found) - matched,
        detection_precision=matched / max(1, matched + spurious),
        recall=matched / max(1, matched + missed),
        jaccard=matched / max(1, matched + spurious + missed),
        rmse_lateral_nm=float(np.sqrt(np.mean(error_x**2 + error_y**2))) if matched else None,
        within_one_sigma=float(np.mean(np.abs(error_x - error_x.mean()) < estimate["precision_nm"]))
        if matched
        else None,
        photon_ratio_median=float(np.median(estimate["photons"] / reference["photons"])) if matched else None,
    )


def matches(table: Localizations, truth: Truth, tolerance_nm: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices into `table` and into `truth` of those that belong together, emitters not to care for included."""
    pairs = list(_matches_by_frame(table, truth, tolerance_nm))
    none = np.zeros(0, np.intp)
    return np.concatenate([none, *(found for found, _ in pairs)]), np.concatenate([none, *(true for _, true in pairs)])


def _matches_by_frame(
    table: Localizations, truth: Truth, tolerance_nm: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each frame that has both: matched indices into `table` and into `truth`."""
    table_order = np.argsort(table["frame"], kind="stable")
    truth_order = np.argsort(truth["frame"], kind="stable")
    table_frames, truth_frames = table["frame"][table_order], truth["frame"][truth_order]
    for frame in np.intersect1d(table_frames, truth_frames):
        found = table_order[slice(*np.searchsorted(table_frames, [frame, frame + 1]))]
        true = truth_order[slice(*np.searchsorted(truth_frames, [frame, frame + 1]))]
        distance = np.hypot(
            table["x_nm"][found, np.newaxis] - truth["x_nm"][true],
            table["y_nm"][found, np.newaxis] - truth["y_nm"][true],
        )
        forbidden = tolerance_nm * (min(distance.shape) + 1)  # more than all permitted distances of a frame together
        rows, columns = linear_sum_assignment(np.where(distance < tolerance_nm, distance, forbidden))
        near = distance[rows, columns] < tolerance_nm
        yield found[rows[near]], true[columns[near]]


def inside(table: NDArray[np.void], width_nm: float, height_nm: float, border_nm: float) -> NDArray[np.void]:
    """Rows of a localization or truth table at least `border_nm` from the image's first and last pixel centres."""
    x_nm, y_nm = table["x_nm"], table["y_nm"]
    keep = (x_nm >= border_nm) & (x_nm <= width_nm - border_nm) & (y_nm >= border_nm) & (y_nm <= height_nm - border_nm)
    return table[keep]


def read_truth(path: Path) -> Truth:
    """A simulation's truth from CSV.

    Raises
    ------
    InvalidInput
        If it has not exactly the columns frame, x_nm, y_nm, photons, on.
    """
    names = ",".join(TRUTH.names or ())
    with path.open(encoding="utf-8") as lines:
        if next(lines, "").strip() != names:
            raise InvalidInput(f"{path.name} is not a truth table: its first line must be {names}")
        rows = [tuple(float(cell) for cell in line.split(",")) for line in lines if line.strip()]
    return np.array(rows, TRUTH)


def write_truth(path: Path, truth: Truth) -> None:
    """The inverse of `read_truth`, to a hundredth of a nanometre."""
    with path.open("w", encoding="utf-8") as out:
        print(*(TRUTH.names or ()), sep=",", file=out)
        for frame, x_nm, y_nm, photons, on in truth:
            print(f"{frame},{x_nm:.2f},{y_nm:.2f},{photons:.1f},{on:.3f}", file=out)
