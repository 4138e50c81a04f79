"""What other programs reach on the same videos, from a table that was measured once.

A program appears with several settings and thresholds. Of each, the row that counts for a video is the one with the best
Jaccard there, whichever threshold that took (an upper bound, which nobody reaches who does not know the truth); of rows
that are nearly as good, the one with the lowest RMSE. To beat are the higher Jaccard and the lower RMSE of those rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cellstorm.errors import InvalidInput

COLUMNS: Final = (
    "program",
    "video",
    "jaccard_200",
    "precision_200",
    "recall_200",
    "rmse_200_nm",
    "localizations",
    "near_200",
    "mean_distance_nm",
)

_NEARLY: Final = 0.99
"""Of the best Jaccard: settings that differ by less are told apart by their RMSE."""


@dataclass(frozen=True, slots=True)
class PeerRow:
    """What one setting of one program reached on one video; None where it was not measured."""

    program: str  # without its setting
    setting: str
    video: str
    jaccard: float
    detection_precision: float
    recall: float
    rmse_lateral_nm: float | None
    localizations: int
    near: int | None
    near_mean_distance_nm: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """What is to be beaten on a video, and who set it."""

    jaccard: float
    jaccard_by: str
    rmse_lateral_nm: float | None
    rmse_by: str | None


Peers = Mapping[str, Mapping[str, PeerRow]]
"""Each program's best row, by video and by program."""


def read_peers(path: Path) -> Peers:
    """From CSV.

    Raises
    ------
    InvalidInput
        If it is not a table of peers.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [_row(cells) for cells in csv.DictReader(lines)]
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read ({error.strerror}); check its name") from error
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"{path.name} is not a table of peers: it needs the columns {', '.join(COLUMNS)}") from error
    return _best(rows)


def bar(programs: Iterable[PeerRow]) -> Bar | None:
    """What is to be beaten where each program's best row is given; None where there is none."""
    rows = list(programs)
    if not rows:
        return None
    surest, sharpest = max(rows, key=lambda row: row.jaccard), min(rows, key=_rmse)
    return Bar(
        surest.jaccard,
        surest.program,
        sharpest.rmse_lateral_nm,
        None if sharpest.rmse_lateral_nm is None else sharpest.program,
    )


def _best(rows: Iterable[PeerRow]) -> Peers:
    grouped: dict[str, dict[str, list[PeerRow]]] = {}
    for row in rows:
        grouped.setdefault(row.video, {}).setdefault(row.program, []).append(row)
    return {video: {name: _best_of(own) for name, own in programs.items()} for video, programs in grouped.items()}


def _best_of(rows: Sequence[PeerRow]) -> PeerRow:
    best = max(row.jaccard for row in rows)
    return min((row for row in rows if row.jaccard >= _NEARLY * best), key=_rmse)


def _rmse(row: PeerRow) -> float:
    return float("inf") if row.rmse_lateral_nm is None else row.rmse_lateral_nm


def _row(cells: Mapping[str, str]) -> PeerRow:
    program, _, setting = cells["program"].partition(" ")
    return PeerRow(
        program=program,
        setting=setting,
        video=cells["video"],
        jaccard=float(cells["jaccard_200"]),
        detection_precision=float(cells["precision_200"]),
        recall=float(cells["recall_200"]),
        rmse_lateral_nm=_optional(cells["rmse_200_nm"]),
        localizations=int(cells["localizations"]),
        near=None if (near := _optional(cells["near_200"])) is None else round(near),
        near_mean_distance_nm=_optional(cells["mean_distance_nm"]),
    )


def _optional(cell: str) -> float | None:
    return float(cell) if cell else None
