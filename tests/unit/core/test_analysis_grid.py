from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.grid import Grid, GridTrace
from cellstorm.localizations import LOCALIZATION, Localizations
from tests.fakes import blinking_localizations, filaments_and_rings_nm

FIELD = (13, 7, 128, 128)


def on_a_grid(count: int, period_px: int, share: float, field: tuple[int, int, int, int] = FIELD) -> Localizations:
    """Even but for a share of rows that lie at the borders of blocks, as seen in the whole frame."""
    left, _, width, height = field
    random = np.random.default_rng(3)
    x, y = random.uniform(0, width, count), random.uniform(0, height, count)
    false = random.random(count) < share
    x[false] = np.round((x[false] + left) / period_px) * period_px - left + random.normal(0, 0.2, false.sum())
    table = np.zeros(count, LOCALIZATION)
    table["x_nm"], table["y_nm"] = 100 * (x - 0.5), 100 * (y - 0.5)
    return table


def trace(table: Localizations, period_px: int) -> GridTrace:
    grid = Grid.of(table, FIELD, 100.0)
    assert grid is not None
    return next(one for one in grid.traces if one.period_px == period_px)


@pytest.mark.parametrize("period_px", [4, 8, 16])
def test_a_tenth_of_false_molecules_at_block_borders_is_seen(period_px: int) -> None:
    found = trace(on_a_grid(20_000, period_px, 0.1), period_px)
    assert found.is_there
    smeared = np.exp(-2 * (np.pi * 0.2 / period_px) ** 2)
    assert found.strength == pytest.approx(2 * 0.1 * smeared, rel=0.15)


@pytest.mark.parametrize("seed", range(5))
def test_structure_alone_is_no_grid(seed: int) -> None:
    table = blinking_localizations(filaments_and_rings_nm(3000, seed=seed), 500, 20, precision_nm=20, seed=seed)
    grid = Grid.of(table, FIELD, 100.0)
    assert grid is not None
    assert not any(one.is_there for one in grid.traces)


def test_chance_is_told_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    probabilities = []
    for _ in range(100):
        table = np.zeros(3000, LOCALIZATION)
        table["x_nm"], table["y_nm"] = random.uniform(-50, 12_750, (2, 3000))
        probabilities += [one.probability for one in Grid.of(table, FIELD, 100.0).traces]  # type: ignore[union-attr]  # enough rows
    assert np.mean(np.array(probabilities) < 0.05) < 0.08


def test_positions_drawn_to_pixels_are_the_localizers_own_trace() -> None:
    table = on_a_grid(20_000, 4, 0.0)
    table["x_nm"] += 8 * np.sin(2 * np.pi * table["x_nm"] / 100).astype(np.float32)
    assert trace(table, 1).is_there
    assert not trace(table, 4).is_there


def test_the_profile_of_a_block_has_its_peak_at_the_border() -> None:
    grid = Grid.of(on_a_grid(20_000, 16, 0.3), FIELD, 100.0)
    assert grid is not None
    assert len(grid.folded_x) == 64
    assert np.argmax(grid.folded_x) in (0, 1, 62, 63)
    assert np.ptp(grid.folded_y) < 0.5
    assert np.mean(grid.folded_x) == pytest.approx(1, abs=1e-3)


def test_too_little_tells_nothing() -> None:
    table = on_a_grid(999, 4, 0.5)
    assert Grid.of(table, FIELD, 100.0) is None
    assert Grid.of(on_a_grid(5000, 4, 0.5), (0, 0, 63, 200), 100.0) is None
