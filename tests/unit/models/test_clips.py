"""Training clips and the windows that are cut from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellstorm_models.clips import CLIP_FRAMES, CLIP_SIDE_PX, Clip, make_clip, sample_windows
from cellstorm_models.variety import VISIBLE


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [make_clip(3, number) for number in range(12)]


def test_a_clip_depends_on_seed_and_number_alone(clips: list[Clip]) -> None:
    again = make_clip(3, 5)
    np.testing.assert_array_equal(again.counts, clips[5].counts)
    np.testing.assert_array_equal(again.emitters, clips[5].emitters)
    assert make_clip(4, 5).counts.mean() != again.counts.mean()


def test_clips_differ_in_what_a_generator_must_bear(clips: list[Clip]) -> None:
    assert all(clip.counts.shape == (CLIP_FRAMES, CLIP_SIDE_PX, CLIP_SIDE_PX) for clip in clips)
    assert {len(clip.background) for clip in clips} == {1, CLIP_FRAMES}
    sigmas = [float(np.median(clip.emitters[:, 5])) for clip in clips if len(clip.emitters)]
    assert 0.9 <= min(sigmas) < 1.3 < 1.7 < max(sigmas) <= 2.2
    assert any(len(clip.emitters) == 0 for clip in clips)


def test_background_is_in_the_counts_of_the_video(clips: list[Clip]) -> None:
    levels = np.array([[np.median(clip.counts), np.median(clip.background)] for clip in clips])
    agree = np.isclose(levels[:, 0], levels[:, 1], rtol=0.1, atol=2)
    assert agree.mean() > 0.8  # an encoder with next to no bits shows one grey for a while


def test_emitters_of_a_window_are_where_it_is_bright() -> None:
    clip = Clip(
        counts=np.zeros((5, 96, 96), np.uint8),
        background=np.zeros((1, 96, 96), np.float32),
        emitters=np.array(
            [[2, 40.2, 50.1, 500, 1, 1.3], [2, 90, 90, 500, 0, 1.3], [3, 10, 10, 500, 1, 1.3]], np.float32
        ),
    )
    for frame, x, y, *_ in clip.emitters:
        clip.counts[int(frame), round(y), round(x)] = 200
    batch = sample_windows([clip], 200, 64, np.random.default_rng(0), context_frames=3)
    bright = [tuple(place) for place in np.argwhere(batch.windows[:, 1] == 200)]
    assert len(bright) > 30
    listed = [(int(row[0]), round(row[2]), round(row[1])) for row in batch.emitters]
    assert sorted(listed) == sorted(bright)
    assert set(batch.emitters[:, 5]) == {np.float32(1.3)}


def test_a_window_shows_neighbouring_frames_and_repeats_its_edge_where_a_chunk_ends() -> None:
    counts = np.broadcast_to(np.arange(9, dtype=np.uint8)[:, np.newaxis, np.newaxis], (9, 96, 96))
    clip = Clip(counts, counts.astype(np.float32), np.zeros((0, 6), np.float32))
    batch = sample_windows([clip], 600, 64, np.random.default_rng(0), context_frames=5)
    frames = batch.windows[:, :, 0, 0].astype(int)
    middle = frames[:, 2]
    np.testing.assert_array_equal(batch.background[:, 0, 0], middle)
    steps = np.diff(frames, axis=1)
    assert set(steps.ravel()) == {0, 1}
    assert not np.any((steps[:, 0] == 1) & (steps[:, 1] == 0))  # beyond an edge nothing moves
    assert not np.any((steps[:, 3] == 1) & (steps[:, 2] == 0))
    assert frames.min() == 0
    assert frames.max() == 8
    assert 0.75 < np.mean(steps[:, 1][middle > 0]) < 1.0  # a few at random, apart from the clip's own edges


def test_a_window_of_one_frame_is_that_frame() -> None:
    counts = np.broadcast_to(np.arange(3, dtype=np.uint8)[:, np.newaxis, np.newaxis], (3, 96, 96))
    clip = Clip(counts, counts.astype(np.float32), np.zeros((0, 6), np.float32))
    batch = sample_windows([clip], 20, 64, np.random.default_rng(0), context_frames=1)
    np.testing.assert_array_equal(batch.windows[:, 0], batch.background)


def test_clips_follow_the_variety_they_are_drawn_from() -> None:
    never_empty = replace(VISIBLE.chance_of, empty=0.0, sparse=0.0)
    faint = replace(VISIBLE, chance_of=never_empty, photons=(50, 60), background_photons=(3, 4), gain=(0.5, 0.6))
    bright = replace(faint, photons=(3000, 3100))
    signals = [np.median(make_clip(5, 0, variety).emitters[:, 3]) for variety in (faint, bright)]
    assert signals[1] > 10 * signals[0] > 0


def test_windows_of_an_empty_clip_are_rather_those_with_a_bump() -> None:
    counts = np.zeros((8, 96, 96), np.uint8)
    counts[3, 40:44, 40:44] = 50
    nothing = np.zeros((0, 6), np.float32)
    empty = Clip(counts, np.zeros((1, 96, 96), np.float32), nothing)
    with_emitter = Clip(counts, empty.background, np.array([[7, 5, 5, 500, 1, 1.3]], np.float32))
    shares = []
    for clip in (empty, with_emitter):
        batch = sample_windows([clip], 400, 64, np.random.default_rng(0), context_frames=1)
        shares.append(np.mean(batch.windows.max(axis=(1, 2, 3)) > 0))
    assert shares[1] < 0.2
    assert shares[0] > 3 * shares[1]
