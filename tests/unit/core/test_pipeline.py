from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.acquisitions import AcquisitionSettings, FrameRange
from cellstorm.camera import Camera
from cellstorm.chunks import Chunk
from cellstorm.decoding import decode
from cellstorm.errors import InvalidChunk, InvalidSetting
from cellstorm.generator import Generator
from cellstorm.maps import in_counts
from cellstorm.pipeline import ChunkResult, add_maps, localize_chunk
from cellstorm.roi import RegionOfInterest
from tests.fakes import GENERATOR_SPEC, PeakGenerator, chunk_of_spots

CAMERA = Camera(gain=0.5, offset=0, read_noise=1)
WHOLE = RegionOfInterest(x=0, y=0, width=24, height=24)


def localize(
    chunk: Chunk,
    generator: Generator,
    roi: RegionOfInterest = WHOLE,
    frames: FrameRange | None = None,
    pixel_size_nm: float = 100.0,
) -> ChunkResult:
    settings = AcquisitionSettings(frames=frames, pixel_size_nm=pixel_size_nm)
    return localize_chunk(chunk, generator, settings=settings, roi=roi, camera=CAMERA, on_batch=lambda: None)


def frame_values(generator: PeakGenerator) -> list[list[float]]:
    """The background of each frame of each window, which tells the frame: 10 + its place in the chunk."""
    return [[float(np.median(frame)) for frame in window] for batch in generator.windows for window in batch]


def test_every_frame_is_seen_between_its_neighbours_and_the_edges_repeat_themselves() -> None:
    generator = PeakGenerator()
    localize(chunk_of_spots(3, 40, frames=4), generator)
    assert frame_values(generator) == [[10, 10, 11], [10, 11, 12], [11, 12, 13], [12, 13, 13]]


def test_a_single_frame_is_its_own_neighbour() -> None:
    generator = PeakGenerator()
    assert localize(chunk_of_spots(0, 0, frames=1), generator).frame_count == 1
    assert frame_values(generator) == [[10, 10, 10]]


def test_rows_bear_the_acquisitions_frame_indices_and_the_asked_units() -> None:
    chunk = chunk_of_spots(3, 40, frames=20)
    counts = decode(chunk)
    table = localize(chunk, PeakGenerator(), pixel_size_nm=80.0).localizations
    rows, columns = zip(*(np.argwhere(frame >= 200)[0] for frame in counts), strict=True)
    assert table["frame"].tolist() == list(range(40, 60))
    np.testing.assert_allclose(table["y_nm"], (np.array(rows) + 0.1) * 80, rtol=1e-6)
    np.testing.assert_allclose(table["x_nm"], (np.array(columns) + 0.1) * 80, rtol=1e-6)
    np.testing.assert_allclose(table["photons"], [0.5 * frame.max() for frame in counts])


def test_positions_count_from_the_region_of_interest() -> None:
    chunk = chunk_of_spots(0, 0, frames=20)
    roi = RegionOfInterest(x=5, y=9, width=13, height=10)
    whole, part = localize(chunk, PeakGenerator()).localizations, localize(chunk, PeakGenerator(), roi).localizations
    inside = (whole["x_nm"] > 490) & (whole["x_nm"] < 1790) & (whole["y_nm"] > 890) & (whole["y_nm"] < 1890)
    assert 0 < len(part) < len(whole)
    np.testing.assert_allclose(part["x_nm"], whole["x_nm"][inside] - 500, atol=1e-3)
    np.testing.assert_allclose(part["y_nm"], whole["y_nm"][inside] - 900, atol=1e-3)


def test_the_generator_gets_sizes_that_it_can_take_and_nothing_is_found_in_what_was_added() -> None:
    counts = np.full((2, 13, 10), 10, np.uint8)
    counts[:, -1, -1] = 250  # repeated over all of the added corner
    generator = PeakGenerator()
    result = localize(
        Chunk.of_counts(0, 0, [0.0, 0.1], counts), generator, RegionOfInterest(x=0, y=0, width=10, height=13)
    )
    assert generator.windows[0].shape == (2, 3, 16, 16)
    assert len(result.localizations) == 2
    assert result.widefield_sum.shape == (13, 10)


def test_frames_that_are_left_out_lend_context_and_are_counted_apart() -> None:
    generator = PeakGenerator()
    chunk = chunk_of_spots(1, 10, frames=10)
    result = localize(chunk, generator, frames=FrameRange(start=13, stop=15))
    assert result.localizations["frame"].tolist() == [13, 14]
    assert frame_values(generator) == [[12, 13, 14], [13, 14, 15]]
    assert (result.frame_count, result.left_out) == (2, 8)
    np.testing.assert_array_equal(result.widefield_sum, decode(chunk)[3:5].sum(axis=0))


def test_a_chunk_of_which_no_frame_is_asked_for_is_not_even_decoded() -> None:
    chunk = chunk_of_spots(1, 10, frames=10)
    broken = Chunk(chunk.header, (b"x" * len(chunk.payloads[0]),))
    result = localize(broken, PeakGenerator(), frames=FrameRange(start=50))
    assert (result.frame_count, result.left_out) == (0, 10)
    assert (len(result.localizations), result.widefield_sum.sum()) == (0, 0)
    with pytest.raises(InvalidChunk):
        localize(broken, PeakGenerator())


def test_the_widefield_image_does_not_overflow_the_frames_own_type() -> None:
    counts = np.full((300, 8, 8), 65535, np.uint16)
    result = localize(
        Chunk.of_counts(0, 0, [0.0] * 300, counts), PeakGenerator(), RegionOfInterest(x=0, y=0, width=8, height=8)
    )
    assert result.widefield_sum.max() == 300 * 65535


def test_a_chunk_is_done_in_batches_and_says_so_after_each() -> None:
    said: list[int] = []
    generator = PeakGenerator()
    localize_chunk(
        chunk_of_spots(0, 0, frames=30),
        generator,
        settings=AcquisitionSettings(),
        roi=WHOLE,
        camera=CAMERA,
        on_batch=lambda: said.append(len(generator.windows)),
    )
    assert len(generator.windows) > 1
    assert set(range(len(generator.windows) + 1)) == set(said)


def test_a_region_beyond_the_frame_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="choose a smaller one"):
        localize(chunk_of_spots(0, 0), PeakGenerator(), RegionOfInterest(x=20, y=0, width=8, height=8))


class DoublingMaps:
    """Predicts a map of twice as many pixels, as bright as the frame."""

    spec = GENERATOR_SPEC.model_copy(update={"output": "map", "upsampling": 2, "precision_px": 0.2, "map_signal": 0.5})

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        middle = windows[:, windows.shape[1] // 2]
        return middle.repeat(2, axis=1).repeat(2, axis=2)[:, np.newaxis]


def test_maps_are_summed_chunk_by_chunk_in_any_order() -> None:
    chunks = [chunk_of_spots(number, 10 * number) for number in range(3)]
    sums = [localize(chunk, DoublingMaps()).map_sum for chunk in chunks]
    total = add_maps(add_maps(None, sums[2]), add_maps(sums[0], sums[1]))
    assert total is not None
    light = np.concatenate([decode(chunk) for chunk in chunks]).sum(axis=0, dtype=np.float64)
    np.testing.assert_array_equal(in_counts(total), (0.5 * light).repeat(2, axis=0).repeat(2, axis=1))
    assert localize(chunks[0], PeakGenerator()).map_sum is None
