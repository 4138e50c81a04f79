"""Where spots may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cellstorm.classical.candidates import Candidates, find_candidates

_READ_VARIANCE = 2.5**2


def _noise(frames: int, seed: int, side_px: int = 128) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.poisson(10.0, (frames, side_px, side_px)) + rng.normal(0.0, 2.5, (frames, side_px, side_px))


def _find(photons: NDArray[np.float64], least: float, read_variance: float = _READ_VARIANCE) -> Candidates:
    frames = photons.astype(np.float32)
    return find_candidates(frames, np.zeros_like(frames), read_variance, least)


def _add_spots(image: NDArray[np.float64], rows: list[int], columns: list[int], photons: float) -> None:
    light = np.zeros_like(image)
    light[rows, columns] = photons
    image += gaussian_filter(light, 1.4)


def test_spots_are_found_in_their_pixels_and_sorted() -> None:
    photons = _noise(2, seed=1)
    _add_spots(photons[0], [40, 80, 80], [30, 90, 20], 1000.0)
    _add_spots(photons[1], [64], [64], 1000.0)
    found = _find(photons, 8.0)
    assert found.frame.tolist() == [0, 0, 0, 1]
    assert found.row.tolist() == [40, 80, 80, 64]
    assert found.column.tolist() == [30, 20, 90, 64]


def test_noise_alone_is_seldom_significant() -> None:
    found = _find(_noise(20, seed=2), 4.2)
    assert 0 < len(found.frame) < 20


def test_many_bright_spots_hide_no_faint_one() -> None:
    faint = _noise(1, seed=3)
    _add_spots(faint[0], [64], [64], 400.0)
    crowded = faint.copy()
    rows, columns = np.mgrid[8:128:22, 8:128:22]
    apart = np.hypot(rows - 64, columns - 64) > 9
    _add_spots(crowded[0], rows[apart].tolist(), columns[apart].tolist(), 4000.0)

    def significance(photons: NDArray[np.float64]) -> float:
        found = _find(photons, 3.0)
        here = (np.abs(found.row - 64) <= 1) & (np.abs(found.column - 64) <= 1)
        return float(found.significance[here].max(initial=0.0))

    assert crowded.std() > 3 * faint.std()
    assert significance(crowded) > 0.4 * significance(faint)


def test_in_video_that_a_codec_made_smooth_the_cameras_noise_still_counts() -> None:
    smooth = np.full((1, 64, 64), 10.0)
    _add_spots(smooth[0], [20], [20], 60.0)  # a blotch: the camera could not tell such a molecule from noise
    _add_spots(smooth[0], [40], [40], 1000.0)
    found = _find(smooth, 4.2)
    assert (found.row.tolist(), found.column.tolist()) == ([40], [40])
    without_noise = _find(smooth - 10.0, 4.2, 0.0)
    assert len(without_noise.frame) >= 2


def test_a_spot_in_the_corner_is_found() -> None:
    photons = _noise(1, seed=4, side_px=32)
    _add_spots(photons[0], [0, 31], [0, 31], 1500.0)
    found = _find(photons, 8.0)
    assert (found.row.tolist(), found.column.tolist()) == ([0, 31], [0, 31])


def test_a_dark_frame_of_a_noiseless_camera_holds_nothing() -> None:
    assert len(_find(np.zeros((2, 32, 32)), 4.2, 0.0).frame) == 0


def test_explained_light_is_not_found_again_but_leaves_its_noise() -> None:
    photons = _noise(1, seed=5)
    _add_spots(photons[0], [40], [40], 20_000.0)
    explained = photons.copy()
    _add_spots(photons[0], [80], [80], 800.0)
    explained -= _noise(1, seed=5)
    photons[0] += np.random.default_rng(6).normal(0.0, np.sqrt(explained[0]))
    found = find_candidates(photons.astype(np.float32), explained.astype(np.float32), _READ_VARIANCE, 6.0)
    assert (found.row.tolist(), found.column.tolist()) == ([80], [80])
