"""The Cramér-Rao bound, against derivatives taken numerically and formulas of limiting cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import dblquad

from cellstorm_models.evaluation.limit import Optics, fisher, position_limit_nm

OPTICS = Optics(psf_sigma_nm=140, background_photons=10, pixel_size_nm=100, read_noise=2.5)


def expected(parameters: NDArray[np.float64], sigma_px: float, reach: int) -> NDArray[np.float64]:
    """(2 reach + 1, 2 reach + 1) photons of a spot by quadrature over each pixel, 5 by 5 points of Gauss and Legendre."""
    x, y, photons, background = parameters
    points, weights = np.polynomial.legendre.leggauss(5)
    places = np.arange(-reach, reach + 1)[:, np.newaxis] + points / 2

    def share(centre: float) -> NDArray[np.float64]:
        density = np.exp(-((places - centre) ** 2) / (2 * sigma_px**2)) / np.sqrt(2 * np.pi) / sigma_px
        return np.asarray(density @ weights / 2)

    return np.asarray(photons * np.outer(share(y), share(x)) + background)


@pytest.mark.parametrize(("photons", "x", "y"), [(500.0, 0.0, 0.0), (60.0, 0.3, -0.45)])
def test_fisher_information_is_that_of_numeric_derivatives(photons: float, x: float, y: float) -> None:
    at, steps = np.array([x, y, photons, 10.0]), np.array([1e-4, 1e-4, 1e-2, 1e-3])
    slopes = []
    for index, step in enumerate(steps):
        shift = np.zeros(4)
        shift[index] = step
        slopes.append((expected(at + shift, 1.4, 8) - expected(at - shift, 1.4, 8)) / (2 * step))
    noise = expected(at, 1.4, 8) + 2.5**2
    numeric = np.array([[np.sum(a * b / noise) for b in slopes] for a in slopes])
    np.testing.assert_allclose(fisher(photons, x, y, OPTICS), numeric, rtol=2e-4, atol=1e-4 * numeric[0, 0])


def test_without_background_and_noise_it_is_the_spots_width_over_the_root_of_its_photons() -> None:
    ideal = Optics(psf_sigma_nm=140, background_photons=1e-9, pixel_size_nm=20, read_noise=0)
    widened = np.sqrt(140**2 + 20**2 / 12)
    assert position_limit_nm(np.array([400.0]), ideal)[0] == pytest.approx(widened / 20, rel=0.01)


def test_with_background_it_is_mortensens_formula() -> None:
    """Mortensen et al. 2010, equation 5: the information of a Gaussian on a background, as an integral."""
    photons, background = 700.0, 8.0
    optics = Optics(psf_sigma_nm=140, background_photons=background, pixel_size_nm=100, read_noise=0)
    widened = 140**2 + 100**2 / 12
    tau = 2 * np.pi * widened * background / (photons * 100**2)
    integral, _ = dblquad(lambda _, t: t * np.log(t) / (t + tau) if t > 0 else 0.0, 0, 1, 0, 1)
    variance = widened / photons / (1 + integral)
    assert position_limit_nm(np.array([photons]), optics)[0] == pytest.approx(np.sqrt(variance), rel=0.02)


def test_more_photons_tell_more_and_more_noise_tells_less() -> None:
    limits = position_limit_nm(np.array([50.0, 100.0, 1000.0]), OPTICS)
    assert np.all(np.diff(limits) < 0)
    for noisier in (replace(OPTICS, background_photons=20), replace(OPTICS, read_noise=4)):
        assert np.all(position_limit_nm(np.array([50.0, 100.0, 1000.0]), noisier) > limits)


def test_a_table_of_one_brightness_or_of_none_is_no_special_case() -> None:
    many = position_limit_nm(np.full(3, 500.0), OPTICS)
    assert many == pytest.approx(position_limit_nm(np.array([500.0, 5.0]), OPTICS)[0], rel=1e-3)
    assert len(position_limit_nm(np.zeros(0), OPTICS)) == 0
