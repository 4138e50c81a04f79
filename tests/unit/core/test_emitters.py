"""From a generator's output to candidates."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.camera import Camera
from cellstorm.emitters import LEAST_PROBABILITY, to_candidates
from cellstorm.generator import EMITTER_CHANNELS
from cellstorm.localizations import Localizations

_CAMERA = Camera(gain=0.5, offset=4.0, read_noise=1.0)


def _output(frames: int = 1, height: int = 12, width: int = 16) -> NDArray[np.float32]:
    output = np.zeros((frames, len(EMITTER_CHANNELS), height, width), np.float32)
    output[:, EMITTER_CHANNELS.index("background")] = 24.0
    return output


def _put(output: NDArray[np.float32], frame: int, row: int, column: int, **values: float) -> None:
    for name, value in values.items():
        output[frame, EMITTER_CHANNELS.index(name), row, column] = value


def _read(output: NDArray[np.float32]) -> Localizations:
    return to_candidates(output, np.arange(len(output)) + 100, camera=_CAMERA, pixel_size_nm=100.0)


def test_one_emitter_becomes_one_row_in_nanometres_and_photons() -> None:
    output = _output(frames=3)
    _put(output, 1, 4, 7, probability=0.9, dx=0.25, dy=-0.5, signal=800, sigma_x=0.3, sigma_y=0.4, psf_sigma=1.5)
    (row,) = _read(output)
    assert row["frame"] == 101
    assert row["x_nm"] == pytest.approx(725)
    assert row["y_nm"] == pytest.approx(350)
    assert row["photons"] == pytest.approx(400)
    assert row["background_photons"] == pytest.approx(10)
    assert row["precision_nm"] == pytest.approx(100 * np.sqrt((0.09 + 0.16) / 2))
    assert row["psf_sigma_nm"] == pytest.approx(150)
    assert row["probability"] == pytest.approx(0.9)


def test_pixels_that_share_an_emitter_report_it_once_with_all_its_probability() -> None:
    output = _output()
    for row, column, probability in ((5, 5, 0.3), (5, 6, 0.25), (6, 5, 0.2), (6, 6, 0.15)):
        _put(output, 0, row, column, probability=probability, dx=5.5 - column, dy=5.5 - row)
    (row,) = _read(output)
    assert row["probability"] == pytest.approx(0.9)
    assert (row["x_nm"], row["y_nm"]) == (550, 550)


def test_equal_pixels_report_once() -> None:
    output = _output()
    _put(output, 0, 5, 5, probability=0.5, dx=0.5)
    _put(output, 0, 5, 6, probability=0.5, dx=-0.5)
    assert len(_read(output)) == 1


def test_neighbouring_pixels_that_point_apart_are_two_emitters() -> None:
    output = _output()
    _put(output, 0, 5, 5, probability=0.8, dx=-0.4)
    _put(output, 0, 5, 6, probability=0.9, dx=0.4)
    assert _read(output)["x_nm"].tolist() == pytest.approx([460, 640])


def test_an_emitter_in_the_corner_pixel_is_counted_once() -> None:
    output = _output()
    _put(output, 0, 0, 0, probability=0.4)
    _put(output, 0, 11, 15, probability=0.7)
    assert _read(output)["probability"].tolist() == pytest.approx([0.4, 0.7])


def test_what_is_next_to_impossible_is_no_candidate() -> None:
    output = _output()
    _put(output, 0, 5, 5, probability=0.9 * LEAST_PROBABILITY)
    assert len(_read(output)) == 0
    _put(output, 0, 5, 6, probability=0.2 * LEAST_PROBABILITY, dx=-0.8)
    assert len(_read(output)) == 1  # together they are


def test_neighbours_that_agree_give_their_mean_by_probability_and_precision() -> None:
    output = _output()
    _put(output, 0, 5, 5, probability=0.6, dx=0.4, sigma_x=0.1, sigma_y=0.1)
    _put(output, 0, 5, 6, probability=0.3, dx=-0.3, sigma_x=0.2, sigma_y=0.2)
    (row,) = _read(output)
    shares = np.array([0.6 / 0.01, 0.3 / 0.04])
    shares /= shares.sum()
    assert row["x_nm"] == pytest.approx(shares @ [540, 570])
    assert row["precision_nm"] == pytest.approx(100 * np.sqrt(shares @ [0.01, 0.04]))


def test_rows_are_sorted_by_frame_then_y_then_x() -> None:
    output = _output(frames=2)
    for frame, row, column in ((1, 2, 2), (0, 8, 3), (0, 8, 1), (0, 3, 9)):
        _put(output, frame, row, column, probability=0.9)
    rows = _read(output)
    assert [(r["frame"], r["y_nm"], r["x_nm"]) for r in rows] == [
        (100, 300, 900),
        (100, 800, 100),
        (100, 800, 300),
        (101, 200, 200),
    ]


def test_a_frame_gives_the_same_rows_alone_and_among_others() -> None:
    rng = np.random.default_rng(3)
    output = rng.random((4, len(EMITTER_CHANNELS), 16, 16), np.float32)
    together = _read(output)
    alone = [
        to_candidates(output[[frame]], np.array([100 + frame]), camera=_CAMERA, pixel_size_nm=100.0)
        for frame in range(4)
    ]
    assert len(together) > 20
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("channel", ["dx", "sigma_y", "signal", "psf_sigma"])
def test_what_is_no_number_is_no_candidate_and_others_are(channel: str) -> None:
    output = _output()
    usual = {"probability": 0.9, "signal": 800, "sigma_x": 0.3, "sigma_y": 0.3, "psf_sigma": 1.4}
    _put(output, 0, 4, 4, **{**usual, channel: np.nan})
    _put(output, 0, 8, 12, **usual)
    assert _read(output)["x_nm"].tolist() == [1200]


def test_background_below_the_offset_is_no_negative_light() -> None:
    output = _output()
    _put(output, 0, 5, 5, probability=0.9, background=1.0)
    assert _read(output)["background_photons"] == [0.0]
