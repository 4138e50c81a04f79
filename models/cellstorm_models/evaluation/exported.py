"""An exported generator, measured in short on recordings whose truth is known: for its card, at export."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cellstorm.camera import DEFAULT_CAMERA, Camera
from cellstorm.chunks import Counts
from cellstorm.emitters import to_candidates
from cellstorm.generator import GeneratorSpec, padded, windows_of
from cellstorm.localizations import Localizations, concatenate
from cellstorm.readout import choose
from cellstorm.scoring import Score, inside, score
from cellstorm_models.compression import Compression, compress, read_luma
from cellstorm_models.evaluation.pairs import Pair
from cellstorm_models.networks import SIZE_MULTIPLE
from cellstorm_models.simulation import SimulationConfig, simulate

BORDER_NM: Final = 300.0
_BATCH: Final = 16
_PIXEL_SIZE_NM: Final = 100.0
_EMPTY_FRAMES: Final = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a card's table."""

    video: str
    score: Score


class ExportedGenerator:
    """weights.onnx on one core, as it is measured."""

    def __init__(self, weights: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self.context_frames: int = self._session.get_inputs()[0].shape[1]

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(batch, context_frames, height, width) counts to (batch, 8, height, width)."""
        (output,) = self._session.run(None, {"counts": windows})
        return np.asarray(output, np.float32)

    def candidates(self, counts: Counts, *, camera: Camera, pixel_size_nm: float) -> Localizations:
        """All that may be emitters in (frames, height, width) counts, by frame."""
        tables = []
        _, height, width = counts.shape
        full = padded(counts, SIZE_MULTIPLE)
        for first in range(0, len(counts), _BATCH):
            frames = np.arange(first, min(first + _BATCH, len(counts)))
            output = self.predict(windows_of(full, frames, self.context_frames))[:, :, :height, :width]
            tables.append(to_candidates(output, frames, camera=camera, pixel_size_nm=pixel_size_nm))
        return concatenate(tables)

    def localize(
        self,
        counts: Counts,
        spec: GeneratorSpec,
        *,
        camera: Camera = DEFAULT_CAMERA,
        pixel_size_nm: float = _PIXEL_SIZE_NM,
    ) -> Localizations:
        """All localizations of (frames, height, width) counts, as one chunk, as its specification has them chosen."""
        table = self.candidates(counts, camera=camera, pixel_size_nm=pixel_size_nm)
        frames = np.arange(len(counts))
        return choose(table, frames, spec=spec, frame_pixels=counts[0].size, pixel_size_nm=pixel_size_nm)


def score_bench(generator: ExportedGenerator, spec: GeneratorSpec, bench: Iterable[Pair]) -> list[Figure]:
    """On every video, but for a border of 300 nm."""
    figures = []
    for pair in bench:
        truth, frames = pair.read_truth(), read_luma(pair.video)
        height_nm, width_nm = ((side - 1) * pair.pixel_size_nm for side in frames.shape[1:])
        if pair.max_y_nm is not None:
            height_nm = pair.max_y_nm + BORDER_NM
        rows, columns = pair.region(frames.shape[2], frames.shape[1]).slices
        counts = np.ascontiguousarray(frames[:, rows, columns])
        table = generator.localize(counts, spec, pixel_size_nm=pair.pixel_size_nm)
        kept_table, kept_truth = (inside(each, width_nm, height_nm, BORDER_NM) for each in (table, truth))
        figures.append(Figure(pair.name, score(kept_table, kept_truth)))
    return figures


def score_simulated(
    generator: ExportedGenerator, spec: GeneratorSpec, config: SimulationConfig, compression: Compression, seed: int
) -> Score:
    """On one simulated recording."""
    recording = simulate(config, np.random.default_rng(seed))
    counts = compress(recording.counts.astype(np.uint8), compression)
    camera = Camera(gain=config.gain, offset=config.offset, read_noise=config.read_noise)
    table = generator.localize(counts, spec, camera=camera, pixel_size_nm=config.pixel_size_nm)
    size_nm = ((config.width - 1) * config.pixel_size_nm, (config.height - 1) * config.pixel_size_nm)
    return score(inside(table, *size_nm, BORDER_NM), inside(recording.truth, *size_nm, BORDER_NM))


def phantoms(generator: ExportedGenerator, spec: GeneratorSpec, compression: Compression) -> int:
    """Localizations in 200 compressed frames of background without any emitter."""
    config = SimulationConfig(frames=_EMPTY_FRAMES, emitters_per_frame=0.0)
    return score_simulated(generator, spec, config, compression, seed=11).spurious


def milliseconds_per_frame(generator: ExportedGenerator, side_px: int = 128) -> float:
    """Processor time for a frame of so many pixels a side, on one core."""
    windows = (
        np.random.default_rng(0)
        .uniform(10, 40, (_BATCH, generator.context_frames, side_px, side_px))
        .astype(np.float32)
    )
    generator.predict(windows)
    start = time.process_time()
    for _ in range(5):
        generator.predict(windows)
    return 1e3 * (time.process_time() - start) / (5 * _BATCH)
