"""A camera's gain, offset and read noise from two recordings: of something still and uneven, and of darkness.

Photons arrive by chance, so that noise tells how much light a count is: of counts n = e / gain + offset, with e electrons that
follow Poisson's law and read noise r (electrons), the variance over time is

    variance = (mean - offset) / gain + (r / gain)²

a line over the mean (photon transfer: Janesick 2007; the paper's figure 6). Darkness gives the offset and the variance where
the line begins, brightness its slope. Differences of consecutive frames tell the variance, so that neither a slow drift
nor a pattern of the sensor counts as noise; a lamp that flickers is taken out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from cellstorm.analysis.levels import levels_of
from cellstorm.camera import Camera
from cellstorm.chunks import Counts
from cellstorm.errors import InvalidInput

MIN_FRAMES: Final = 20
"""Of each recording: fewer tell a variance to no better than a third."""
_BINS: Final = 40
_FEWEST_PIXELS: Final = 50  # of a point
_ROUNDING: Final = 1 / 12
"""Variance, counts², that rounding to whole counts adds."""
_MOST_FROZEN: Final = 0.05
"""Of 4x4 blocks that did not change from one frame to the next: noise never leaves one as it was, codecs do."""
_CLIPPED: Final = 0.003
"""Share of counts at either end that may be: fewer move neither mean nor variance by a hundredth."""
_MOST_BLACK: Final = 0.4
_LEAST_SPAN: Final = 3.0
"""Of means, in standard deviations of the dark: a line needs two ends."""
_LEAST_LIGHT: Final = 1.0
"""Counts over the offset, in the mean of a frame."""
_LINEAR: Final = 0.1
"""How far from the line, relatively, the variance may be where the camera still counts as linear."""
_TELLING: Final = 0.5
"""Share of the span, from the dark, that the first slope is taken from: what lies above may be bent already."""


@dataclass(frozen=True, slots=True)
class PhotonTransfer:
    """What was measured.

    Attributes
    ----------
    camera
        Electrons per count, counts, electrons; calibrated.
    gain_error
        One sigma of the gain, e-/count, from how the points scatter around the line.
    linear_until
        Mean counts up to which the variance follows the line within a tenth.
    mean, variance
        (n,) counts and counts² of the points, from dark to bright.
    dark_frozen
        Share of the dark recording's blocks that did not change from one frame to the next: where it is large, a codec has
        smoothed the read noise away, and what is stated is too small.
    """

    camera: Camera
    gain_error: float
    linear_until: float
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    dark_frozen: float


def measure_camera(bright: Iterable[Counts], dark: Iterable[Counts]) -> PhotonTransfer:
    """From both recordings, each as runs of consecutive frames (frames, height, width) of one size.

    Raises
    ------
    InvalidInput
        If they do not tell: too short, too even, clipped, brighter in the dark, or changed by a codec too much.
    """
    in_the_dark = _Moments.of(dark, "dark")
    offset, floor = _darkness(in_the_dark)
    in_the_light = _Moments.of(bright, "bright", offset)
    if in_the_light.mean.mean() <= in_the_dark.mean.mean():
        raise InvalidInput("the dark recording is no darker than the bright one; were they given the wrong way round?")
    mean, variance = _points(in_the_light)
    if in_the_light.frozen > _MOST_FROZEN:
        raise InvalidInput(
            f"{in_the_light.frozen:.0%} of the bright recording stands still from frame to frame: the codec has taken the "
            "noise away; record at the highest bitrate, or as TIFF"
        )
    if mean[-1] - max(offset, mean[0]) < _LEAST_SPAN * max(1.0, np.sqrt(floor)):
        raise InvalidInput(
            "the bright recording is too dark or too even to tell the gain; film something out of focus, with bright and dim parts"
        )
    slope, error = _slope(mean - offset, variance - floor)
    if slope <= 0:
        raise InvalidInput(
            "the bright recording is no noisier where it is brighter; are both recordings of one camera, at one ISO?"
        )
    gain = 1 / slope
    camera = Camera(gain=gain, offset=max(0.0, offset), read_noise=gain * np.sqrt(max(0.0, floor)), calibrated=True)
    line = floor + slope * (mean - offset)
    return PhotonTransfer(
        camera, gain * error / slope, _linear_until(mean, variance, line), mean, variance, in_the_dark.frozen
    )


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of every pixel over time, (height, width) each; and of the whole recording."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    black: NDArray[np.float64]  # share of frames in which it was as dark as any pixel ever
    white: NDArray[np.float64]  # likewise, as bright
    histogram: NDArray[np.int64]  # of all counts, from 0
    frozen: float  # share of 4x4 blocks that did not change from one frame to the next

    @classmethod
    def of(cls, runs: Iterable[Counts], name: str, offset: float | None = None) -> _Moments:
        """Of light over that offset, counts, which flickers; or of the dark, which does not."""
        frames, pairs, frozen = 0, 0, 0.0
        total = squares = black = white = np.zeros(())
        darkest, brightest = np.inf, -np.inf
        histogram = np.zeros(0, np.int64)
        for run in runs:
            light = run.astype(np.float64)
            total = total + light.sum(axis=0)
            if run.min() < darkest:
                darkest, black = float(run.min()), np.zeros(())
            if run.max() > brightest:
                brightest, white = float(run.max()), np.zeros(())
            black = black + (run == darkest).sum(axis=0)
            white = white + (run == brightest).sum(axis=0)
            histogram = _added(histogram, np.bincount(run.ravel()))
            frames += len(run)
            for before, after in itertools.pairwise(light):
                if offset is None:
                    squares = squares + (before - after) ** 2 / 2
                else:
                    squares = squares + _steady_squares(before - offset, after - offset)
                frozen += _frozen(before, after)
                pairs += 1
        if frames < MIN_FRAMES or pairs == 0:
            raise InvalidInput(
                f"the {name} recording has {frames} frames; {MIN_FRAMES} at least are needed, some seconds are good"
            )
        variance = np.maximum(squares / pairs - _ROUNDING, 0.0)
        return cls(total / frames, variance, black / frames, white / frames, histogram, frozen / pairs)


def _steady_squares(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance that two frames of light without offset tell, were the lamp steady."""
    means = float(before.mean()), float(after.mean())
    flicker = means[0] / means[1] if min(means) > _LEAST_LIGHT else 1.0
    return np.asarray((before - flicker * after) ** 2 / (1 + flicker**2), np.float64)


