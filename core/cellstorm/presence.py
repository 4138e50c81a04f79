"""Which of a chunk's candidates are reported: those that are there, as far as the chunk as a whole tells.

The generator's judge revises what each candidate says of itself by what the others show (judging.py). Then those are reported
with which the expected Jaccard index is highest. With probabilities p, and n of the candidates reported, it is
sum(reported p) / (n + sum(all p) - sum(reported p)), which asks for little of faint molecules among many, and for 0.5 at
most, where all are bright. Where next to nothing would be reported, more is asked: it may be a recording without a molecule,
and there every phantom is one too many, while candidates are right or wrong together. A threshold of the user's own takes
the place of all this.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.judging import UNIT_VOLUME_PX, USUAL_VOLUME, Judge
from cellstorm.localizations import Localizations, concatenate

GROUP_FRAMES: Final = 32
"""Frames that are judged together, from a chunk's first one on: some seconds of video, in which little bleaches."""
LEAST: Final = 0.2
"""Nothing less likely is reported: where there is next to nothing, the best of what may be there would always be."""
LEAST_ALONE: Final = 0.8
"""Likewise, of a candidate that nothing else would be reported with: noise that a codec carries along is given .2 to .6 by a judge."""
COMPANY: Final = 10.0
"""So many molecules to be expected in judging.UNIT_VOLUME_PX, and LEAST_ALONE has come down to LEAST by all but a third. Empty
recordings have up to 6, those of the faintest molecules that are found at all 20 and more."""


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
        least = best_threshold(group["probability"], len(own) * frame_pixels) if threshold is None else threshold
        kept.append(group[group["probability"] > least])
    return concatenate(kept)


def best_threshold(probability: NDArray[np.floating], volume_px: int) -> float:
    """Candidates over it, reported, give the highest expected Jaccard index J: it is J / (1 + J), at most a half; or more, where few.

    `probability` (n,) are those of all candidates in so many pixels of all frames together.
    """
    falling = np.sort(probability.astype(np.float64))[::-1]
    true = np.cumsum(falling)
    every = true[-1] if len(true) else 0.0
    jaccard = (true / (np.arange(1, len(falling) + 1) + every - true)).max(initial=0.0)
    best = max(LEAST, float(jaccard / (1.0 + jaccard)))
    expected = falling[falling > best].sum() / (volume_px / UNIT_VOLUME_PX + USUAL_VOLUME)
    return max(best, LEAST + (LEAST_ALONE - LEAST) * float(np.exp(-expected / COMPANY)))
