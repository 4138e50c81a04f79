"""From a localization map to the localization table.

The paper takes every pixel over 0.3 of its frame's maximum as a localization, at that pixel's place. Here a spot of several
such pixels is one localization, at the centroid of the light around its brightest pixel; the share of the maximum is the
generator's `threshold`. A frame's maximum exists even where nothing shines: `least_signal` keeps such frames empty.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from cellstorm.camera import Camera
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import LOCALIZATION, Localizations

PARTS_OF_A_COUNT: Final = 16
"""Maps are summed in whole numbers, so that the order in which chunks are done changes no bit of the sum."""
MAX_SUM_PIXELS: Final = 16 * 2**20
"""Of a sum of maps: 64 MiB, which travels with each chunk. Of larger ones none is made."""
_MOST: Final = np.iinfo(np.uint32).max


def sum_of(output: NDArray[np.float32], spec: GeneratorSpec) -> NDArray[np.uint32] | None:
    """(rows, columns) sum of (frames, 1, rows, columns) maps, in 1/16 counts of light; None where it would be too large.

    More than 2.7e8 counts in one pixel stay that many.
    """
    if output.shape[2] * output.shape[3] > MAX_SUM_PIXELS:
        return None
    light = np.rint(np.nan_to_num(output[:, 0], posinf=0.0) * np.float32(spec.map_signal * PARTS_OF_A_COUNT))
    return _most(np.clip(light, 0, _MOST).astype(np.uint64).sum(axis=0))


def added(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Two sums of one size as one."""
    return _most(np.add(first, second, dtype=np.uint64))


def _most(total: NDArray[np.uint64]) -> NDArray[np.uint32]:
    return np.minimum(total, _MOST).astype(np.uint32)


def in_counts(map_sum: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The sum as an image, counts per map pixel."""
    return map_sum.astype(np.float32) / np.float32(PARTS_OF_A_COUNT)


def to_localizations(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    spec: GeneratorSpec,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    """Rows sorted by frame, y, x.

    `output` is (frames, 1, height * upsampling, width * upsampling); map pixel i lies at (i + 1/2) / upsampling - 1/2
    camera pixels. A map tells neither background nor width, which are NaN; the probability is the share of the maximum.
    """
    assert spec.precision_px is not None
    assert spec.threshold is not None
    maps = np.maximum(output[:, 0], 0.0)
    reach = max(1, spec.upsampling // 2)  # about one camera pixel in all
    side = 2 * reach + 1
    highest = maps.max(axis=(1, 2), keepdims=True)
    peak = (maps == maximum_filter(maps, (1, side, side), mode="constant")) & (maps > spec.threshold * highest)
    frame, row, column = np.nonzero(peak)
    around = sliding_window_view(np.pad(maps, ((0, 0), (reach, reach), (reach, reach))), (side, side), axis=(1, 2))
    light = around[frame, row, column].astype(np.float64)  # (n, side, side)
    # of equal neighbours the first reports: argmax finds it in the window of each
    first = light.reshape(len(light), side * side).argmax(axis=1) == side * side // 2
    mass = light.sum(axis=(1, 2))
    keep = first & (mass * spec.map_signal >= spec.least_signal)
    frame, row, column, light, mass = frame[keep], row[keep], column[keep], light[keep], mass[keep]
    steps = np.arange(side) - reach
    x = column + (light.sum(axis=1) @ steps) / mass
    y = row + (light.sum(axis=2) @ steps) / mass

    table = np.zeros(len(frame), LOCALIZATION)
    table["frame"] = frame_indices[frame]
    table["x_nm"] = ((x + 0.5) / spec.upsampling - 0.5) * pixel_size_nm
    table["y_nm"] = ((y + 0.5) / spec.upsampling - 0.5) * pixel_size_nm
    table["photons"] = mass * spec.map_signal * camera.gain
    table["psf_sigma_nm"] = table["background_photons"] = np.nan
    table["precision_nm"] = spec.precision_px * pixel_size_nm
    table["probability"] = maps[frame, row, column] / highest[frame, 0, 0]
    return table[np.lexsort((table["x_nm"], table["y_nm"], table["frame"]))]
