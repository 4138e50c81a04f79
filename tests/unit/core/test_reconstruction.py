from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.errors import InvalidSetting
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.reconstruction import (
    MAX_OUTPUT_PIXELS,
    Grid,
    Method,
    Reconstruction,
    default_output_pixel_nm,
    fitting_output_pixel_nm,
)
from tests.fakes import star_localizations


def at(*positions_nm: tuple[float, float], precision_nm: float = 20.0) -> Localizations:
    localizations = np.zeros(len(positions_nm), LOCALIZATION)
    if positions_nm:
        localizations["x_nm"], localizations["y_nm"] = np.transpose(positions_nm)
    localizations["precision_nm"] = precision_nm
    return localizations


def moments(
    image: NDArray[np.float32], output_pixel_nm: float, pixel_size_nm: float
) -> tuple[float, float, float, float]:
    """Mean x and y, and their standard deviations, in nm from the centre of camera pixel (0, 0)."""
    weights = image.astype(np.float64) / image.sum()
    x = (np.arange(image.shape[1]) + 0.5) * output_pixel_nm - pixel_size_nm / 2
    y = (np.arange(image.shape[0]) + 0.5) * output_pixel_nm - pixel_size_nm / 2
    mean_x, mean_y = float((weights.sum(0) * x).sum()), float((weights.sum(1) * y).sum())
    variance_x = float((weights.sum(0) * (x - mean_x) ** 2).sum())
    variance_y = float((weights.sum(1) * (y - mean_y) ** 2).sum())
    return mean_x, mean_y, variance_x**0.5, variance_y**0.5


def test_the_centre_of_the_first_camera_pixel_is_the_origin() -> None:
    image = Reconstruction(4, 3, 100, 20, "histogram").add(at((0, 0))).image
    assert image.shape == (15, 20)
    assert np.argwhere(image).tolist() == [[2, 2]]  # the middle one of the five output pixels of camera pixel (0, 0)


@pytest.mark.parametrize(
    ("x_nm", "column"),
    [(-50.0, 0), (-30.01, 0), (-30.0, 1), (49.99, 4), (50.0, 5), (349.9, 19)],
)
def test_output_pixels_begin_half_a_camera_pixel_left_of_the_origin(x_nm: float, column: int) -> None:
    image = Reconstruction(4, 3, 100, 20, "histogram").add(at((x_nm, 0))).image
    assert np.argwhere(image).tolist() == [[2, column]]


def test_x_runs_along_a_row_and_y_down() -> None:
    image = Reconstruction(8, 8, 100, 100, "histogram").add(at((500, 200))).image
    assert np.argwhere(image).tolist() == [[2, 5]]


@pytest.mark.parametrize("method", ["histogram", "gaussian"])
@pytest.mark.parametrize("position_nm", [(-50.01, 0), (350, 0), (0, -50.01), (0, 250), (np.nan, 0), (0, np.inf)])
def test_localizations_outside_are_counted_and_not_drawn(method: Method, position_nm: tuple[float, float]) -> None:
    snapshot = Reconstruction(4, 3, 100, 20, method).add(at(position_nm, (10, 10))).snapshot()
    assert (snapshot.localizations, snapshot.outside) == (1, 1)
    np.testing.assert_array_equal(snapshot.image, Reconstruction(4, 3, 100, 20, method).add(at((10, 10))).image)


def test_a_gaussian_spot_lies_where_its_localization_is_and_is_as_wide_as_its_precision() -> None:
    image = Reconstruction(32, 32, 100, 10).add(at((1234.5, 1510.3), precision_nm=25)).image
    mean_x, mean_y, sigma_x, sigma_y = moments(image, 10, 100)
    assert mean_x == pytest.approx(1234.5, abs=0.2)
    assert mean_y == pytest.approx(1510.3, abs=0.2)
    assert sigma_x == pytest.approx(25, rel=0.02)
    assert sigma_y == pytest.approx(25, rel=0.02)


