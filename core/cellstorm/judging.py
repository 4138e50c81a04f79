"""What many candidates together tell of each: its probability and its precision, revised.

A generator sees some tens of pixels of a few frames, and in doubt takes molecules to be as frequent and as bright as in its
training. Many frames together know better: whether molecules are few or many there, how bright they are, how sharply what is
likely parts from what is not, and whether what is seen in one frame is still there in the next.

A `Judge` is a network with one hidden layer that weighs all of this, and it knows by how much errors are larger where spots
overlap. It is fitted to a generator once it is trained, on simulated recordings that it never saw
(cellstorm_models/judges.py), and is part of its package.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.spatial import KDTree

from cellstorm.localizations import Localizations

LIKELY: Final = (0.0, 0.1, 0.35, 0.7)
"""Probabilities from which on candidates are counted by themselves, up to the next one."""
UNIT_VOLUME_PX: Final = 2**19
"""Pixels, of all frames together, that numbers of candidates refer to: 32 frames of 128x128."""
USUAL_VOLUME: Final = 0.02
"""Of that, with USUAL_COUNT candidates in it: what is taken to have been seen besides, so that little does not tell much."""
USUAL_COUNT: Final = 0.3
USUAL_UNLIKELY: Final = 3.0
"""Likewise of the lowest class, for what share the highest has."""
SAME_PLACE_PX: Final = 1.5
"""A candidate of the frame before or after that is nearer is taken for the same molecule."""
FARTHEST: Final = 3.0
"""Standard deviations from the mean of what a judge was fitted to: beyond it, it does not extrapolate."""
FARTHEST_APART: Final = 10.0
"""Logits, or logarithms of precisions, before and after."""
OVERLAP_REACH_PX: Final = 8.0
"""Spots that are farther apart are taken not to overlap."""
OVERLAP_UNIT: Final = 0.05
"""Of an overlap, for its logarithm: less than that hardly moves a fit."""
SURE: Final = 1.0 - 1e-4
"""Nothing is likelier than this, as a network says it."""

GROUP_FEATURES: Final = (
    *(f"candidates_from_{least:g}" for least in LIKELY),  # logarithm of their number in UNIT_VOLUME_PX
    "persistence",  # mean of `elsewhere`, below, weighted by squared probability
    "usual_precision",  # likewise of the candidates' `precision`
    "brightness_spread",  # standard deviation of the signal's logarithm, weighted by probability
    "usual_width",  # mean of the candidates' `width`, weighted by squared probability
    "width_spread",  # standard deviations, as of the brightness: in focus, one width and one precision are like the next
    "precision_spread",
    "likely_share",  # logarithm of how many of the highest class there are for each of the lowest
    "unlikely_persistence",  # mean of `elsewhere` of the lowest class
)
"""Of all candidates of a group of frames."""
CANDIDATE_FEATURES: Final = (
    "logit",  # of the generator's probability
    "brightness",  # logarithm of the signal over the group's (its mean weighted by squared probability)
    "precision",  # logarithm of the generator's sigma in pixels
    "width",  # likewise of the spot's
    "elsewhere",  # probability of the nearest candidate at the same place one frame before or after: the larger one
)
FEATURES: Final = (*GROUP_FEATURES, *CANDIDATE_FEATURES)

FARTHEST_BRIGHTNESS: Final = 3.0
"""Of the logarithm: twenty times as bright, or as faint, as the others; no more is told."""
LEAST_VALUE: Final = 1e-3
"""Of a signal or a sigma, for its logarithm."""
LEAST_WEIGHT: Final = 1e-9

_FRAMES_APART: Final = 100.0  # pixels between frames in the tree of places: no candidate is near one of another frame

_Row = Annotated[tuple[float, ...], Field(min_length=1)]


class Judge(BaseModel):
    """Weights; `centre` and `spread` are the means and standard deviations of FEATURES where it was fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    centre: _Row
    spread: _Row
    hidden: tuple[_Row, ...] = Field(min_length=1, description="One row for each hidden unit; its bias comes last.")
    output: tuple[_Row, ...] = Field(
        min_length=2,
        max_length=2,
        description="What is added to the probability's logit, and to the precision's logarithm; biases last.",
    )
    overlap: float = Field(
        default=0.0, description="What is added to the precision's logarithm for each unit of the overlap's."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        inputs, units = len(FEATURES), len(self.hidden)
        widths = {len(self.centre), len(self.spread), *(len(row) - 1 for row in self.hidden)}
        if widths != {inputs} or any(len(row) != units + 1 for row in self.output):
            raise ValueError(
                f"a judge has {inputs} inputs, and as many weights of each output as hidden units and a bias"
            )
        if min(self.spread) <= 0:
            raise ValueError("the spread of a judge's inputs must be above zero")
        return self

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell it from others."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]

    def revise(
        self, candidates: Localizations, *, frame_count: int, frame_pixels: int, pixel_size_nm: float
    ) -> Localizations:
        """All candidates of a group of frames, by frame, with what their probability and their precision become."""
        if not len(candidates):
            return candidates
        inputs = features(candidates, frame_count=frame_count, frame_pixels=frame_pixels, pixel_size_nm=pixel_size_nm)
        standard = np.clip((inputs - self.centre) / self.spread, -FARTHEST, FARTHEST)
        active = np.tanh(_affine(standard, np.array(self.hidden)))
        more = np.clip(_affine(active, np.array(self.output)), -FARTHEST_APART, FARTHEST_APART)
        wider = more[:, 1] + self.overlap * overlaps(candidates, pixel_size_nm=pixel_size_nm)
        revised = candidates.copy()
        logit = inputs[:, FEATURES.index("logit")] + more[:, 0]
        revised["probability"] = 1.0 / (1.0 + np.exp(-logit))
        revised["precision_nm"] = candidates["precision_nm"] * np.exp(wider)
        return revised


def features(
    candidates: Localizations, *, frame_count: int, frame_pixels: int, pixel_size_nm: float
) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n candidates, one at least, by frame: all of `frame_count` frames of `frame_pixels` camera pixels each."""
    probability = np.minimum(candidates["probability"].astype(np.float64), SURE)
    elsewhere = _elsewhere(candidates, probability, pixel_size_nm)
    log_signal = _log(candidates["photons"])
    log_sigma = _log(candidates["precision_nm"] / pixel_size_nm)
    log_width = _log(candidates["psf_sigma_nm"] / pixel_size_nm)
    squared, once = probability**2 + LEAST_WEIGHT, probability + LEAST_WEIGHT
    usual_log_signal = np.average(log_signal, weights=squared)
    unlikely = probability < LIKELY[1]
    volume = frame_count * frame_pixels / UNIT_VOLUME_PX
    numbers = np.histogram(probability, [*LIKELY, 1.0])[0]
    group = [
        *np.log((numbers + USUAL_COUNT) / (volume + USUAL_VOLUME)),
        np.average(elsewhere, weights=squared),
        np.average(log_sigma, weights=squared),
        np.sqrt(np.average((log_signal - usual_log_signal) ** 2, weights=once)),
        np.average(log_width, weights=squared),
        _spread(log_width, once),
        _spread(log_sigma, once),
        np.log((numbers[-1] + USUAL_COUNT) / (numbers[0] + USUAL_UNLIKELY)),
        elsewhere[unlikely].mean() if unlikely.any() else 0.0,
    ]
    own = (
        np.log(probability / (1.0 - probability)),
        np.clip(log_signal - usual_log_signal, -FARTHEST_BRIGHTNESS, FARTHEST_BRIGHTNESS),
        log_sigma,
        log_width,
        elsewhere,
    )
    return np.column_stack([np.tile(group, (len(candidates), 1)), *own])


def overlaps(candidates: Localizations, *, pixel_size_nm: float) -> NDArray[np.float64]:
    """(n,) How much of each spot lies under others of its frame, weighted by their probability; a logarithm, 0 where it lies alone.

    Of two Gaussian spots a distance d apart, with widths s and t, it is exp(-d² / 2 (s² + t²)): their product's integral over what
    it would be, were they at one place. It tells of errors alone, not of what is there: given to the network, it made judges
    distrust whatever is near another.
    """
    probability = np.minimum(candidates["probability"].astype(np.float64), SURE)
    widths = candidates["psf_sigma_nm"].astype(np.float64) / pixel_size_nm
    places = _places(candidates, pixel_size_nm)
    pairs = KDTree(places).query_pairs(OVERLAP_REACH_PX, output_type="ndarray")
    one, other = pairs[:, 0], pairs[:, 1]
    squared = ((places[one] - places[other]) ** 2).sum(axis=1)
    shared = np.exp(-squared / (2.0 * np.maximum(widths[one] ** 2 + widths[other] ** 2, LEAST_VALUE)))
    covered = np.bincount(one, shared * probability[other], len(places))
    covered += np.bincount(other, shared * probability[one], len(places))
    return np.log1p(covered / OVERLAP_UNIT)


def _spread(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Standard deviation."""
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))


def _log(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(np.maximum(values.astype(np.float64), LEAST_VALUE))


def _elsewhere(
    candidates: Localizations, probability: NDArray[np.float64], pixel_size_nm: float
) -> NDArray[np.float64]:
    places = _places(candidates, pixel_size_nm)
    tree = KDTree(places)
    with_nothing = np.append(probability, 0.0)  # what a query that finds nothing points at
    one_frame = np.array([0.0, 0.0, _FRAMES_APART])
    _, before = tree.query(places - one_frame, distance_upper_bound=SAME_PLACE_PX)
    _, after = tree.query(places + one_frame, distance_upper_bound=SAME_PLACE_PX)
    return np.asarray(np.maximum(with_nothing[before], with_nothing[after]), np.float64)


def _places(candidates: Localizations, pixel_size_nm: float) -> NDArray[np.float64]:
    x, y = (candidates[name] / pixel_size_nm for name in ("x_nm", "y_nm"))
    return np.column_stack([x, y, _FRAMES_APART * candidates["frame"].astype(np.float64)])


def _affine(inputs: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights are (outputs, inputs + 1), biases last."""
    return np.asarray(inputs @ weights[:, :-1].T + weights[:, -1])
