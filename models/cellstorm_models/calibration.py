"""The last step before export: make the stated uncertainties true on clips that the run never saw.

A network that is trained for minutes is a little too sure of itself. One factor on its sigmas mends that: the one with
which most clips have about as many errors within one sigma as a Gaussian has there (68 %). Clips count alike: pooled
errors would be those of the densest clips, where spots overlap and errors have long tails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.emitters import to_localizations
from cellstorm.scoring import CARE_ON, DEFAULT_TOLERANCE_NM, TRUTH, matches
from cellstorm_models.clips import Clip, make_clip
from cellstorm_models.networks import EmitterNet

CALIBRATION_SEED: Final = 1_000_033
_CLIPS: Final = 48
_FEWEST_ERRORS: Final = 80  # of a clip, for its share to mean something
_TRUE_SHARE: Final = (0.60, 0.75)
_PIXEL_SIZE_NM: Final = 100.0
_COUNTS: Final = Camera(gain=1.0, offset=0.0, read_noise=0.0)


def calibrate(net: EmitterNet, threshold: float, clips: Iterable[Clip] | None = None) -> float:
    """Set and return the factor on `net`'s sigmas."""
    if clips is None:
        clips = (make_clip(CALIBRATION_SEED, number) for number in range(_CLIPS))
    net.sigma_factor.fill_(1.0)
    ratios = [_errors_over_sigma(net, threshold, clip) for clip in clips]
    net.sigma_factor.fill_(best_factor([ratio for ratio in ratios if len(ratio) >= _FEWEST_ERRORS]))
    return net.sigma_factor.item()


def best_factor(ratios: Sequence[NDArray[np.float64]]) -> float:
    """From each clip's errors in units of the stated sigma; 1 where there are no clips to tell."""
    if not ratios:
        return 1.0
    factors = np.geomspace(0.5, 2.0, 141)
    shares = np.array([np.searchsorted(np.sort(ratio), factors) / len(ratio) for ratio in ratios])
    true = ((shares > _TRUE_SHARE[0]) & (shares < _TRUE_SHARE[1])).sum(axis=0)
    return float(np.median(factors[true == true.max()]))


def _errors_over_sigma(net: EmitterNet, threshold: float, clip: Clip) -> NDArray[np.float64]:
    """(2n,) absolute errors in x and in y of what was found, in units of the stated sigma."""
    frames = np.arange(len(clip.counts))
    context = np.clip(frames[:, np.newaxis] + np.arange(-1, 2), 0, len(frames) - 1)
    with torch.no_grad():
        output = net(torch.from_numpy(clip.counts[context].astype(np.float32))).numpy()
    table = to_localizations(output, frames, camera=_COUNTS, pixel_size_nm=_PIXEL_SIZE_NM, threshold=threshold)
    truth = np.zeros(len(clip.emitters), TRUTH)
    truth["frame"], truth["on"] = clip.emitters[:, 0], clip.emitters[:, 4]
    truth["x_nm"], truth["y_nm"] = clip.emitters[:, 1] * _PIXEL_SIZE_NM, clip.emitters[:, 2] * _PIXEL_SIZE_NM
    found, true = matches(table, truth, DEFAULT_TOLERANCE_NM)
    found, true = found[truth["on"][true] >= CARE_ON], true[truth["on"][true] >= CARE_ON]
    errors = [table[axis][found] - truth[axis][true] for axis in ("x_nm", "y_nm")]
    return np.concatenate([np.abs(error) / table["precision_nm"][found] for error in errors])
