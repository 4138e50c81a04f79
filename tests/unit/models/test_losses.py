"""The likelihood that trains the network."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the loss needs torch: pip install '.[train]'")

from cellstorm_models.clips import WindowBatch  # noqa: E402  # after the check for torch
from cellstorm_models.losses import Losses, emitter_losses, to_targets  # noqa: E402
from cellstorm_models.networks import Emitters  # noqa: E402

_SIDE = 16


def _batch(*emitters: tuple[float, ...]) -> WindowBatch:
    rows = np.array(emitters, np.float32).reshape(-1, 6)
    background = np.full((2, _SIDE, _SIDE), 20.0, np.float32)
    return WindowBatch(np.zeros((2, 3, _SIDE, _SIDE), np.float32), background, rows)


def _says(dx: float = 0.2, sigma: float = 0.2, logit: float = 8.0, elsewhere: float = -12.0) -> Emitters:
    """Sure of one emitter in window 0, at (5 + dx, 7), of 100 counts; of nothing else."""
    flat = torch.zeros(2, _SIDE, _SIDE)
    logits = flat + elsewhere
    logits[0, 7, 5] = logit
    return Emitters(
        logit=logits,
        dx=flat + dx,
        dy=flat,
        log_signal=flat + float(np.log(50.0)),
        background=flat + 20.0,
        sigma_x=flat + sigma,
        sigma_y=flat + sigma,
        sigma_log_signal=flat + 0.2,
        psf_sigma=flat + 1.4,
        scale=torch.full((2, 1, 1), 2.0),
    )


_EMITTER = (0.0, 5.2, 7.0, 100.0, 1.0, 1.4)


def _losses(output: Emitters, *emitters: tuple[float, ...]) -> Losses:
    return emitter_losses(output, to_targets(_batch(*emitters)))


def test_the_truth_is_likelier_than_anything_else() -> None:
    right = _losses(_says(), _EMITTER)
    assert right.background == right.psf == 0.0
    assert right.position < _losses(_says(dx=0.6), _EMITTER).position
    assert right.count < _losses(_says(elsewhere=-4.0), _EMITTER).count
    assert right.total(1.0) < _losses(_says(logit=-8.0), _EMITTER).total(1.0)


@pytest.mark.parametrize("error", [0.05, 0.3])
def test_the_likeliest_uncertainty_is_the_error_itself(error: float) -> None:
    sigmas = np.geomspace(0.02, 1.0, 60)
    # the other coordinate errs as much, or its own sigma, which is the same here, would draw the minimum down
    emitter = (0.0, 5.2 + error, 7.0 + error, 100.0, 1.0, 1.4)
    losses = [_losses(_says(sigma=float(sigma)), emitter).position.item() for sigma in sigmas]
    assert sigmas[int(np.argmin(losses))] == pytest.approx(error, rel=0.08)


def test_an_emitter_not_to_care_for_costs_nothing_found_or_not() -> None:
    ignored = (0.0, 5.2, 7.0, 100.0, 0.0, 1.4)
    found, missed = _losses(_says(), ignored), _losses(_says(logit=-12.0), ignored)
    assert found.total(1.0).item() == pytest.approx(missed.total(1.0).item(), abs=1e-3)
    assert found.total(1.0) < _losses(_says()).total(1.0)


def test_windows_without_emitters_have_a_finite_loss_that_falls_with_the_phantoms() -> None:
    quiet, noisy = _losses(_says(logit=-12.0)), _losses(_says(logit=-12.0, elsewhere=-3.0))
    assert torch.isfinite(quiet.total(1.0))
    assert quiet.total(1.0) < noisy.total(1.0)


def test_one_odd_window_has_a_bounded_pull_on_the_number_of_emitters() -> None:
    """Twice as wrong may cost twice as much, not four times."""
    emitters = [(0.0, 1.0 + (index % 14), 1.0 + index // 14, 100.0, 1.0, 1.4) for index in range(120)]
    half, all_lost = (_losses(_says(logit=-12.0), *emitters[:count]).count for count in (60, 120))
    assert all_lost < 2.2 * half


def test_an_emitter_at_the_edge_looks_for_no_pixel_outside() -> None:
    corner = _losses(_says(), (0.0, 0.0, 15.0, 100.0, 1.0, 1.4))
    assert torch.isfinite(corner.position)


def test_an_emitter_that_no_pixel_speaks_for_costs_a_bounded_amount() -> None:
    lost = _losses(_says(dx=1.5, sigma=0.01), (0.0, 10.0, 2.0, 1e6, 1.0, 1.4))
    assert lost.position.item() == pytest.approx(12.0 / 2, abs=0.1)  # of two windows
