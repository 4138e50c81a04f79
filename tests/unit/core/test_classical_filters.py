"""The wavelet's planes."""

from __future__ import annotations

import numpy as np
import pytest

from cellstorm.classical.filters import wavelet_planes, white_noise_gain


def test_a_slope_of_light_is_in_neither_plane() -> None:
    row, column = np.mgrid[:40, :50].astype(np.float32)
    planes = wavelet_planes((5.0 + 0.3 * row - 0.2 * column)[np.newaxis])
    inner = (0, slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(planes.fine[inner], 0.0, atol=1e-4)
    np.testing.assert_allclose(planes.spots[inner], 0.0, atol=1e-4)


def test_the_response_to_one_pixel_is_that_of_the_published_kernels() -> None:
    image = np.zeros((1, 21, 21), np.float32)
    image[0, 10, 10] = 256.0
    planes = wavelet_planes(image)
    assert planes.fine[0, 10, 10] == pytest.approx(256 - 36)
    assert planes.fine[0, 10, 12] == pytest.approx(-6)  # 1/16 * 6/16
    assert planes.spots[0, 10, 10] == pytest.approx(36 - 256 * (44 / 256) ** 2)  # 6*6 + 2 * 4*1 taps meet at the centre
    assert planes.spots.sum() == pytest.approx(0.0, abs=1e-3)


def test_noise_is_as_strong_in_the_planes_as_the_kernels_say() -> None:
    noise = np.random.default_rng(1).normal(0.0, 3.0, (4, 100, 100)).astype(np.float32)
    planes, gain = wavelet_planes(noise), white_noise_gain()
    assert planes.fine.std() == pytest.approx(3.0 * gain.fine, rel=0.02)
    assert planes.spots.std() == pytest.approx(3.0 * gain.spots, rel=0.05)


def test_a_frames_planes_do_not_depend_on_its_neighbours() -> None:
    frames = np.random.default_rng(2).random((3, 16, 24), np.float32)
    together = wavelet_planes(frames)
    for place in range(3):
        alone = wavelet_planes(frames[place : place + 1])
        np.testing.assert_array_equal(alone.fine[0], together.fine[place])
        np.testing.assert_array_equal(alone.spots[0], together.spots[place])