@pytest.mark.parametrize(
    ("precision_nm", "drawn_nm"),
    [pytest.param(1e-3, 10, id="half an output pixel"), pytest.param(5000, 100, id="a camera pixel")],
)
def test_very_small_and_very_large_precisions_are_bounded(precision_nm: float, drawn_nm: float) -> None:
    bounded = Reconstruction(32, 32, 100, 20).add(at((1510, 1510), precision_nm=precision_nm)).image
    expected = Reconstruction(32, 32, 100, 20).add(at((1510, 1510), precision_nm=drawn_nm)).image
    np.testing.assert_array_equal(bounded, expected)


def test_a_gaussian_image_sums_to_the_number_of_localizations_away_from_the_border() -> None:
    localizations = star_localizations(5000)
    assert Reconstruction(64, 64, 100, 20).add(localizations).image.sum(dtype=np.float64) == pytest.approx(
        5000, rel=1e-6
    )


def test_the_border_cuts_a_spot_and_does_not_fold_it_to_the_other_side() -> None:
    image = Reconstruction(16, 16, 100, 20).add(at((-50, 700), precision_nm=40)).image
    assert image.sum() == pytest.approx(0.5, abs=2e-3)  # half but for what is cut at three sigma
    assert not image[:, 10:].any()


@pytest.mark.parametrize("method", ["histogram", "gaussian"])
def test_streaming_equals_batch(method: Method) -> None:
    """In float32, sums of another order differ by some 1e-7 of their size: 1e-5 is far above that and invisible."""
    localizations = star_localizations(3000)
    batch = Reconstruction(64, 64, 100, 20, method).add(localizations)
    live = Reconstruction(64, 64, 100, 20, method)
    shuffled = np.random.default_rng(3).permutation(localizations)
    for start in range(0, len(shuffled), 77):
        live.add(shuffled[start : start + 77])
    np.testing.assert_allclose(live.image, batch.image, rtol=1e-5, atol=1e-7)
    assert live.snapshot().localizations == 3000


def test_more_localizations_than_fit_into_one_batch_of_kernels_are_all_drawn() -> None:
    localizations = np.repeat(at((3150, 3150), precision_nm=60), 5000)  # 19x19 values each: two batches
    image = Reconstruction(64, 64, 100, 20).add(localizations).image
    single = Reconstruction(64, 64, 100, 20).add(localizations[:1]).image
    np.testing.assert_allclose(image, 5000 * single, rtol=1e-3)


def test_a_snapshot_does_not_change_when_the_image_grows() -> None:
    reconstruction = Reconstruction(8, 8, 100, 20).add(at((300, 300)))
    snapshot = reconstruction.snapshot()
    before = snapshot.image.copy()
    reconstruction.add(at((300, 300)))
    np.testing.assert_array_equal(snapshot.image, before)
    np.testing.assert_array_equal(reconstruction.image, 2 * before)


def test_the_image_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Reconstruction(8, 8, 100, 20).image[0, 0] = 1


def test_an_empty_table_changes_nothing() -> None:
    assert not Reconstruction(8, 8, 100, 20).add(at()).image.any()


def test_output_pixels_that_do_not_divide_the_field_cover_it() -> None:
    reconstruction = Reconstruction(10, 10, 65, 20, "histogram")  # 650 nm need 33 pixels
    assert reconstruction.image.shape == (33, 33)
    assert reconstruction.add(at((617, 617), (618, 0))).snapshot().outside == 1


@pytest.mark.parametrize(
    ("pixel_size_nm", "output_pixel_nm"), [(100, 20), (160, 20), (100.1, 20), (65, 13), (10, 2)]
)  # fmt: skip
def test_the_default_output_pixel_is_20_nm_or_a_fifth_of_a_small_camera_pixel(
    pixel_size_nm: float, output_pixel_nm: float
) -> None:
    assert default_output_pixel_nm(pixel_size_nm) == output_pixel_nm


