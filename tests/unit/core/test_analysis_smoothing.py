from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.smoothing import smoothed

AT = np.sort(np.random.default_rng(1).uniform(0, 1000, 60))


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_a_line_without_error_stays_as_it_is(sigma: float) -> None:
    line = 3 - 0.2 * AT
    np.testing.assert_allclose(smoothed(AT, line, sigma).values, line, atol=1e-4)


def test_values_without_error_are_left_alone() -> None:
    curve = 50 * np.sin(AT / 100)
    np.testing.assert_allclose(smoothed(AT, curve, 1e-6).values, curve, atol=1e-3)


def test_three_values_are_enough() -> None:
    found = smoothed(np.array([0.0, 1.0, 5.0]), np.array([0.0, 1.0, 0.0]), 1.0)
    assert found.values.shape == (3,)
    assert found.covariance.shape == (3, 3)


@pytest.mark.parametrize("height", [0, 5, 50], ids=lambda height: f"{height} high")
def test_the_error_that_is_stated_is_the_one_that_is_left(height: float) -> None:
    curve = height * np.sin(AT / 200)
    random = np.random.default_rng(2)
    found = [smoothed(AT, curve + random.normal(0, 2, len(AT)), 2) for _ in range(100)]
    left = np.sqrt(np.mean([(one.values - curve) ** 2 for one in found]))
    stated = np.sqrt(np.mean([np.diag(one.covariance) for one in found]))
    assert left < 1.2
    assert left == pytest.approx(stated, rel=0.35)
