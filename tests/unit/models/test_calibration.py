"""Making the stated uncertainties true."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="calibration needs torch: pip install 'cellstorm[train]'")

from cellstorm_models.calibration import best_factor, calibrate  # noqa: E402  # after the check for torch
from cellstorm_models.clips import make_clip  # noqa: E402
from cellstorm_models.networks import EmitterNet  # noqa: E402


def test_errors_half_as_large_again_as_stated_ask_for_half_as_much_again() -> None:
    rng = np.random.default_rng(0)
    ratios = [np.abs(rng.normal(0, 1.5, 4000)) for _ in range(5)]
    assert best_factor(ratios) == pytest.approx(1.5, rel=0.05)


def test_a_clip_of_many_wild_errors_has_one_voice() -> None:
    rng = np.random.default_rng(0)
    ratios = [np.abs(rng.normal(0, 1.0, 500)) for _ in range(5)]
    wild = np.abs(rng.normal(0, 8.0, 50_000))
    assert best_factor([*ratios, wild]) == pytest.approx(best_factor(ratios), rel=0.1)


def test_a_network_that_finds_nothing_is_left_as_it_is() -> None:
    assert calibrate(EmitterNet(4).eval(), threshold=0.9, clips=[make_clip(3, 0)]) == 1.0
