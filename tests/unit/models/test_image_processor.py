"""What a phone does to frames before it encodes them."""

from __future__ import annotations

import numpy as np
import pytest

from cellstorm_models.image_processor import Frames, ImageProcessor


@pytest.fixture
def noise() -> Frames:
    return np.random.default_rng(0).normal(50, 5, (4, 24, 32)).astype(np.float32)


def test_by_default_nothing_is_done(noise: Frames) -> None:
    processor = ImageProcessor()
    assert processor.filter(noise) is noise
    assert processor.tone(processor.resample(noise, 24, 32)) is noise
    np.testing.assert_array_equal(processor.frame_order(5, np.random.default_rng(0)), np.arange(5))


def test_denoising_lessens_noise_and_sharpening_adds_to_it(noise: Frames) -> None:
    assert ImageProcessor(denoise=0.8).filter(noise).std() < 0.6 * noise.std()
    assert ImageProcessor(sharpen=0.8).filter(noise).std() > 1.3 * noise.std()


def test_denoising_that_keeps_edges_leaves_a_bright_pixel_alone(noise: Frames) -> None:
    noise[1, 10, 10] = 200
    kept = ImageProcessor(denoise=0.8, keep_edges_over=15.0).filter(noise)
    assert kept[1, 10, 10] == 200
    assert ImageProcessor(denoise=0.8).filter(noise)[1, 10, 10] < 150
    assert kept[3].std() < 0.7 * noise[3].std()


@pytest.mark.parametrize("gamma", [0.8, 1.2])
def test_the_slope_of_the_tone_curve_is_what_a_small_signal_sees(gamma: float) -> None:
    processor = ImageProcessor(gamma=gamma, black=5.0)
    level = np.array([30.0, 90.0], np.float32)
    rise = processor.tone(level + np.float32(0.5)) - processor.tone(level - np.float32(0.5))
    np.testing.assert_allclose(processor.slope(level), rise, rtol=0.01)
    assert processor.tone(np.array([3.0], np.float32)) == 0


def test_frames_are_repeated_and_dropped_as_often_as_asked() -> None:
    order = ImageProcessor(repeated=0.2, dropped=0.1).frame_order(2000, np.random.default_rng(0))
    steps = np.diff(order)
    assert np.mean(steps == 0) == pytest.approx(0.2, abs=0.03)
    assert np.mean(steps == 2) == pytest.approx(0.1, abs=0.03)
    assert order[0] == 0
    assert set(steps) == {0, 1, 2}


@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_scaling_moves_pixels_where_coordinates_say(scale: float) -> None:
    processor = ImageProcessor(scale=scale)
    height, width = processor.sensor_size(40, 60)
    ramp = np.broadcast_to(np.arange(width, dtype=np.float32), (1, height, width))
    video = processor.resample(ramp, 40, 60)
    assert video.shape == (1, 40, 60)
    at = processor.to_video_px(video[0, 20, 5:50].astype(float))
    np.testing.assert_allclose(at, np.arange(5, 50), atol=1e-3)
