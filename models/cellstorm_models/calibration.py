"""The last step before export: make the stated uncertainties true on clips that the run never saw.

A network that is trained for minutes is a little too sure of itself. One factor on its sigmas mends that: the one with
which as many errors lie within one sigma as a Gaussian has there.
"""

from __future__ import annotations

from collections.abc import Iterable
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
_CLIPS: Final = 96
_WITHIN_ONE_SIGMA: Final = 0.6827
_PIXEL_SIZE_NM: Final = 100.0
_COUNTS: Final = Camera(gain=1.0, offset=0.0, read_noise=0.0)


def calibrate(net: EmitterNet, threshold: float, clips: Iterable[Clip] | None = None) -> float:
    """Set and return the factor on `net`'s sigmas."""
    if clips is None:
        clips = (make_clip(CALIBRATION_SEED, number) for number in range(_CLIPS))
    net.sigma_factor.fill_(1.0)
    ratios = np.concatenate([_errors_over_sigma(net, threshold, clip) for clip in clips])
    if len(ratios):  # a network that finds nothing has no uncertainties to mend
        net.sigma_factor.fill_(float(np.quantile(ratios, _WITHIN_ONE_SIGMA)))
    return net.sigma_factor.item()


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
