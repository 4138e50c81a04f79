"""From frames to localizations without a network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import erf

from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.classical.localize import localize
from cellstorm.localizations import Localizations
from cellstorm.scoring import inside, score
from cellstorm_models.simulation import Recording, SimulationConfig, simulate

_CAMERA = DEFAULT_CAMERA


def _localize(counts: NDArray[np.generic], threshold: float = 0.5, pixel_size_nm: float = 100.0) -> Localizations:
    return localize(
        counts.astype(np.float32),
        np.arange(len(counts)) + 100,
        camera=_CAMERA,
        pixel_size_nm=pixel_size_nm,
        threshold=threshold,
    )


def _spot(
    x: float, y: float, photons: float = 1000.0, sigma: float = 1.4, shape: tuple[int, int] = (32, 32)
) -> NDArray[np.float64]:
    """(height, width) photons, without noise and background."""
    along_y, along_x = (
        (erf((at + 0.5) / (np.sqrt(2) * sigma)) - erf((at - 0.5) / (np.sqrt(2) * sigma))) / 2
        for at in (np.arange(shape[0]) - y, np.arange(shape[1]) - x)
    )
    return np.asarray(photons * np.outer(along_y, along_x))


def _counts(light: NDArray[np.float64], background: float = 10.0) -> NDArray[np.float64]:
    return np.asarray(((light + background) / _CAMERA.gain + _CAMERA.offset)[np.newaxis])


def _bound_nm(photons: float, background: float, sigma_px: float) -> float:
    """Cramér-Rao bound of a position, of all parameters free, by differences; pixels of 100 nm."""
    at = np.array([10.1, 9.8, photons, background, sigma_px])

    def expected(x: float, y: float, photons: float, background: float, sigma: float) -> NDArray[np.float64]:
        return _spot(x, y, photons, sigma, (21, 21)).ravel() + background

    slopes = [(expected(*(at + step)) - expected(*(at - step))) / 2e-4 for step in 1e-4 * np.eye(5)]
    variance = expected(*at) + _CAMERA.read_noise**2
    fisher = [[(a * b / variance).sum() for b in slopes] for a in slopes]
    return float(100.0 * np.sqrt(np.linalg.inv(fisher)[0, 0]))


@pytest.fixture(scope="module")
def sparse() -> Recording:
    config = SimulationConfig(
        frames=1500,
        width=64,
        height=64,
        structure="uniform",
        emitters_per_frame=1.6,
        on_time_frames=20.0,
        background_unevenness=0.0,
    )
    return simulate(config, np.random.default_rng(12))


def test_an_isolated_emitter_is_localized_as_well_as_can_be_and_the_stated_precision_is_true(
    sparse: Recording,
) -> None:
    truth = sparse.truth
    places = np.stack([truth["x_nm"], truth["y_nm"], truth["frame"] * 1e6], axis=1)
    alone = cKDTree(places).query(places, k=2)[0][:, 1] > 1200
    truth = inside(truth[alone & (truth["on"] > 0.999)], 6300, 6300, 700)
    table = _localize(sparse.counts)
    distance, nearest = cKDTree(np.stack([table["x_nm"], table["y_nm"], (table["frame"] - 100) * 1e6], axis=1)).query(
        np.stack([truth["x_nm"], truth["y_nm"], truth["frame"] * 1e6], axis=1)
    )
    assert len(truth) > 800
    assert (distance < 100).all()
    found = table[nearest]
    errors = np.concatenate([found["x_nm"] - truth["x_nm"], found["y_nm"] - truth["y_nm"]])
    bound_nm = _bound_nm(1000.0, 10.0, 1.4)
    assert 0.9 < np.sqrt(np.mean(errors**2)) / bound_nm < 1.1
    assert np.mean(np.abs(errors) < np.tile(found["precision_nm"], 2)) == pytest.approx(0.68, abs=0.05)
    assert abs(errors.mean()) < 0.1 * bound_nm
    assert np.median(found["photons"]) == pytest.approx(1000, rel=0.03)
    assert np.median(found["background_photons"]) == pytest.approx(10, rel=0.05)
    assert np.median(found["psf_sigma_nm"]) == pytest.approx(140, rel=0.02)


def test_in_an_ordinary_recording_nine_of_ten_spots_are_found_and_next_to_nothing_else() -> None:
    recording = simulate(SimulationConfig(frames=40), np.random.default_rng(3))
    table = _localize(recording.counts)
    table["frame"] -= 100
    reached = score(inside(table, 12_700, 12_700, 300), inside(recording.truth, 12_700, 12_700, 300))
    assert reached.recall > 0.9
    assert reached.detection_precision > 0.98
    assert reached.rmse_lateral_nm is not None
    assert reached.rmse_lateral_nm < 33


def test_rows_are_in_nanometres_and_photons_with_the_acquisitions_frame() -> None:
    (row,) = _localize(_counts(_spot(12.3, 17.6)), pixel_size_nm=80.0)
    assert row["frame"] == 100
    assert row["x_nm"] == pytest.approx(12.3 * 80, abs=0.5)
    assert row["y_nm"] == pytest.approx(17.6 * 80, abs=0.5)
    assert row["photons"] == pytest.approx(1000, rel=0.01)
    assert row["background_photons"] == pytest.approx(10, rel=0.02)
    assert row["psf_sigma_nm"] == pytest.approx(1.4 * 80, rel=0.01)


@pytest.mark.parametrize(("x", "y"), [(0.2, 15.0), (31.0, 30.8), (15.0, 0.4), (0.0, 0.0)])
def test_a_spot_at_the_border_is_localized(x: float, y: float) -> None:
    (row,) = _localize(_counts(_spot(x, y)))
    assert (row["x_nm"], row["y_nm"]) == pytest.approx((100 * x, 100 * y), abs=5)


def test_two_neighbours_do_not_pull_each_other() -> None:
    rows = _localize(_counts(_spot(14.0, 15.0) + _spot(18.4, 15.0, 2000.0)))
    assert rows["x_nm"].tolist() == pytest.approx([1400, 1840], abs=8)
    assert rows["photons"].tolist() == pytest.approx([1000, 2000], rel=0.03)


def test_a_flat_top_of_equal_pixels_is_one_localization() -> None:
    (row,) = _localize(np.rint(_counts(_spot(15.5, 15.5))))
    assert (row["x_nm"], row["y_nm"]) == pytest.approx((1550, 1550), abs=3)


@pytest.mark.parametrize("sigma_px", [0.2, 5.0])
def test_what_is_too_narrow_or_too_wide_for_a_spot_is_not_reported(sigma_px: float) -> None:
    assert len(_localize(_counts(_spot(15.0, 15.0, 3000.0, sigma_px)))) == 0


def test_the_threshold_keeps_the_more_significant() -> None:
    counts = _counts(_spot(8.0, 8.0, 300.0) + _spot(22.0, 22.0, 3000.0))
    both = _localize(counts, threshold=0.3)
    assert len(both) == 2
    assert both["probability"][0] < both["probability"][1] < 1
    between = float(both["probability"].mean())
    assert _localize(counts, threshold=between)["x_nm"].tolist() == pytest.approx([2200], abs=1)


@pytest.mark.parametrize("value", [0.0, 4.1, 255.0, 65_535.0])
def test_frames_of_one_value_hold_nothing(value: float) -> None:
    assert len(_localize(np.full((2, 16, 16), value))) == 0


def test_a_frame_smaller_than_a_window_is_no_error() -> None:
    assert len(_localize(_counts(_spot(2.0, 2.0, shape=(5, 6))))) <= 1


def test_a_frame_gives_the_same_rows_alone_and_among_others_in_order() -> None:
    counts = simulate(SimulationConfig(frames=6, width=64, height=48), np.random.default_rng(4)).counts
    together = _localize(counts)
    alone = [_localize(counts[place : place + 1]) for place in range(6)]
    for place, rows in enumerate(alone):
        rows["frame"] += place
    assert len(together) > 50
    assert together.tobytes() == np.concatenate(alone).tobytes()
    assert together.tobytes() == together[np.lexsort((together["x_nm"], together["y_nm"], together["frame"]))].tobytes()
