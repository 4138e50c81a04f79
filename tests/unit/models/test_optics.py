"""Spots that are not round and not in focus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm_models.optics import STRAY_SIGMA_PX, Optics, Spots, event_sigmas, render
from cellstorm_models.simulation import SimulationConfig, simulate

_SPOT = Spots(*(np.array([value]) for value in (0, 20.3, 15.8, 1000.0, 1.0, 1.4)))


def _moments(image: NDArray[np.float64]) -> tuple[float, float, NDArray[np.float64]]:
    """x, y and the covariance of light."""
    row, column = np.indices(image.shape)
    x, y = np.average(column, weights=image), np.average(row, weights=image)
    return float(x), float(y), np.cov(np.stack([column.ravel(), row.ravel()]), aweights=image.ravel(), bias=True)


@pytest.mark.parametrize("optics", [Optics(), Optics(axis_ratio=1.3, angle=0.6), Optics(halo_share=0.3)])
def test_a_spot_has_its_light_at_its_place_whatever_its_shape(optics: Optics) -> None:
    image = render(_SPOT, optics, 1, 40, 48)[0]
    x, y, _ = _moments(image)
    assert image.sum() == pytest.approx(1000, rel=2e-3)
    assert (x, y) == pytest.approx((20.3, 15.8), abs=0.01)


def test_astigmatism_makes_a_spot_longer_along_its_angle() -> None:
    _, _, covariance = _moments(render(_SPOT, Optics(axis_ratio=1.3, angle=0.6), 1, 40, 48)[0])
    short, long = np.linalg.eigvalsh(covariance - np.eye(2) / 12)
    assert np.sqrt(long / short) == pytest.approx(1.3, rel=0.01)
    assert np.sqrt(np.sqrt(long * short)) == pytest.approx(1.4, rel=0.01)
    along = np.linalg.eigh(covariance)[1][:, 1]
    assert abs(along @ [np.cos(0.6), np.sin(0.6)]) == pytest.approx(1, abs=1e-3)


def test_a_halo_takes_light_from_the_core() -> None:
    plain, aberrated = (render(_SPOT, Optics(halo_share=share), 1, 40, 48)[0] for share in (0.0, 0.3))
    assert aberrated.max() < 0.85 * plain.max()
    assert aberrated[16, 26] > 3 * plain[16, 26]


def test_emitters_out_of_focus_are_wider_and_strays_wider_still() -> None:
    rng = np.random.default_rng(0)
    deep = event_sigmas(Optics(depth_spread=0.3), 1.2, 500, rng)
    assert 1.2 <= deep.min() < deep.max() == pytest.approx(1.8)
    mixed = event_sigmas(Optics(stray_share=0.2), 1.2, 500, rng)
    assert np.mean(mixed > STRAY_SIGMA_PX) == pytest.approx(0.2, abs=0.05)


def test_stray_light_is_in_the_frames_and_not_in_the_truth() -> None:
    config = SimulationConfig(frames=20, width=64, height=64, emitters_per_frame=30.0)
    dark = replace(config, emitters_per_frame=0.0)
    stray = simulate(replace(config, optics=Optics(stray_share=1.0)), np.random.default_rng(0))
    assert len(stray.truth) == 0
    assert stray.counts.mean() > simulate(dark, np.random.default_rng(0)).counts.mean() + 3
