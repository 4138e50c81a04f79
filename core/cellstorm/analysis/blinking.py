"""How emitters blink: for how long they are on, how often each is localized, and when they return.

What linking joined is one blink: its on-time runs from its first frame to its last. When a blink has ended, the next one
at its place is the same molecule's return or another molecule's beginning. How long the place stays dark by chance alone is
seen by asking the same places again, so much later that the molecule itself is gone: its share still dark after g frames is
C(g), and right after the blinks

    S(g) = C(g) (1 - p + p exp(-g / T))

with p the share of molecules that return and T the mean number of dark frames before they do. Structure, where places are
crowded to different degrees, is in both alike and drops out of S/C, which is fitted. (That chance must be told from
return is Annibale's point, PLOS ONE 6, e22678, 2011.) Returns sooner than linking bridges were joined and are not among them.
"""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import curve_fit
from scipy.spatial import KDTree

from cellstorm.analysis.linking import Linked
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import Localizations

MIN_BLINKS: Final = 1000
_LONGEST_SHOWN: Final = 20
_GAP_FRAMES: Final = 400
_SAMPLE: Final = 30_000
_MAX_PAIRS: Final = 3_000_000
_FOLDS: Final = 5
_MIN_SIGMAS: Final = 5.0
_MIN_RETURNING: Final = 0.02
_MAX_RELATIVE_ERROR: Final = 0.25
_NO_RETURN: Final = "blinks at one place are not followed by others more often than by chance"


class DarkTime(BaseModel):
    """How molecules return."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: float = Field(description="Mean number of dark frames before a return.")
    uncertainty_frames: float = Field(description="One sigma.")
    returning: float = Field(description="Share of blinks that the same molecule follows by another one.")


class Blinking(BaseModel):
    """Statistics of the blinks that linking found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blinks: int
    on_frames_mean: float
    localizations_mean: float = Field(description="Per blink.")
    by_on_frames: tuple[int, ...] = Field(description="Blinks on for 1, 2, … frames; the last counts all longer ones.")
    photons_median: float | None = Field(description="Of a whole blink.")
    dark: DarkTime | None = None
    dark_reason: str | None = Field(default=None, description="Why `dark` is null.")

    @classmethod
    def of(cls, linked: Linked, distance_nm: float, bridged_frames: int) -> Self | None:
        """Of what was linked within that distance over that many dark frames; None where there is nothing."""
        if not len(linked.table):
            return None
        dark = dark_time(linked.table, linked.on_frames, distance_nm, bridged_frames)
        photons = linked.table["photons"][np.isfinite(linked.table["photons"])]
        shown = np.minimum(linked.on_frames, _LONGEST_SHOWN)
        return cls(
            blinks=len(linked.table),
            on_frames_mean=float(linked.on_frames.mean()),
            localizations_mean=float(linked.localizations.mean()),
            by_on_frames=tuple(np.bincount(shown, minlength=_LONGEST_SHOWN + 1)[1:].tolist()),
            photons_median=float(np.median(photons)) if len(photons) else None,
            dark=None if isinstance(dark, Unknown) else dark,
            dark_reason=dark.reason if isinstance(dark, Unknown) else None,
        )


