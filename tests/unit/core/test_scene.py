from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cellstorm.errors import InvalidSetting
from cellstorm.reconstruction import MAX_OUTPUT_PIXELS, Method, Reconstruction, Window
from cellstorm.scene import MAX_FILE_PIXELS, STRIP_ROWS, TILE, Scene, array_levels, highest
from tests.fakes import star_localizations

METHODS: tuple[Method, ...] = ("histogram", "gaussian", "ash")


def whole(method: Method, pixel_nm: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return Reconstruction(64, 64, 100.0, pixel_nm, method).add(star_localizations(3000)).image


@pytest.mark.parametrize("method", METHODS)
def test_strips_put_together_are_the_whole_image(method: Method) -> None:
    scene = Scene(star_localizations(3000), 64, 64, 100.0, method)
    strips = list(scene.levels(4.7)[0].strips())
    assert len(strips) == 3
    np.testing.assert_allclose(np.concatenate(strips), whole(method, 4.7), atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_window_is_that_part_of_the_image_and_empty_beyond_it(method: Method) -> None:
    scene = Scene(star_localizations(3000), 64, 64, 100.0, method)
    part = scene.draw(20.0, Window(200, 100, 200, 90))
    expected = whole(method, 20.0)[100:190, 200:]
    np.testing.assert_allclose(part[:, :120], expected, atol=2e-5)
    assert part[:, 130:].sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_tiles_of_a_zoom_are_the_image_at_that_zoom(method: Method) -> None:
    scene = Scene(star_localizations(3000), 64, 48, 100.0, method)
    assert scene.tile_pixel_nm(0) == 25.0
    rows = [np.concatenate([scene.tile(1, column, row) for column in (0, 1)], axis=1) for row in (0, 1)]
    tiled = np.concatenate(rows)
    image = scene.draw(12.5, Window(0, 0, 2 * TILE, 384))
    np.testing.assert_allclose(tiled[:384], image, atol=2e-5)
    assert tiled[400:].sum() == pytest.approx(0, abs=1e-6)


def test_tiles_in_which_single_spots_are_large_are_the_image_too() -> None:
    table = star_localizations(60, side_px=16)
    table["precision_nm"][::10] = np.nan
    image = Reconstruction(16, 16, 100.0, 100 / 64).add(table).image
    scene = Scene(table, 16, 16, 100.0)
    assert scene.tile_pixel_nm(2) == 100 / 64
    tiles = [np.concatenate([scene.tile(2, column, row) for column in range(4)], axis=1) for row in range(4)]
    np.testing.assert_allclose(np.concatenate(tiles), image, atol=1e-7)
    assert np.count_nonzero(image) > image.size / 4


def test_a_tile_takes_its_own_memory_however_large_the_camera_pixels() -> None:
    scene = Scene(star_localizations(50, pixel_size_nm=10_000.0), 64, 64, 10_000.0)
    finest = 7
    assert scene.tile_pixel_nm(finest) == 10_000 / 512
    with pytest.raises(InvalidSetting, match="choose one from 0 to 7"):
        scene.tile(finest + 1, 0, 0)
    tracemalloc.start()
    try:
        scene.tile(finest, 60, 60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


def test_white_is_the_same_density_at_every_zoom() -> None:
    scene = Scene(star_localizations(20_000), 64, 64, 100.0, "gaussian")
    for zoom in (1, 2, 3):
        pixel_nm = scene.tile_pixel_nm(zoom)
        grid = scene.grid(pixel_nm)
        image = scene.draw(pixel_nm, Window(0, 0, grid.width, grid.height))
        assert scene.white_per_nm2(99.5) * pixel_nm**2 == pytest.approx(np.percentile(image[image > 0], 99.5), rel=0.4)


@pytest.mark.parametrize(("zoom", "column", "row"), [(1, 2, 0), (1, 0, -1), (30, 0, 0), (10**15, 0, 0), (-1, 0, 0)])
def test_a_tile_that_is_not_there_is_refused(zoom: int, column: int, row: int) -> None:
    with pytest.raises(InvalidSetting, match="choose one"):
        Scene(star_localizations(10), 64, 64, 100.0).tile(zoom, column, row)


def test_levels_halve_until_they_are_small_and_keep_their_brightness() -> None:
    levels = Scene(star_localizations(3000), 64, 64, 100.0).levels(1.5)
    assert [(level.height, level.pixel_nm) for level in levels] == [(4267, 1.5), (2134, 3.0), (1067, 6.0), (534, 12.0)]
    means = [float(np.concatenate(list(level.strips())).mean()) for level in levels]
    assert means == pytest.approx([means[0]] * 4, rel=0.01)


def test_an_image_in_memory_has_levels_of_means() -> None:
    image = np.arange(1500 * 1101, dtype=np.float32).reshape(1500, 1101)
    levels = array_levels(image, 20.0)
    assert [(level.height, level.width, level.pixel_nm) for level in levels] == [(1500, 1101, 20.0), (750, 551, 40.0)]
    half = np.concatenate(list(levels[1].strips()))
    assert half[0, 0] == image[:2, :2].mean()
    assert highest(levels) == image.max()


def test_a_file_whose_strips_would_be_too_large_says_which_pixels_fit() -> None:
    scene = Scene(star_localizations(10), 8192, 8, 100.0)
    with pytest.raises(InvalidSetting, match=r"too wide; choose larger pixels, at least 6\.31 nm"):
        scene.levels(1.0)
    assert scene.levels(6.31)[0].width * STRIP_ROWS <= MAX_OUTPUT_PIXELS


def test_a_file_that_would_be_too_large_says_which_pixels_fit() -> None:
    scene = Scene(star_localizations(10), 2048, 2048, 100.0)
    with pytest.raises(InvalidSetting, match=r"choose larger pixels, at least 6\.\d+ nm"):
        scene.levels(1.0)
    assert scene.grid(6.5).width ** 2 < MAX_FILE_PIXELS
