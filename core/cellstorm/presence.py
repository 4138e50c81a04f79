"""Which of a chunk's candidates are reported: those that are there, as far as the chunk as a whole tells.

The generator's judge revises what each candidate says of itself by what the others show (judging.py). Then those are reported
with which the expected Jaccard index is highest. With probabilities p, and n of the candidates reported, it is
sum(reported p) / (n + sum(all p) - sum(reported p)), which asks for little of faint molecules among many, and for 0.5 at
most, where all are bright. A threshold of the user's own takes its place.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.judging import Judge
from cellstorm.localizations import Localizations, concatenate

GROUP_FRAMES: Final = 32
"""Frames that are judged together, from a chunk's first one on: some seconds of video, in which little bleaches."""
LEAST: Final = 0.2
"""Nothing less likely is reported: where there is next to nothing, the best of what may be there would always be."""


def reported(
    candidates: Localizations,
    frames: NDArray[np.integer],
    *,
    judge: Judge | None,
    threshold: float | None,
    frame_pixels: int,
    pixel_size_nm: float,
) -> Localizations:
    """Those of `candidates` that are reported, in their order, as the judge sees them.

    Candidates are ordered by frame. `frames` (n,) are the indices, rising, of all frames of one chunk in which they were
    sought, of `frame_pixels` camera pixels each. None is no judge, and the threshold with which the expected Jaccard index
    is highest.
    """
    kept = []
    for first in range(0, len(frames), GROUP_FRAMES):
        own = frames[first : first + GROUP_FRAMES]
        group = candidates[slice(*np.searchsorted(candidates["frame"], [own[0], own[-1] + 1]))]
        if judge is not None:
            group = judge.revise(group, frame_count=len(own), frame_pixels=frame_pixels, pixel_size_nm=pixel_size_nm)
        least = best_threshold(group["probability"]) if threshold is None else threshold
        kept.append(group[group["probability"] > least])
    return concatenate(kept)


def best_threshold(probability: NDArray[np.floating]) -> float:
    """Candidates over it, reported, give the highest expected Jaccard index J: it is J / (1 + J), at most a half; not below LEAST."""
    if not len(probability):
        return LEAST
    falling = np.sort(probability.astype(np.float64))[::-1]
    true = np.cumsum(falling)
    jaccard = (true / (np.arange(1, len(falling) + 1) + true[-1] - true)).max()
    return max(LEAST, float(jaccard / (1.0 + jaccard)))
