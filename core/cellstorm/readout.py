"""From any generator's output to localizations: one table from the kind of output to the function that reads it.

Reading looks at frames one by one; `choose` then looks at a whole chunk's rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cellstorm import emitters, maps, presence
from cellstorm.camera import Camera
from cellstorm.classical.localize import localize
from cellstorm.generator import GeneratorSpec, OutputKind
from cellstorm.localizations import Localizations


class Readout(Protocol):
    """Reads one kind of output."""

    def __call__(
        self,
        output: NDArray[np.float32],
        frame_indices: NDArray[np.integer],
        *,
        spec: GeneratorSpec,
        camera: Camera,
        pixel_size_nm: float,
    ) -> Localizations:
        """Rows sorted by frame, y, x.

        `output` has the shape that `spec.output_shape` tells; `frame_indices` (batch,) are its frames' indices in the
        acquisition, rising. A frame's rows depend on its own output alone.
        """
        ...


def read_out(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    spec: GeneratorSpec,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    """As `Readout` says, by the kind of output that the specification declares; of emitters, all candidates."""
    return READOUTS[spec.output](output, frame_indices, spec=spec, camera=camera, pixel_size_nm=pixel_size_nm)


def choose(
    table: Localizations, frames: NDArray[np.integer], *, spec: GeneratorSpec, frame_pixels: int, pixel_size_nm: float
) -> Localizations:
    """What is reported of the rows that were read from one chunk; `frames` and what follows as `presence` takes them."""
    if spec.output != "emitters":
        return table
    return presence.reported(
        table,
        frames,
        judge=spec.judge,
        threshold=spec.threshold,
        frame_pixels=frame_pixels,
        pixel_size_nm=pixel_size_nm,
    )


def _read_emitters(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    spec: GeneratorSpec,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    return emitters.to_candidates(output, frame_indices, camera=camera, pixel_size_nm=pixel_size_nm)


def _read_counts(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    spec: GeneratorSpec,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    assert spec.threshold is not None
    return localize(output[:, 0], frame_indices, camera=camera, pixel_size_nm=pixel_size_nm, threshold=spec.threshold)


def _read_frames(
    output: NDArray[np.float32],
    frame_indices: NDArray[np.integer],
    *,
    spec: GeneratorSpec,
    camera: Camera,
    pixel_size_nm: float,
) -> Localizations:
    """A fit's own precision would be that of a camera's frame with so little noise, which this is not."""
    table = _read_counts(output, frame_indices, spec=spec, camera=camera, pixel_size_nm=pixel_size_nm)
    assert spec.precision_px is not None
    table["precision_nm"] = spec.precision_px * pixel_size_nm
    return table[table["photons"] >= spec.least_signal * camera.gain]


READOUTS: Final[Mapping[OutputKind, Readout]] = {
    "emitters": _read_emitters,
    "map": maps.to_localizations,
    "frames": _read_frames,
    "counts": _read_counts,
}
