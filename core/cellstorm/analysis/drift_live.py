"""Drift while an acquisition still runs: measured anew now and then, from no more rows than the measurement can use.

It has at most a hundred segments, and a thousand localizations tell a segment's drift; so of a longer table every n-th
row is taken. Each call then costs about a second whatever has come so far, and what it tells of the last frames is as
good as what the end of the acquisition will.
"""

from __future__ import annotations

import numpy as np

from cellstorm.analysis.drift import MAX_SEGMENTS, ROWS_PER_SEGMENT, Drift, measure_drift
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations


def drift_so_far(localizations: Localizations, frame_count: int) -> Drift | Unknown:
    """The drift over the `frame_count` frames that have come; `localizations` is an (n,) table in any order.

    Blocks for about a second: for a thread, every ten seconds or more.
    """
    rows_of_use = MAX_SEGMENTS * ROWS_PER_SEGMENT
    if len(localizations) > rows_of_use:
        by_frame = np.argsort(localizations["frame"], kind="stable")
        localizations = localizations[by_frame[:: -(-len(localizations) // rows_of_use)]]
    return measure_drift(localizations, frame_count)
