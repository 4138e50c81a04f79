"""From a chunk to its localizations: the one path, in a worker and in `reconstruct`, so that live equals batch.

A chunk's result depends on nothing but the chunk, the generator and the acquisition's settings:

    chunk -> counts of the region of interest -> windows of frames -> generator -> readout -> choice -> localizations

A window never reaches beyond its chunk: the first and the last frame repeat themselves there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellstorm import localizations, maps
from cellstorm.acquisitions import AcquisitionSettings, FrameRange
from cellstorm.camera import Camera
from cellstorm.chunks import Chunk, ChunkHeader, Counts
from cellstorm.decoding import decode
from cellstorm.generator import Generator, batch_frames, padded, windows_of
from cellstorm.localizations import Localizations
from cellstorm.readout import choose, read_out
from cellstorm.roi import RegionOfInterest


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What became of a chunk.

    Attributes
    ----------
    localizations
        By frame.
    frame_count
        Frames that were processed.
    left_out
        Frames that the settings leave out.
    widefield_sum
        (height, width) uint32 sum of the counts of the frames that the settings do not leave out.
    map_sum
        Likewise of the localization maps, as `cellstorm.maps.sum_of` makes it; None where the generator makes none.
    """

    localizations: Localizations
    frame_count: int
    left_out: int
    widefield_sum: NDArray[np.uint32]
    map_sum: NDArray[np.uint32] | None = None


def localize_chunk(
    chunk: Chunk,
    generator: Generator,
    *,
    settings: AcquisitionSettings,
    roi: RegionOfInterest,
    camera: Camera,
    on_batch: Callable[[], None],
) -> ChunkResult:
    """Localize the emitters in a chunk; `on_batch` is called now and then, to show that it goes on.

    Raises
    ------
    InvalidChunk
        If its frames cannot be decoded.
    InvalidSetting
        If the region of interest reaches beyond the frame.
    """
    selected = select_frames(chunk.header, settings)
    if not len(selected):
        return ChunkResult(
            localizations.empty(), 0, chunk.header.frame_count, np.zeros((roi.height, roi.width), np.uint32)
        )
    counts = decode(chunk, roi)
    on_batch()
    return localize_counts(chunk.header, counts, generator, settings=settings, camera=camera, on_batch=on_batch)


def select_frames(header: ChunkHeader, settings: AcquisitionSettings) -> NDArray[np.intp]:
    """Positions in the chunk of the frames that the settings do not leave out."""
    frames = settings.frames or FrameRange()
    return np.flatnonzero([header.first_frame + place in frames for place in range(header.frame_count)])


def localize_counts(
    header: ChunkHeader,
    counts: Counts,
    generator: Generator,
    *,
    settings: AcquisitionSettings,
    camera: Camera,
    on_batch: Callable[[], None],
) -> ChunkResult:
    """As `localize_chunk`, from the (frames, height, width) counts of the chunk's frames in the region of interest."""
    selected = select_frames(header, settings)
    spec = generator.spec if settings.threshold is None else generator.spec.with_threshold(settings.threshold)
    tables = []
    map_sum: NDArray[np.uint32] | None = None
    for places, output in _predictions(counts, selected, generator):
        map_sum = add_maps(map_sum, maps.sum_of(output, spec) if spec.output == "map" else None)
        tables.append(
            read_out(
                output,
                header.first_frame + places,
                spec=spec,
                camera=camera,
                pixel_size_nm=settings.pixel_size_nm,
            )
        )
        on_batch()
    candidates = localizations.concatenate(tables)
    return ChunkResult(
        choose(
            candidates,
            header.first_frame + selected,
            spec=spec,
            frame_pixels=counts[0].size,
            pixel_size_nm=settings.pixel_size_nm,
        ),
        len(selected),
        header.frame_count - len(selected),
        counts[selected].sum(axis=0, dtype=np.uint32),
        map_sum,
    )


def add_maps(first: NDArray[np.uint32] | None, second: NDArray[np.uint32] | None) -> NDArray[np.uint32] | None:
    """Their sum; where there is only one, that one."""
    if first is None or second is None:
        return second if first is None else first
    return maps.added(first, second)


def _predictions(
    counts: Counts, selected: NDArray[np.intp], generator: Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Batches of the selected frames: their positions, and (batch, channels, height, width) without the padding."""
    _, height, width = counts.shape
    spec = generator.spec
    size = batch_frames(height, width)
    full = padded(counts, spec.size_multiple)
    for start in range(0, len(selected), size):
        places = selected[start : start + size]
        windows = windows_of(full, places, spec.context_frames)
        _, _, rows, columns = spec.output_shape(len(places), height, width)
        yield places, generator.predict(windows)[:, :, :rows, :columns]
