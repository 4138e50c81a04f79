"""Training clips and the windows that are cut from them."""

from __future__ import annotations

import numpy as np
import pytest

from cellstorm_models.clips import CLIP_FRAMES, CLIP_SIDE_PX, Clip, make_clip, sample_windows


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
    batch = sample_windows([clip], 200, 64, np.random.default_rng(0))
    bright = [tuple(place) for place in np.argwhere(batch.windows[:, 1] == 200)]
    assert len(bright) > 30
    listed = [(int(row[0]), round(row[2]), round(row[1])) for row in batch.emitters]
    assert sorted(listed) == sorted(bright)
    assert set(batch.emitters[:, 5]) == {np.float32(1.3)}


def test_a_window_shows_neighbouring_frames_or_the_frame_itself() -> None:
    counts = np.broadcast_to(np.arange(6, dtype=np.uint8)[:, np.newaxis, np.newaxis], (6, 96, 96))
    clip = Clip(counts, counts.astype(np.float32), np.zeros((0, 6), np.float32))
    batch = sample_windows([clip], 300, 64, np.random.default_rng(0))
    before, middle, after = batch.windows[:, :, 0, 0].astype(int).T
    np.testing.assert_array_equal(batch.background[:, 0, 0], middle)
    assert set(middle - before) == set(after - middle) == {0, 1}
    assert np.all(before[middle == 0] == 0)
    assert np.all(after[middle == 5] == 5)
    assert 0.7 < np.mean(middle - before) < 0.9  # the first frame, and a few at random