def _added(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    length = max(len(first), len(second))
    return np.pad(first, (0, length - len(first))) + np.pad(second, (0, length - len(second)))


def _frozen(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Share of 4x4 blocks that are as they were."""
    height, width = (side // 4 * 4 for side in before.shape)
    same = (before == after)[:height, :width].reshape(height // 4, 4, width // 4, 4)
    return float(same.all(axis=(1, 3)).mean())


def _darkness(dark: _Moments) -> tuple[float, float]:
    """Offset (counts) and variance (counts²) in the dark.

    Phones clip their blacks: what would be below 0 is 0, or 16. The rest of a Gaussian still tells where its middle is (the
    likelihood of censored counts, which knows nothing of a fixed pattern); of too small a rest nothing is believed.
    """
    black = levels_of(dark.histogram).black
    seen = np.concatenate([[dark.histogram[: black + 1].sum()], dark.histogram[black + 1 :]])
    clipped = seen[0] / seen.sum()
    if clipped < _CLIPPED:
        return float(dark.mean.mean()), float(dark.variance.mean())
    if clipped > _MOST_BLACK:
        raise InvalidInput(
            f"{clipped:.0%} of the dark recording is {black}: the camera clips its blacks, and the noise with them; give it a "
            "higher black level, or let a little light in"
        )
    counts = black + np.arange(len(seen))

    def cost(guess: NDArray[np.float64]) -> float:
        edges = ndtr((counts + 0.5 - guess[0]) / np.exp(guess[1]))
        share = np.diff(np.concatenate([[0.0], edges]))
        return -float((seen * np.log(np.maximum(share, 1e-300))).sum())

    start = np.array([dark.mean.mean(), np.log(max(0.3, np.sqrt(dark.variance.mean())))])
    middle, log_width = minimize(cost, start, method="Nelder-Mead").x
    return float(middle), float(np.exp(2 * log_width))


def _points(moments: _Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of pixels that are about as bright; where light is clipped at either end there is none."""
    order = np.argsort(moments.mean, axis=None)
    groups = np.array_split(order, max(1, min(_BINS, len(order) // _FEWEST_PIXELS)))

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([values.ravel()[group].mean() for group in groups])

    whole = means(moments.black + moments.white) < _CLIPPED
    if whole.sum() < 2:
        raise InvalidInput("nearly all of the bright recording is clipped; film with less light, or a shorter exposure")
    return means(moments.mean)[whole], means(moments.variance)[whole]


def _slope(above: NDArray[np.float64], noise: NDArray[np.float64]) -> tuple[float, float]:
    """Of the line through the dark, and its error; from the dimmer half of the span.

    Each point's relative error is about the same, hence weights of 1 / above²: the mean of the ratios.
    """
    near = above <= above.min() + _TELLING * (above.max() - above.min())
    near &= above > 0
    if near.sum() < 2:
        near = above > 0
    ratios = noise[near] / above[near]
    return float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(len(ratios)))


def _linear_until(mean: NDArray[np.float64], variance: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    bent = np.flatnonzero(np.abs(variance / line - 1) > _LINEAR)
    beyond = [index for index in bent if np.all(np.isin(np.arange(index, len(mean)), bent))]
    return float(mean[beyond[0] - 1] if beyond and beyond[0] > 0 else mean[-1])
