"""Raw chunks in the making."""

from __future__ import annotations

import tracemalloc
import weakref
from itertools import repeat

import numpy as np
import pytest

from cellstorm.chunks import MAX_CHUNK_FRAMES, MAX_FRAME_SIDE, Counts
from cellstorm.decoding import decode
from cellstorm.errors import FrameSizeChanged
from cellstorm.raw_chunks import MAX_COUNTS_BYTES, RawCutter


def lengths(frame: Counts, frames: int) -> list[int]:
    """Frames of each chunk that is made of so many."""
    cutter = RawCutter()
    made = [chunk.header.frame_count for _ in range(frames) for chunk in cutter.add(0.0, frame)]
    return made + [chunk.header.frame_count for chunk in cutter.finish()]


@pytest.mark.parametrize(
    ("frame", "most"),
    [
        pytest.param(np.zeros((128, 128), np.uint16), MAX_CHUNK_FRAMES, id="small"),
        pytest.param(np.zeros((512, 512), np.uint16), MAX_CHUNK_FRAMES, id="the default region"),
        pytest.param(np.zeros((1080, 1920), np.uint8), 128, id="full HD"),
        pytest.param(np.zeros((2048, 2048), np.uint16), 31, id="a whole sCMOS sensor"),
    ],
)
def test_only_large_frames_make_shorter_chunks(frame: Counts, most: int) -> None:
    assert lengths(frame, most + 1) == [most, 1]


def test_the_largest_frame_there_may_be_has_a_chunk() -> None:
    assert 2 * MAX_FRAME_SIDE**2 <= MAX_COUNTS_BYTES


def test_of_a_chunk_in_the_making_only_the_compressed_frames_are_held() -> None:
    frames = np.random.default_rng(1).integers(0, 2, (30, 1024, 1024), dtype=np.uint8)  # an eighth when packed
    cutter = RawCutter()
    tracemalloc.start()
    try:
        assert [list(cutter.add(0.1 * index, counts)) for index, counts in enumerate(frames)] == [[]] * 30
        (chunk,) = cutter.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * 2**20
    np.testing.assert_array_equal(decode(chunk), frames)


def test_a_chunk_that_was_handed_out_is_not_held() -> None:
    cutter = RawCutter()
    frame = np.zeros((8, 8), np.uint8)
    for _ in range(MAX_CHUNK_FRAMES):
        assert list(cutter.add(0.0, frame)) == []
    made = cutter.add(0.0, frame)
    header = weakref.ref(next(made).header)
    assert header() is None
    assert list(made) == []
    assert [chunk.header.first_frame for chunk in cutter.finish()] == [MAX_CHUNK_FRAMES]


@pytest.mark.parametrize("layout", ["C", "F", "every second column", "big-endian"])
def test_counts_come_back_however_they_lie_in_memory(layout: str) -> None:
    frame = np.arange(8 * 12, dtype=np.uint16).reshape(8, 12) * 300
    given = {
        "C": frame,
        "F": np.asfortranarray(frame),
        "every second column": np.repeat(frame, 2, axis=1)[:, ::2],
        "big-endian": frame.astype(">u2"),
    }[layout]
    cutter = RawCutter()
    for counts in repeat(given, 3):
        assert list(cutter.add(0.0, counts)) == []
    (chunk,) = cutter.finish()
    np.testing.assert_array_equal(decode(chunk), [frame] * 3)


def test_after_frames_of_another_size_what_came_before_is_kept() -> None:
    cutter = RawCutter()
    assert list(cutter.add(0.0, np.zeros((8, 12), np.uint8))) == []
    with pytest.raises(FrameSizeChanged, match="12x8 pixels of 8 bits and now are 12x8 of 16"):
        list(cutter.add(0.1, np.zeros((8, 12), np.uint16)))
    assert [chunk.header.frame_count for chunk in cutter.finish()] == [1]
