"""From localization maps to localizations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.maps import MAX_SUM_PIXELS, added, in_counts, sum_of, to_localizations

_CAMERA = Camera(gain=0.5, offset=4.0, read_noise=1.0)
_SPEC = GeneratorSpec(
    name="test",
    version="1.0",
    sha256="0" * 64,
    output="map",
    context_frames=1,
    size_multiple=8,
    threshold=0.3,
    upsampling=5,
    precision_px=0.2,
    map_signal=100.0,
    least_signal=50.0,
)


def _maps(frames: int = 1) -> NDArray[np.float32]:
    return np.zeros((frames, 1, 60, 80), np.float32)


def _read(output: NDArray[np.float32], spec: GeneratorSpec = _SPEC) -> Localizations:
    return to_localizations(output, np.arange(len(output)) + 100, spec=spec, camera=_CAMERA, pixel_size_nm=100.0)


def test_a_bright_pixel_becomes_one_row_with_light_and_precision_as_declared() -> None:
    output = _maps(2)
    output[1, 0, 22, 37] = 8.0
    (row,) = _read(output)
    assert row["frame"] == 101
    assert (row["x_nm"], row["y_nm"]) == pytest.approx((700, 400))  # pixel 37 is the middle of 35 to 39: camera pixel 7
    assert row["photons"] == pytest.approx(8 * 100 * 0.5)
    assert row["precision_nm"] == pytest.approx(20)
    assert row["probability"] == 1.0


def test_a_spot_of_several_pixels_is_one_row_at_its_centroid() -> None:
    output = _maps()
    output[0, 0, 20, 30:32] = 3.0, 1.0
    output[0, 0, 21, 30:32] = 3.0, 1.0
    (row,) = _read(output)
    assert row["x_nm"] == pytest.approx(100 * ((30.25 + 0.5) / 5 - 0.5))
    assert row["y_nm"] == pytest.approx(100 * ((20.5 + 0.5) / 5 - 0.5))
    assert row["photons"] == pytest.approx(400)


def test_what_is_below_the_share_of_its_own_frames_maximum_is_left_out() -> None:
    output = _maps(2)
    output[0, 0, 10, 10] = 10.0
    output[0, 0, 30, 30] = 2.9
    output[0, 0, 50, 50] = 3.1
    output[1, 0, 30, 30] = 2.9
    rows = _read(output)
    assert rows["frame"].tolist() == [100, 100, 101]
    assert rows["probability"].tolist() == pytest.approx([1, 0.31, 1])


def test_a_frame_of_faint_noise_alone_stays_empty() -> None:
    output = np.random.default_rng(1).uniform(-0.01, 0.01, (2, 1, 60, 80)).astype(np.float32)
    assert len(_read(output)) == 0
    assert len(_read(output, _SPEC.model_copy(update={"least_signal": 0.0}))) > 10


def test_an_empty_map_is_no_error() -> None:
    assert len(_read(_maps(3))) == 0


def test_a_spot_in_the_corner_is_found() -> None:
    output = _maps()
    output[0, 0, 0, 0] = output[0, 0, 59, 79] = 5.0
    rows = _read(output)
    assert rows["x_nm"].tolist() == pytest.approx([-40, 1540])
    assert rows["y_nm"].tolist() == pytest.approx([-40, 1140])


def test_a_frame_gives_the_same_rows_alone_and_among_others() -> None:
    output = np.random.default_rng(2).random((3, 1, 60, 80), np.float32)
    together = _read(output)
    assert len(together) > 50
    for place in range(3):
        alone = _read(output[place : place + 1])
        alone["frame"] += place
        assert alone.tobytes() == together[together["frame"] == 100 + place].tobytes()


def test_the_sum_of_maps_is_light_in_counts_whatever_the_order_of_its_parts() -> None:
    output = np.random.default_rng(3).normal(0.2, 1, (9, 1, 60, 80)).astype(np.float32)
    whole = sum_of(output, _SPEC)
    assert whole is not None
    first, second = sum_of(output[:4], _SPEC), sum_of(output[4:], _SPEC)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(whole, second + first)
    expected = np.maximum(output[:, 0], 0).sum(axis=0) * 100
    np.testing.assert_allclose(in_counts(whole), expected, atol=9 / 32)


def test_a_sum_that_would_be_too_large_is_not_made() -> None:
    wide = np.broadcast_to(np.float32(0), (1, 1, 2**12, MAX_SUM_PIXELS // 2**12 + 1))
    assert sum_of(wide, _SPEC) is None


def test_a_map_tells_neither_width_nor_background() -> None:
    output = _maps()
    output[0, 0, 22, 37] = 8.0
    (row,) = _read(output)
    assert np.isnan(row["psf_sigma_nm"])
    assert np.isnan(row["background_photons"])


def test_what_is_no_number_adds_nothing_to_a_sum_and_too_much_light_stays_the_most() -> None:
    output = _maps(3)
    output[0, 0, 5, 5] = np.nan
    output[:, 0, 6, 6] = 1e6  # 1e8 counts each
    output[0, 0, 7, 7] = 2.0
    first = sum_of(output, _SPEC)
    assert first is not None
    assert first[5, 5] == 0
    assert in_counts(first)[7, 7] == 200
    most = np.iinfo(np.uint32).max
    assert first[6, 6] == most
    assert added(first, first)[6, 6] == most
    assert in_counts(added(first, first))[7, 7] == 400
