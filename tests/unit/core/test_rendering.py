from __future__ import annotations

import io
import tracemalloc
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cellstorm.errors import InvalidSetting
from cellstorm.reconstruction import Reconstruction
from cellstorm.rendering import (
    Colormap,
    annotated_png,
    difference_png,
    palette,
    reconstruction_png,
    scale_bar_nm,
    to_8bit,
    widefield_png,
)
from tests.fakes import star_localizations

_LUMA = np.array([0.299, 0.587, 0.114])


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    assert picture.format == "PNG"
    return picture


def star(output_pixel_nm: float = 20) -> NDArray[np.float32]:
    return Reconstruction(64, 64, 100, output_pixel_nm).add(star_localizations(4000)).image


def longest_bright_row(picture: Image.Image) -> int:
    """Pixels in the longest horizontal run of full brightness in the lowest quarter: the scale bar."""
    values = np.asarray(picture.convert("L"))[-picture.height // 4 :] == 255
    return max(max((len(run) for run in "".join("#" if v else " " for v in row).split()), default=0) for row in values)


@pytest.mark.parametrize("colormap", get_args(Colormap))
def test_brightness_grows_along_every_colour_map(colormap: Colormap) -> None:
    colours = palette(colormap)
    assert colours.shape == (256, 3)
    brightness = colours @ _LUMA
    assert (np.diff(brightness) > -0.5).all()  # colours are whole numbers
    assert brightness[-1] - brightness[0] > 150


def test_an_unknown_colour_map_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(InvalidSetting, match="choose one of gray, hot, fire, viridis"):
        palette("jet")  # type: ignore[arg-type]  # as it may come from a query


def test_zero_is_black_and_the_percentile_of_lit_pixels_is_white() -> None:
    image = np.zeros((20, 20), np.float32)
    image[0, :10] = np.arange(1, 11)
    view = to_8bit(image, percentile=50, gamma=1)  # the median of 1 to 10 is 5.5
    assert view[1:].max() == 0
    assert view[0, :10].tolist() == [46, 93, 139, 185, 232, 255, 255, 255, 255, 255]


def test_a_gamma_below_one_lifts_what_is_dim() -> None:
    image = np.array([[0, 0.25, 1]], np.float32)
    assert to_8bit(image, percentile=100, gamma=0.5).tolist() == [[0, 128, 255]]


def test_contrast_does_not_depend_on_how_much_is_black() -> None:
    small = star()
    large = np.pad(small, 500)
    np.testing.assert_array_equal(to_8bit(large)[500:-500, 500:-500], to_8bit(small))


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan")])
def test_impossible_percentiles_are_refused(percentile: float) -> None:
    with pytest.raises(InvalidSetting, match="percentile"):
        to_8bit(star(), percentile=percentile)


@pytest.mark.parametrize("gamma", [0, 11, float("nan")])
def test_impossible_gammas_are_refused(gamma: float) -> None:
    with pytest.raises(InvalidSetting, match="gamma"):
        to_8bit(star(), gamma=gamma)


def test_a_png_shows_the_image_pixel_by_pixel_in_the_colours_of_its_map() -> None:
    image = star()
    picture = opened(reconstruction_png(image, colormap="viridis"))
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette("viridis")[to_8bit(image)])


def test_an_image_without_localizations_is_black() -> None:
    assert np.asarray(opened(annotated_png(np.zeros((320, 320), np.float32), 20)).convert("L"))[:200].max() == 0


@pytest.mark.parametrize(
    ("width_nm", "bar_nm"),
    [(12_800, 2000), (51_200, 10_000), (6400, 1000), (1280, 200), (8000, 2000), (700, 100), (1, 1)],
)
def test_the_scale_bar_is_the_round_length_nearest_to_a_fifth_of_the_width(width_nm: float, bar_nm: int) -> None:
    assert scale_bar_nm(width_nm) == bar_nm


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    assert longest_bright_row(opened(annotated_png(star(), 20))) == 50  # 1 µm at 20 nm


def test_a_small_image_is_magnified_with_its_scale_bar() -> None:
    image = Reconstruction(8, 8, 100, 20, "histogram").add(star_localizations(50, side_px=8)).image
    picture = opened(annotated_png(image, 20))
    assert picture.size == (160, 160)  # four times
    assert longest_bright_row(picture) == 40  # 200 nm at 5 nm


@pytest.mark.parametrize("micro", [True, False])
def test_the_micro_sign_reaches_below_the_line_and_the_n_does_not(micro: bool) -> None:
    """Pillow's own font has no micro sign and would show an empty box, whose foot is as wide as the letter."""
    output_pixel_nm = 20.0 if micro else 2.0  # bars of 1 µm and of 100 nm
    picture = opened(annotated_png(np.zeros((320, 320), np.float32), output_pixel_nm, colormap="gray"))
    lit = np.asarray(picture.convert("L")) > 100
    bar_top = int(np.flatnonzero(lit.sum(axis=1) > 40)[0])
    lowest = int(np.flatnonzero(lit[:bar_top].any(axis=1))[-1])
    assert (1 <= lit[lowest].sum() <= 3) == micro


def test_a_widefield_view_is_grey_and_linear_between_its_percentiles() -> None:
    ramp = np.tile(np.linspace(1000, 2000, 256, dtype=np.float64), (64, 1))
    view = np.asarray(opened(widefield_png(ramp)).convert("L")).astype(int)
    assert view[0, 0] == 0
    assert view[0, -1] == 255
    assert abs(np.diff(view[0, 4:250], n=2)).max() <= 1


def test_an_even_widefield_image_is_no_error() -> None:
    assert opened(widefield_png(np.full((16, 16), 7, np.uint32))).size == (16, 16)


def test_a_given_white_is_that_of_the_whole_image_for_each_part_of_it() -> None:
    image = np.array([[0, 1, 2, 4]], np.float32)
    assert to_8bit(image, gamma=1, white=4).tolist() == [[0, 64, 128, 255]]
    assert to_8bit(image[:, :2], gamma=1, white=4).tolist() == [[0, 64]]


def test_a_difference_is_orange_where_only_the_first_is_bright_blue_for_the_second_and_grey_for_both() -> None:
    first, second = np.array([[1, 0, 1, 0]], np.float32), np.array([[0, 1, 1, 0]], np.float32)
    with Image.open(io.BytesIO(difference_png(first, second))) as picture:
        colours = np.asarray(picture).tolist()[0]
    assert colours == [[255, 140, 0], [0, 114, 255], [255, 255, 255], [0, 0, 0]]


@pytest.mark.parametrize("side_px", [256, 1500])
def test_an_images_view_takes_no_more_memory_for_its_making_than_the_view_itself_and_a_little(side_px: int) -> None:
    image = np.random.default_rng(0).random((side_px, side_px), np.float32)
    tracemalloc.start()
    to_8bit(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < image.size + 24 * 2**20


def test_the_white_of_a_large_image_is_that_of_every_nth_lit_pixel() -> None:
    lit = np.random.default_rng(0).random(1_300_000, np.float32) + np.float32(0.001)
    image = np.zeros((1400, 1000), np.float32)
    image.reshape(-1)[100_000:] = lit
    white = float(np.percentile(lit[::3], 50))
    np.testing.assert_array_equal(to_8bit(image, percentile=50), to_8bit(image, white=white))