@pytest.mark.parametrize(
    ("width_px", "height_px", "pixel_size_nm"),
    [(2048, 2048, 100), (512, 512, 400), (4096, 8, 10_000), (8192, 6144, 65)],
)
def test_of_a_large_field_output_pixels_are_as_large_as_memory_asks(
    width_px: int, height_px: int, pixel_size_nm: float
) -> None:
    output_pixel_nm = fitting_output_pixel_nm(width_px, height_px, pixel_size_nm)
    assert output_pixel_nm > default_output_pixel_nm(pixel_size_nm)
    assert (
        0.9 * MAX_OUTPUT_PIXELS < Grid(width_px, height_px, pixel_size_nm, output_pixel_nm).pixels <= MAX_OUTPUT_PIXELS
    )


def test_of_a_usual_field_output_pixels_are_the_default_ones() -> None:
    assert fitting_output_pixel_nm(1024, 1024, 100) == default_output_pixel_nm(100)


def test_rounding_does_not_add_a_pixel() -> None:
    assert Reconstruction(300, 300, 0.7, 0.7 / 5).image.shape == (1500, 1500)


def test_too_large_an_image_is_refused_with_a_size_that_is_not() -> None:
    with pytest.raises(InvalidSetting, match=r"too large.*at least 6\.31 nm"):
        Reconstruction(512, 512, 100, 0.5)
    side = Reconstruction(512, 512, 100, 6.31).image.shape[0]
    assert side**2 <= MAX_OUTPUT_PIXELS


@pytest.mark.parametrize("output_pixel_nm", [0, -20, float("nan"), float("inf")])
def test_impossible_output_pixels_are_refused(output_pixel_nm: float) -> None:
    with pytest.raises(InvalidSetting, match="choose a positive size"):
        Reconstruction(8, 8, 100, output_pixel_nm)


@pytest.mark.parametrize("output_pixel_nm", [0.19, 1e-300, 5e-324])
def test_output_pixels_that_show_nothing_more_are_refused_with_a_size_that_is_not(output_pixel_nm: float) -> None:
    with pytest.raises(InvalidSetting, match=r"too small for camera pixels of 100 nm; .* at least 0\.197 nm"):
        Reconstruction(8, 8, 100, output_pixel_nm)
    assert Reconstruction(8, 8, 100, 0.197).image.shape == (4061, 4061)


def test_the_default_output_pixel_of_any_camera_pixel_can_be_drawn() -> None:
    for pixel_size_nm in (1, 77.7, 10_000, 12_345.6, 1e6):
        assert Reconstruction(4, 4, pixel_size_nm, default_output_pixel_nm(pixel_size_nm)).image.size


@pytest.mark.parametrize("precision_nm", [15, np.nan])
def test_memory_is_that_of_the_image_however_wide_the_spots(precision_nm: float) -> None:
    table = at((350, 350), (-50, 740), precision_nm=precision_nm)
    tracemalloc.start()
    try:
        image = Reconstruction(8, 8, 100, 0.25).add(table).image
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < image.nbytes + 16 * 2**20
    assert image[1600, 1600] > 0


def test_an_averaged_shifted_histogram_is_a_triangle_along_either_axis() -> None:
    image = Reconstruction(4, 4, 100, 20, "ash").add(at((100, 200))).image
    row, column = np.argwhere(image == image.max())[0]
    assert (row, column) == (12, 7)
    triangle = np.array([1, 2, 1]) / 4
    np.testing.assert_allclose(image[row - 1 : row + 2, column - 1 : column + 2], np.outer(triangle, triangle))
    assert image.sum() == pytest.approx(1)


def test_an_averaged_shifted_histogram_is_the_mean_of_coarser_histograms_that_are_shifted() -> None:
    table = star_localizations(500)
    averaged = Reconstruction(64, 64, 100, 20, "ash").add(table).image
    total = np.zeros_like(averaged)
    fine = np.pad(Reconstruction(64, 64, 100, 20, "histogram").add(table).image, 2)
    for down in (0, 1):
        for right in (0, 1):  # a pixel lies in four of them; each counts two by two fine pixels, over four pixels' area
            for dy in (0, 1):
                for dx in (0, 1):
                    total += fine[2 - down + dy :, 2 - right + dx :][:320, :320] / 16
    np.testing.assert_allclose(averaged, total, atol=1e-6)
