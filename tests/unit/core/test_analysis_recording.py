from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cellstorm.acquisitions import FrameRange
from cellstorm.analysis.recording import Examiner, RecordingQuality, examine
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import Chunk, Counts
from cellstorm.classical.localize import localize
from cellstorm.cutting import ChunkCutter
from cellstorm.errors import InvalidVideo
from cellstorm.localizations import Localizations, empty
from cellstorm.roi import RegionOfInterest
from tests.fakes import encode_h264, numbered_frames

SIDE = 64
ROI = RegionOfInterest(x=0, y=0, width=SIDE, height=SIDE)


def spots(frames: int, seed: int = 1) -> Counts:
    """Frames of some bright spots on a noisy ground."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    mean = np.full((frames, SIDE, SIDE), 20.0)
    for frame in mean:
        for _ in range(6):
            column, row = random.uniform(8, SIDE - 8, 2)
            frame += 80 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * 1.3**2))
    return np.clip(random.poisson(mean), 0, 255).astype(np.uint8)


def chunk(number: int, counts: Counts) -> Chunk:
    first = number * len(counts)
    return Chunk.of_counts(number, first, [(first + index) / 20 for index in range(len(counts))], counts)


def facts(examiner: Examiner, table: Localizations | None = None, *, is_network: bool = False) -> RecordingQuality:
    return examiner.facts(
        empty() if table is None else table, camera=DEFAULT_CAMERA, pixel_size_nm=100, is_network=is_network
    )


def fitted(counts: Counts, first: int = 0) -> Localizations:
    frames = first + np.arange(len(counts))
    return localize(counts.astype(np.float32), frames, camera=DEFAULT_CAMERA, pixel_size_nm=100, threshold=0.5)


def test_clipped_and_black_pixels_and_repeated_frames_are_counted() -> None:
    counts = spots(10)
    counts[counts < 1] = 1
    counts[counts > 254] = 254
    counts[:, 0, :32] = 255
    counts[:, 1, :16] = 0
    counts[4] = counts[3]
    examiner = Examiner()
    examiner.add(chunk(0, counts), counts)
    seen = facts(examiner)
    assert seen.frames_sampled == 10
    assert seen.clipped == pytest.approx(32 / SIDE**2)
    assert seen.black == pytest.approx(16 / SIDE**2)
    assert seen.frames_compared == 9
    assert seen.repeated == pytest.approx(1 / 9)
    assert seen.quantiser is None
    assert seen.agreement is None


def test_a_table_agrees_wholly_with_the_fit_that_made_it_and_less_where_it_invents() -> None:
    counts = spots(20)
    examiner = Examiner()
    examiner.add(chunk(0, counts), counts)
    table = fitted(counts)
    same = facts(examiner, table, is_network=True).agreement
    assert same is not None
    assert same.jaccard == 1
    assert same.distance_nm_rms == 0
    moved = table.copy()
    moved["x_nm"] += 30
    invented = table[: len(table) // 2].copy()
    invented["y_nm"] += 5000
    found = facts(examiner, np.concatenate([moved, invented]), is_network=True).agreement
    assert found is not None
    assert found.offset_x_nm == pytest.approx(30, abs=0.1)
    assert found.jaccard == pytest.approx(1 / 1.5, rel=0.05)


def test_the_sample_is_bounded_spread_evenly_and_keeps_step_with_no_key_frame_interval() -> None:
    counts = spots(32)
    examiner = Examiner()
    for number in range(40):
        examiner.add(chunk(number, counts), counts)
    sampled = np.array(sorted(examiner._frames))  # what is kept is the point
    assert 40 < len(sampled) <= 100
    assert np.diff(sampled).max() < 40
    for interval in (8, 16, 30, 32):
        assert len(set(sampled % interval)) > min(interval, len(sampled)) / 2


def test_frames_that_were_left_out_are_not_asked_about() -> None:
    counts = spots(20)
    examiner = Examiner(FrameRange(start=5, stop=9))
    examiner.add(chunk(0, counts), counts)
    found = facts(examiner, fitted(counts[5:9], first=5), is_network=True)
    assert found.frames_sampled == 4
    assert found.agreement is not None
    assert found.agreement.jaccard == 1


def test_frames_that_were_left_out_count_for_no_repeats() -> None:
    counts = spots(20)
    counts[10:] = counts[10]
    examiner = Examiner(FrameRange(start=2, stop=9))
    examiner.add(chunk(0, counts), counts)
    found = facts(examiner, fitted(counts[2:9], first=2), is_network=True)
    assert (found.frames_compared, found.repeated) == (6, 0)


def test_a_kept_video_is_examined_to_its_torn_end() -> None:
    cutter = ChunkCutter()
    units = encode_h264(numbered_frames(60, width=SIDE, height=SIDE))
    cuts = [cut.chunk for unit in units for cut in cutter.add(unit)] + [cut.chunk for cut in cutter.finish()]

    def chunks() -> Iterator[Chunk]:
        yield from (one for one in cuts[:4] if one is not None)
        raise InvalidVideo("cut short")

    seen = facts(examine(chunks(), ROI, frame_count=60))
    assert seen.quantiser is not None
    assert seen.quantiser.frames == 40
    assert seen.quantiser.key_frames == 4
    assert seen.frames_sampled == 40
    assert seen.repeated == 0


def test_pixels_of_a_long_video_are_looked_at_from_end_to_end() -> None:
    cutter = ChunkCutter()
    moving = list(numbered_frames(540, width=SIDE, height=SIDE))
    units = encode_h264([*moving, *moving[-1:] * 60])
    cuts = [cut.chunk for unit in units for cut in cutter.add(unit)] + [cut.chunk for cut in cutter.finish()]
    chunks = [one for one in cuts if one is not None]
    assert len(chunks) > 50
    seen = facts(examine(chunks, ROI, frame_count=600))
    assert seen.repeated == pytest.approx(0.1, abs=0.05)


def test_light_that_limited_range_clips_counts_as_clipped() -> None:
    counts = spots(10)
    np.clip(counts, 16, 235, out=counts)
    counts[:, 0, :32] = 235
    counts[:, 1, :16] = 16
    examiner = Examiner()
    examiner.add(chunk(0, counts), counts)
    seen = facts(examiner)
    assert seen.clipped == pytest.approx((counts == 235).mean())
    assert seen.black == pytest.approx((counts == 16).mean())


def test_of_a_long_raw_recording_only_the_beginning_is_read() -> None:
    read = []

    def chunks() -> Iterator[Chunk]:
        for number in range(100):
            read.append(number)
            yield chunk(number, spots(1))

    assert facts(examine(chunks(), ROI, frame_count=100)).frames_sampled == 40
    assert len(read) == 41
