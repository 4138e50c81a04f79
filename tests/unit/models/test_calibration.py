"""Making the stated uncertainties true."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

torch = pytest.importorskip("torch", reason="calibration needs torch: pip install 'cellstorm[train]'")

from cellstorm_models.calibration import Calibration, best_calibration, best_shift, calibrate  # noqa: E402  # after the check for torch
from cellstorm_models.clips import make_clip  # noqa: E402
from cellstorm_models.networks import SIGMA_UNIT_PX, EmitterNet  # noqa: E402


def _clip(rng: np.random.Generator, true_over_stated: float, count: int = 1000) -> NDArray[np.float64]:
    """(count, 2) errors and stated sigmas, these between 0.05 and 0.5 pixels."""
    stated = np.exp(rng.uniform(np.log(0.05), np.log(0.5), count))
    return np.stack([np.abs(rng.normal(0, true_over_stated * stated)), stated], axis=1)


def test_errors_half_as_large_again_as_stated_ask_for_half_as_much_again() -> None:
    rng = np.random.default_rng(0)
    found = best_calibration([_clip(rng, 1.5, 4000) for _ in range(5)])
    assert found.factor == pytest.approx(1.5, rel=0.06)


def test_clips_whose_larger_errors_are_the_more_understated_ask_for_a_power() -> None:
    rng = np.random.default_rng(0)
    clips = []
    for sigma in np.geomspace(0.06, 0.4, 9):
        error = np.abs(rng.normal(0, 1.2 * sigma * (sigma / SIGMA_UNIT_PX) ** 0.3, 3000))
        clips.append(np.stack([error, np.full(3000, sigma)], axis=1))
    found = best_calibration(clips)
    assert found.power == pytest.approx(0.3, abs=0.06)
    assert found.factor == pytest.approx(1.2, rel=0.06)


def test_a_clip_of_many_wild_errors_has_one_voice() -> None:
    rng = np.random.default_rng(0)
    clips = [_clip(rng, 1.0) for _ in range(5)]
    assert best_calibration([*clips, _clip(rng, 8.0, 50_000)]).factor == pytest.approx(1.0, rel=0.12)


def test_probabilities_that_promise_too_much_are_shifted_until_they_sum_to_what_is_there() -> None:
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(7):
        logits = rng.normal(0, 2, 4000)
        clips.append((expit(logits + 0.7), rng.random(4000) < expit(logits)))
    assert best_shift(clips) == pytest.approx(-0.7, abs=0.1)
    nothing = (np.full(5000, 0.5), np.zeros(5000, np.bool_))
    assert best_shift([nothing]) == 0.0


def test_a_network_that_finds_nothing_is_left_as_it_is() -> None:
    assert calibrate(EmitterNet(4).eval(), threshold=0.9, clips=[make_clip(3, 0)]) == Calibration()


def test_what_was_found_is_set_in_the_network() -> None:
    net = EmitterNet(4).eval()
    windows = torch.full((1, 3, 16, 16), 20.0)
    with torch.no_grad():
        before = net(windows)[:, 5:7]
        logit = net.emitters(windows).logit
        net.logit_shift.fill_(-0.4)
        net.sigma_factor.fill_(1.5)
        net.sigma_power.fill_(0.2)
        torch.testing.assert_close(net(windows)[:, 0], torch.sigmoid(logit - 0.4))
        torch.testing.assert_close(net(windows)[:, 5:7], 1.5 * before * (before / SIGMA_UNIT_PX) ** 0.2)