def dark_time(
    blinks: Localizations, on_frames: NDArray[np.int64], distance_nm: float, bridged_frames: int
) -> DarkTime | Unknown:
    """When molecules return, from an (n,) table of blinks by first frame.

    At most 30,000 blinks, spread evenly over the recording, are asked who follows them.
    """
    if len(blinks) < MIN_BLINKS:
        return Unknown(f"dark times need {MIN_BLINKS} blinks or more, and there are {len(blinks)}")
    longest = min(_GAP_FRAMES, int(np.ptp(blinks["frame"].astype(np.int64))) // 5)
    if longest < 10:
        return Unknown("the recording is too short to tell dark times")
    places = _Places(blinks, on_frames, distance_nm, longest)
    after, by_chance = places.first_gaps(0), places.first_gaps(longest)
    whole = _fitted(after, by_chance, bridged_frames, longest)
    parts = [_fitted(after[fold::_FOLDS], by_chance[fold::_FOLDS], bridged_frames, longest) for fold in range(_FOLDS)]
    if whole is None or any(part is None for part in parts):
        return Unknown(_NO_RETURN)
    decay, returning = whole
    decay_error, returning_error = np.std([part for part in parts if part], axis=0, ddof=1) / np.sqrt(_FOLDS)
    if returning < max(_MIN_RETURNING, _MIN_SIGMAS * returning_error):
        return Unknown(_NO_RETURN)
    if not decay_error < _MAX_RELATIVE_ERROR * decay or decay > longest / 2:
        return Unknown("molecules return too rarely, or too late, to tell after how long")
    return DarkTime(frames=decay, uncertainty_frames=float(decay_error), returning=returning)


class _Places:
    """Blinks in space and in time, so scaled that a ball of the largest norm is a box of one distance and one span."""

    def __init__(self, blinks: Localizations, on_frames: NDArray[np.int64], distance_nm: float, longest: int) -> None:
        place = np.stack([blinks["x_nm"], blinks["y_nm"]], axis=1).astype(np.float64)
        known = np.isfinite(place).all(axis=1)
        self._place, self._start = place[known], blinks["frame"][known].astype(np.float64)
        self._end = self._start + on_frames[known]
        self._distance_nm, self._longest = distance_nm, longest
        self._per_frame_nm = 2 * distance_nm / longest
        self._tree = KDTree(np.column_stack([self._place, self._start * self._per_frame_nm]))
        complete = np.flatnonzero(self._end + 2 * longest < self._start.max())
        self._asked = complete[:: 1 + len(complete) // _SAMPLE]
        if len(self._asked):
            pairs = sum(self._query(self._asked, shift, count=True) for shift in (0, longest))
            self._asked = self._asked[:: 1 + int(np.sum(pairs)) // _MAX_PAIRS]

    def first_gaps(self, shift: int) -> NDArray[np.float64]:
        """(asked,) frames from `shift` after a blink's end to the next one there; infinite for none within `longest`."""
        found = self._query(self._asked, shift)
        which = np.repeat(np.arange(len(self._asked)), [len(one) for one in found])
        later = np.concatenate([np.zeros(0, np.intp), *map(np.asarray, found)]).astype(np.intp)
        earlier = self._asked[which]
        near = np.hypot(*(self._place[later] - self._place[earlier]).T) <= self._distance_nm
        gap = self._start[later] - self._end[earlier] - shift
        first = np.full(len(self._asked), np.inf)
        fits = near & (gap >= 0) & (gap <= self._longest)
        np.minimum.at(first, which[fits], gap[fits])
        return first

    def _query(self, asked: NDArray[np.intp], shift: int, *, count: bool = False) -> NDArray[Any]:
        middle = (self._end[asked] + shift + self._longest / 2) * self._per_frame_nm
        box = np.column_stack([self._place[asked], middle])
        return np.asarray(self._tree.query_ball_point(box, self._distance_nm, p=np.inf, return_length=count))


def _fitted(
    after: NDArray[np.float64], by_chance: NDArray[np.float64], bridged_frames: int, longest: int
) -> tuple[float, float] | None:
    """(T, p) of the module's docstring; None where there is nothing to fit."""
    gap = np.arange(bridged_frames + 1, longest, dtype=np.float64)

    def still_dark(first: NDArray[np.float64]) -> NDArray[np.float64]:
        late = np.sort(first[first >= gap[0]])  # sooner returns were joined: given that there was none
        return 1 - np.searchsorted(late, gap, side="left") / max(1, len(late))

    dark, expected = still_dark(after), still_dark(by_chance)
    usable = expected > 0.1
    if np.count_nonzero(usable) < 10:
        return None
    ratio, since = (dark / np.maximum(expected, 0.1))[usable], (gap - gap[0])[usable]

    def model(frames: NDArray[np.float64], decay: float, returning: float) -> NDArray[np.float64]:
        return 1 - returning + returning * np.exp(-frames / decay)

    try:
        found, _ = curve_fit(model, since, ratio, (len(since) / 10, 0.3), bounds=([0.1, 0], [10 * len(since), 1]))
    except RuntimeError:  # how SciPy says that a fit does not converge
        return None
    return float(1 / -np.expm1(-1 / found[0])), float(found[1])  # whole frames: a geometric number's mean
