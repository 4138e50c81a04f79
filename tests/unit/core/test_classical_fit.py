"""The fit of one spot."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from cellstorm.classical.fit import BACKGROUND, PHOTONS, SIGMA, SIGMA_BOUNDS_PX, X, Y, fit, spots

_READ_VARIANCE = 2.5**2
_TRUE = np.array(
    [
        # x, y, photons, background, sigma
        [3.2, 2.9, 900.0, 10.0, 1.4],
        [2.6, 3.4, 300.0, 4.0, 1.0],
        [3.0, 3.0, 5000.0, 60.0, 1.7],
        [0.3, 5.8, 1500.0, 10.0, 1.3],  # in a corner, as at the image's border
    ]
)


def _model(parameters: NDArray[np.float64], size: int = 7) -> NDArray[np.float64]:
    """(n, size, size) expected photons, pixel by pixel."""
    images = np.empty((len(parameters), size, size))
    for image, (x, y, photons, background, sigma) in zip(images, parameters, strict=True):
        scale = np.sqrt(2) * sigma
        at = np.arange(size)
        along_x, along_y = ((erf((at + 0.5 - place) / scale) - erf((at - 0.5 - place) / scale)) / 2 for place in (x, y))
        image[:] = background + photons * np.outer(along_y, along_x)
    return images


def _start(count: int) -> NDArray[np.float64]:
    return np.tile([3.0, 3.0, 500.0, 8.0, 1.3], (count, 1))


def test_a_spot_without_noise_is_found_exactly() -> None:
    start = _start(len(_TRUE))
    start[3, [X, Y]] = 0.0, 6.0
    fits = fit(_model(_TRUE), start, _READ_VARIANCE)
    np.testing.assert_allclose(fits.parameters[:, [X, Y, SIGMA]], _TRUE[:, [X, Y, SIGMA]], atol=2e-3)
    np.testing.assert_allclose(fits.parameters[:, PHOTONS], _TRUE[:, PHOTONS], rtol=5e-3)
    np.testing.assert_allclose(fits.parameters[:, BACKGROUND], _TRUE[:, BACKGROUND], rtol=0.02)


def test_errors_are_the_cramer_rao_bound() -> None:
    fits = fit(_model(_TRUE[:1]), _TRUE[:1], _READ_VARIANCE)
    steps = np.diag([1e-4, 1e-4, 1e-1, 1e-3, 1e-4])
    slopes = [(_model(_TRUE[:1] + step) - _model(_TRUE[:1] - step)).ravel() / (2 * step.max()) for step in steps]
    variance = _model(_TRUE[:1]).ravel() + _READ_VARIANCE
    fisher = np.array([[(a * b / variance).sum() for b in slopes] for a in slopes])
    np.testing.assert_allclose(fits.errors[0], np.sqrt(np.diag(np.linalg.inv(fisher))), rtol=0.01)


def test_the_estimate_is_the_likeliest() -> None:
    data = np.random.default_rng(1).poisson(_model(_TRUE[:3])) + np.random.default_rng(2).normal(0, 2.5, (3, 7, 7))
    found = fit(data, _start(3), _READ_VARIANCE).parameters

    def badness(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        expected = _model(parameters) + _READ_VARIANCE
        return np.asarray((expected - (data + _READ_VARIANCE) * np.log(expected)).sum(axis=(1, 2)))

    for column, step in ((X, 0.02), (Y, 0.02), (PHOTONS, 10.0), (BACKGROUND, 0.5), (SIGMA, 0.02)):
        for sign in (-1.0, 1.0):
            moved = found.copy()
            moved[:, column] += sign * step
            assert (badness(moved) > badness(found)).all()


def test_known_light_of_others_does_no_harm() -> None:
    other = np.array([[6.5, 1.0, 2000.0, 0.0, 1.4]])
    light = _model(other)
    np.testing.assert_allclose(spots(other, 7), light, atol=1e-9)
    data = _model(_TRUE[:1]) + light
    misled = fit(data, _start(1), _READ_VARIANCE).parameters[0]
    informed = fit(data, _start(1), _READ_VARIANCE, light).parameters[0]
    assert np.hypot(*(misled - _TRUE[0])[[X, Y]]) > 0.05
    assert np.hypot(*(informed - _TRUE[0])[[X, Y]]) < 0.003


def test_a_window_gives_the_same_alone_and_among_a_thousand() -> None:
    rng = np.random.default_rng(3)
    data = rng.poisson(_model(_TRUE[rng.integers(0, 3, 1000)])).astype(np.float64)
    together = fit(data, _start(1000), _READ_VARIANCE)
    for place in (0, 3, 255, 256, 999):
        alone = fit(data[place : place + 1], _start(1), _READ_VARIANCE)
        np.testing.assert_array_equal(alone.parameters[0], together.parameters[place])
        np.testing.assert_array_equal(alone.errors[0], together.errors[place])


@pytest.mark.parametrize("value", [-50.0, 0.0, 60_000.0])
def test_a_window_without_any_spot_gives_finite_numbers_within_bounds(value: float) -> None:
    fits = fit(np.full((2, 7, 7), value), _start(2), 0.0)
    assert np.isfinite(fits.parameters).all()
    assert np.isfinite(fits.errors).all()
    assert (fits.parameters[:, SIGMA] >= SIGMA_BOUNDS_PX[0]).all()
    assert (fits.parameters[:, SIGMA] <= SIGMA_BOUNDS_PX[1]).all()
    assert (fits.parameters[:, PHOTONS] > 0).all()


def test_no_windows_give_no_fits() -> None:
    fits = fit(np.zeros((0, 7, 7)), np.zeros((0, 5)), 1.0)
    assert fits.parameters.shape == fits.errors.shape == (0, 5)
