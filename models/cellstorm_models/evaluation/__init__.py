"""How good generators are, on recordings whose truth is known.

compare -> metrics -> results -> figures, page. All but `pairs` and `peers`, which read files, are tables in, values out.
"""

from __future__ import annotations

from cellstorm_models.evaluation.exported import (
    BORDER_NM,
    ExportedGenerator,
    Figure,
    milliseconds_per_frame,
    phantoms,
    score_bench,
    score_simulated,
)

__all__ = [
    "BORDER_NM",
    "ExportedGenerator",
    "Figure",
    "milliseconds_per_frame",
    "phantoms",
    "score_bench",
    "score_simulated",
]
