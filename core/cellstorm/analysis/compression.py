"""What the codec did to a recording: quantiser and size by frame, and what became of the localizations at key frames.

A key frame is coded without the frames before it. Encoders spend more bits on it or fewer, sharpen or blur it, and what
they do shows in the localizations: the paper saw its signal drop every 1.07 s (supplement, figure 7).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.curves import Curve, Gaps, rounded, with_gaps
from cellstorm.localizations import Localizations
from cellstorm.quantiser import FrameCoding

_MAX_GROUPS: Final = 150
_MIN_KEY_FRAMES: Final = 5
_MIN_AT_KEYS: Final = 100
"""Localizations expected in key frames, of which a drop of a third is three sigma."""
_MAX_AFTER: Final = 30
_CLEAR: Final = 3.0
_SMALL: Final = 0.1
"""Sigma, and share, below which the frames after a key frame are as the others."""


class QuantiserTrace(BaseModel):
    """Quantiser by frame, as means of `frames_each` frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(description="That came as H.264 and whose headers can be read.")
    mean: float = Field(description="0 is nearly lossless, 51 the coarsest; six more halve the detail.")
    of_key_frames: float | None
    lowest: float
    highest: float
    key_frames: int
    key_interval_frames: float | None = Field(description="Median.")
    bits_per_pixel: float = Field(description="Of the compressed stream, per pixel of the whole frame.")
    frames_each: int
    by_frame: Gaps


class KeyFrameEffect(BaseModel):
    """Localizations after each key frame, relative to the later half of their groups of pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    localizations: Curve = Field(description="By frames since the key frame; 1 is as later on.")
    photons: Gaps = Field(description="Their median, likewise.")
    uncertainty: float = Field(description="One sigma of the first of `localizations`; the others' is like it.")
    strongest_after_frames: int = Field(description="Where `localizations` are farthest from 1.")
    recovered_after_frames: int | None = Field(
        description="From then on they are as later; null where they never are clearly otherwise, or still are at the end of "
        "`localizations`."
    )

    @property
    def strongest(self) -> float:
        """The ratio that is farthest from 1."""
        return self.localizations[self.strongest_after_frames]


class CodingLog:
    """Collects how frames were coded; a few bytes for each."""

    def __init__(self) -> None:
        self._frame = array("q")
        self._is_key = array("b")
        self._quantiser = array("f")
        self._bytes = 0

    def add(self, codings: Iterable[FrameCoding]) -> None:
        """More frames, in any order."""
        for coding in codings:
            self._frame.append(coding.frame_index)
            self._is_key.append(coding.is_key)
            self._quantiser.append(math.nan if coding.quantiser is None else coding.quantiser)
            self._bytes += coding.size_bytes

    @property
    def key_frames(self) -> NDArray[np.int64]:
        """Their indices, rising."""
        return np.sort(np.array(self._frame, np.int64)[np.array(self._is_key, bool)])

    def trace(self, pixels: int) -> QuantiserTrace | None:
        """Of frames of so many pixels; None where no frame came as H.264 that can be read."""
        frame, quantiser = np.array(self._frame, np.int64), np.array(self._quantiser, np.float64)
        known = np.isfinite(quantiser)
        if not known.any():
            return None
        is_key = np.array(self._is_key, bool)
        keys = self.key_frames
        each = math.ceil((int(frame.max()) + 1) / _MAX_GROUPS)
        group = frame[known] // each
        groups = int(frame.max()) // each + 1
        count = np.bincount(group, minlength=groups)
        total = np.bincount(group, weights=quantiser[known], minlength=groups)
        return QuantiserTrace(
            frames=int(known.sum()),
            mean=float(quantiser[known].mean()),
            of_key_frames=float(quantiser[known & is_key].mean()) if (known & is_key).any() else None,
            lowest=float(quantiser[known].min()),
            highest=float(quantiser[known].max()),
            key_frames=len(keys),
            key_interval_frames=float(np.median(np.diff(keys))) if len(keys) > 1 else None,
            bits_per_pixel=8 * self._bytes / (len(frame) * pixels),
            frames_each=each,
            by_frame=with_gaps(np.divide(total, count, out=np.full(groups, np.nan), where=count > 0)),
        )


def key_frame_effect(
    table: Localizations, key_frames: NDArray[np.int64], processed: NDArray[np.bool_]
) -> KeyFrameEffect | None:
    """What happens at these frames, rising; None where there are too few of them, or too few localizations.

    `processed` is (frames,) whether a frame was localized at all: lost ones count for nothing.
    """
    key_frames = key_frames[key_frames < len(processed)]
    if processed[key_frames].sum() < _MIN_KEY_FRAMES or not len(table):
        return None
    frame = np.arange(len(processed))
    last_key = np.searchsorted(key_frames, frame, side="right") - 1
    since = np.where(last_key >= 0, frame - key_frames[np.maximum(last_key, 0)], -1)
    typical = float(np.median(np.diff(key_frames)))
    per_frame = np.bincount(table["frame"][table["frame"] < len(frame)], minlength=len(frame))
    late = processed & (since >= typical / 2) & (since < 2 * typical)
    if typical < 4 or not per_frame[late].sum():
        return None
    usual = per_frame[late].mean()
    offsets = range(min(_MAX_AFTER, int(typical / 2)))  # the later half is what they are held against
    frames_at = [processed & (since == offset) for offset in offsets]
    if usual * frames_at[0].sum() < _MIN_AT_KEYS:
        return None
    ratio = np.array([per_frame[at].mean() / usual if at.any() else 1.0 for at in frames_at])
    # More than counting noise: what shines in one frame shines in the next.
    spread = per_frame[frames_at[0]].std(ddof=1) / math.sqrt(frames_at[0].sum()) / usual
    uncertainty = max(float(spread), 1 / math.sqrt(usual * frames_at[0].sum()))
    return KeyFrameEffect(
        localizations=rounded(ratio),
        photons=_photons(table, since, late, offsets),
        uncertainty=float(f"{uncertainty:.3g}"),
        strongest_after_frames=int(np.argmax(np.abs(ratio - 1))),
        recovered_after_frames=_recovery(ratio, uncertainty),
    )


def _photons(table: Localizations, since: NDArray[np.int64], late: NDArray[np.bool_], offsets: range) -> Gaps:
    rows = table[(table["frame"] < len(since)) & np.isfinite(table["photons"])]
    usual = rows["photons"][late[rows["frame"]]]
    if not len(usual) or not np.median(usual) > 0:
        return tuple(None for _ in offsets)
    place = since[rows["frame"]]
    order = np.argsort(place, kind="stable")
    edges = np.searchsorted(place[order], [*offsets, len(offsets)])
    parts = [rows["photons"][order[start:stop]] for start, stop in pairwise(edges)]
    return with_gaps([float(np.median(part) / np.median(usual)) if len(part) else math.nan for part in parts])


def _recovery(ratio: NDArray[np.float64], uncertainty: float) -> int | None:
    is_disturbed = np.abs(ratio - 1) > max(_CLEAR * uncertainty, _SMALL)
    strongest = int(np.argmax(np.abs(ratio - 1)))
    after = is_disturbed[strongest:]
    if not after[0] or after.all():
        return None
    return strongest + int(np.argmin(after))
