"""How a network's pictures are to be read, found on windows whose truth is known.

A localization map's frame has a maximum even where nothing shines, and a clean frame's spots state no error of their own: a
package therefore declares the least light that counts, what light a map's pixels mean, and one precision. All are measured
here, with the same readout that serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.readout import read_out
from cellstorm.scoring import CARE_ON, DEFAULT_TOLERANCE_NM, TRUTH, Truth, matches
from cellstorm_models.adversarial.unet import SIZE_MULTIPLE, FrameNet
from cellstorm_models.clips import WindowBatch
from cellstorm_models.evaluation.metrics import efficiency

THRESHOLDS: Final = {"map": 0.3, "frames": 0.1}
"""Of a map: the paper's share of the frame's maximum. Of a clean frame: far below what the camera's noise, which is gone,
would ask for; the least light decides instead."""

_PIXEL_SIZE_NM: Final = 100.0
_COUNTS: Final = Camera(gain=1.0, offset=0.0, read_noise=0.0)
_ONE_SIGMA: Final = 68.3  # percent of a normal distribution's errors
_UNKNOWN_PX: Final = 1.0
_MEASURED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What a package declares, and how well it detects with that."""

    least_drawn: float = 0.0  # light of a spot in the network's picture
    map_signal: float = 1.0
    precision_px: float = _UNKNOWN_PX
    jaccard: float = 0.0
    detection_precision: float = 0.0
    recall: float = 0.0

    @property
    def efficiency(self) -> float:
        """Of detection and precision together: the challenge's, for pixels of 100 nm."""
        return efficiency(self.jaccard, float(np.sqrt(2.0)) * self.precision_px * _PIXEL_SIZE_NM)


def describe(net: FrameNet, reading: Reading, *, name: str, version: str, sha256: str) -> GeneratorSpec:
    """The specification of `net` as `reading` says it is to be read; light in a clean frame is taken as it is drawn."""
    map_signal = reading.map_signal if net.output == "map" else 1.0
    return GeneratorSpec(
        name=name,
        version=version,
        sha256=sha256,
        output=net.output,
        context_frames=1,
        size_multiple=SIZE_MULTIPLE,
        threshold=THRESHOLDS[net.output],
        upsampling=net.upsampling,
        precision_px=reading.precision_px,
        least_signal=reading.least_drawn * map_signal,
        map_signal=map_signal,
    )


def measure(net: FrameNet, batches: Sequence[WindowBatch]) -> Reading:
    """From how `net` does on those windows; a reading of nothing where it finds nothing."""
    draft = describe(net, Reading(), name="draft", version="0", sha256="0" * 64)
    tables, truths = [], []
    first = 0
    for batch in batches:
        frames = np.arange(first, first + len(batch.windows))
        output = predict(net, batch.windows)
        tables.append(read_out(output, frames, spec=draft, camera=_COUNTS, pixel_size_nm=_PIXEL_SIZE_NM))
        truths.append(truth_of(batch, first))
        first += len(frames)
    return read(np.concatenate(tables), np.concatenate(truths))


def predict(net: FrameNet, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The exported graph's output, from the middle ones of (batch, time, height, width) counts."""
    middle = windows.shape[1] // 2
    device = next(net.parameters()).device
    counts = torch.from_numpy(np.ascontiguousarray(windows[:, middle : middle + 1]))
    with torch.no_grad():
        parts = [net(part.to(device)).float().cpu() for part in torch.split(counts, _MEASURED_AT_ONCE)]
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def truth_of(batch: WindowBatch, first_frame: int) -> Truth:
    """A batch's emitters as a table, each window a frame, counts in the place of photons."""
    window, x, y, signal, care = batch.emitters.T[:5]
    truth = np.zeros(len(window), TRUTH)
    truth["frame"] = first_frame + window
    truth["x_nm"], truth["y_nm"] = x * _PIXEL_SIZE_NM, y * _PIXEL_SIZE_NM
    truth["photons"], truth["on"] = signal, care
    return truth


def read(table: Localizations, truth: Truth) -> Reading:
    """The reading with the highest Jaccard index, from a table in which nothing was left out for being faint."""
    found, true = matches(table, truth, DEFAULT_TOLERANCE_NM)
    care = truth["on"][true] >= CARE_ON
    found, ignored, true = found[care], found[~care], true[care]
    if not len(found):
        return Reading()
    cared_for = int((truth["on"] >= CARE_ON).sum())
    right = np.zeros(len(table), bool)
    right[found] = True
    counted = np.ones(len(table), bool)
    counted[ignored] = False  # neither right nor wrong
    brightest_first = np.argsort(-table["photons"], kind="stable")
    light = table["photons"][brightest_first]
    matched = np.cumsum(right[brightest_first])
    reported = np.cumsum(counted[brightest_first])
    jaccard = matched / (cared_for + reported - matched)
    jaccard[:-1][light[:-1] == light[1:]] = 0.0  # no threshold parts equals
    best = int(jaccard.argmax())
    least = float(light[best])

    kept = table["photons"][found] >= least
    estimate, reference = table[found[kept]], truth[true[kept]]
    errors = np.concatenate([estimate[axis] - reference[axis] for axis in ("x_nm", "y_nm")])
    map_signal = 1.0 / float(np.median(estimate["photons"] / reference["photons"]))
    return Reading(
        least_drawn=least,
        map_signal=map_signal,
        precision_px=max(1e-3, float(np.percentile(np.abs(errors), _ONE_SIGMA)) / _PIXEL_SIZE_NM),
        jaccard=float(jaccard[best]),
        detection_precision=float(matched[best] / max(1, reported[best])),
        recall=float(matched[best] / cared_for),
    )
