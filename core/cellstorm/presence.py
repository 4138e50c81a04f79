"""Which of a chunk's candidates are reported: those that are there, as far as the chunk as a whole tells.

The generator's judge revises what each candidate says of itself by what the others show (judging.py). Then those are reported
with which the expected efficiency is highest: as many molecules as can be told from phantoms, and as near to where they are. It is
the SMLM challenge's, 1 - sqrt((1 - J)² + (w R)²) with the Jaccard index J and the lateral RMSE R (Sage et al., Nat. Methods 16, 387
(2019)). With probabilities p, one sigma s of each coordinate, and n of the candidates reported, what is to be expected of them is

    J = sum(reported p) / (n + sum(all p) - sum(reported p))        R² = sum(reported p 2 s²) / sum(reported p)

which asks for little of faint molecules among many, and for about 0.5 where all are bright; for more of one whose place is vague.
Where next to nothing would be reported, more is asked: it may be a recording without a molecule, and there every phantom is one
too many, while candidates are right or wrong together. A threshold of the user's own takes the place of all this.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.judging import UNIT_VOLUME_PX, USUAL_VOLUME, Judge
from cellstorm.localizations import Localizations, concatenate

GROUP_FRAMES: Final = 32
"""Frames that are judged together, from a chunk's first one on: some seconds of video, in which little bleaches."""
RMSE_WEIGHT: Final = 0.5
"""w, of an RMSE in camera pixels. With pixels of 100 nm the challenge's own would be 1: .03 of Jaccard would be lost at 500 photons and
a phone's bitrate."""
LEAST: Final = 0.2
"""Nothing less likely is reported: where there is next to nothing, the best of what may be there would always be."""
LEAST_ALONE: Final = 0.85
"""Likewise, of a candidate that nothing else would be reported with: noise that a codec carries along is given .2 to .6 by a judge."""
COMPANY: Final = 15.0
"""So many molecules to be expected in judging.UNIT_VOLUME_PX, and LEAST_ALONE has come down to LEAST by all but a third. The faintest
molecules that are found at all come by twenty and more. With 10, and 0.8 above, 2400 empty frames hold 13 phantoms; with these, one."""
ROUNDS: Final = 10
"""Two to five are needed."""


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
    sought, of `frame_pixels` camera pixels each. None is no judge, and the choice with which the expected efficiency is highest.
    """
    kept = []
    for first in range(0, len(frames), GROUP_FRAMES):
        own = frames[first : first + GROUP_FRAMES]
        group = candidates[slice(*np.searchsorted(candidates["frame"], [own[0], own[-1] + 1]))]
        if judge is not None:
            group = judge.revise(group, frame_count=len(own), frame_pixels=frame_pixels, pixel_size_nm=pixel_size_nm)
        if threshold is None:
            chosen = best(group["probability"], group["precision_nm"] / pixel_size_nm, len(own) * frame_pixels)
        else:
            chosen = group["probability"] > threshold
        kept.append(group[chosen])
    return concatenate(kept)


def best(probability: NDArray[np.floating], precision_px: NDArray[np.floating], volume_px: int) -> NDArray[np.bool_]:
    """(n,) Which candidates to report, for the highest expected efficiency; where these are few, more is asked of each.

    `probability` and `precision_px` (n,), one sigma of a coordinate in camera pixels, are those of all candidates in
    `volume_px` pixels of all frames together.
    """
    likely = probability.astype(np.float64)
    chosen = _most_efficient(likely, 2.0 * (RMSE_WEIGHT * precision_px.astype(np.float64)) ** 2)
    expected = likely[chosen].sum() / (volume_px / UNIT_VOLUME_PX + USUAL_VOLUME)
    alone = LEAST + (LEAST_ALONE - LEAST) * float(np.exp(-expected / COMPANY))
    return chosen & (likely > alone)


def _most_efficient(probability: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Those with the least (1 - J)² + (w R)², `squared` being what each would have (w R)² be; all over LEAST.

    By steps: from the choice with the highest expected J on, those are taken that would lessen it if a little more of them were
    reported, until that lessens it no more; the very least may be a little lower.
    """
    every = probability.sum()
    chosen = (probability > LEAST) & (probability > _best_threshold(probability))
    kept, least = chosen, np.inf
    for _ in range(ROUNDS):
        true = probability[chosen].sum()
        if true == 0.0:
            break
        union = chosen.sum() + every - true
        jaccard, mean_squared = true / union, (probability * squared)[chosen].sum() / true
        loss = (1.0 - jaccard) ** 2 + mean_squared
        if loss >= least:
            break
        kept, least = chosen, loss
        by_jaccard = 2.0 * (1.0 - jaccard) * (probability * (1.0 + jaccard) - jaccard) / union
        by_rmse = probability * (mean_squared - squared) / true
        chosen = (probability > LEAST) & (by_jaccard + by_rmse > 0.0)
    return kept


def _best_threshold(probability: NDArray[np.float64]) -> float:
    """Candidates over it, reported, give the highest expected Jaccard index J: it is J / (1 + J), at most a half."""
    falling = np.sort(probability)[::-1]
    true = np.cumsum(falling)
    every = true[-1] if len(true) else 0.0
    jaccard = (true / (np.arange(1, len(falling) + 1) + every - true)).max(initial=0.0)
    return float(jaccard / (1.0 + jaccard))
