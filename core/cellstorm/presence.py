"""Which of a chunk's candidates are reported: those that are there, as far as the chunk as a whole tells.

A generator gives each candidate a probability from its own surroundings, as if molecules were as frequent as in its
training. Many frames together know better. Where hardly anything shines, the noise that compression leaves makes many faint
candidates, and each is less likely than it looks; the candidates' own sum says how frequent molecules are, and their odds
shrink by as much as that is below the usual (the shift of a prior, estimated by expectation maximisation: Saerens et al., Neural
Computation 2002). It is never raised: what looks unlikely in a crowd is mostly a spot's second half.

Then those are reported with which the expected Jaccard index is highest. With probabilities p, and n of the candidates
reported, it is sum(reported p) / (n + sum(all p) - sum(reported p)), which asks for little of faint molecules among many, and
for 0.5 at most, where all are bright. A threshold of the user's own takes its place.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.localizations import Localizations

GROUP_FRAMES: Final = 32
"""Frames that are judged together, from a chunk's first one on: some seconds of video, in which little bleaches."""
USUAL_PER_PIXEL: Final = 2.5e-4
"""Molecules in a frame, per camera pixel, from which on probabilities stay as they are: 4 in 128x128 pixels. Measured: from 3 on
empty recordings stay empty, from 5 on those of 100 photons at a phone's bitrate lose molecules."""
FEWEST: Final = 1e-5
"""Of the usual, where the estimate ends: an empty recording's would fall for ever."""
LEAST: Final = 0.2
"""Nothing less likely is reported: where there is next to nothing, the best of what may be there would always be."""
SURE: Final = 1.0 - 1e-4
"""Nothing is likelier than this, as a network says it."""

_SETTLED: Final = 1e-4


def reported(
    candidates: Localizations, frames: NDArray[np.integer], *, frame_pixels: int, threshold: float | None
) -> Localizations:
    """Those of `candidates` that are reported, in their order, with what their probabilities become.

    `frames` (n,) are the indices, rising, of all frames of one chunk in which candidates were sought, of `frame_pixels` camera
    pixels each. None is the threshold with which the expected Jaccard index is highest.
    """
    group = np.searchsorted(frames, candidates["frame"]) // GROUP_FRAMES
    table = candidates.copy()
    keep = np.zeros(len(table), np.bool_)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        count = len(frames[number * GROUP_FRAMES : (number + 1) * GROUP_FRAMES])
        probability = shifted(table["probability"][members], USUAL_PER_PIXEL * frame_pixels * count)
        least = best_threshold(probability) if threshold is None else threshold
        table["probability"][members] = probability
        keep[members] = probability > least
    return table[keep]


def shifted(probability: NDArray[np.floating], usual: float) -> NDArray[np.float64]:
    """(n,) probabilities where molecules are fewer than the usual number; as they are where there are as many."""
    sure = np.minimum(probability.astype(np.float64), SURE)
    odds = sure / (1.0 - sure)
    share = 1.0
    while True:
        found = share * odds / (1.0 + share * odds)
        next_share = max(FEWEST, min(1.0, float(found.sum()) / usual))
        if next_share >= share * (1.0 - _SETTLED):
            return found
        share = next_share


def best_threshold(probability: NDArray[np.floating]) -> float:
    """Candidates over it, reported, give the highest expected Jaccard index J: it is J / (1 + J), at most a half; not below LEAST."""
    falling = np.sort(probability.astype(np.float64))[::-1]
    true = np.cumsum(falling)
    jaccard = (true / (np.arange(1, len(falling) + 1) + true[-1] - true)).max()
    return max(LEAST, float(jaccard / (1.0 + jaccard)))
