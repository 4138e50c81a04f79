"""Where fluorophores sit."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from cellstorm_models.simulation import SimulationConfig, simulate
from cellstorm_models.structures import Structure, place, place_on


@pytest.mark.parametrize("structure", get_args(Structure))
def test_all_of_a_structure_lies_inside_the_image(structure: Structure) -> None:
    positions = place(structure, 500, 96, 64, np.random.default_rng(0))
    assert positions.shape == (500, 2)
    assert (positions >= -0.5).all()
    assert (positions < np.array([96, 64]) - 0.5).all()


def test_molecules_lie_where_a_picture_is_bright_in_proportion() -> None:
    picture = np.zeros((10, 20))
    picture[2, 3], picture[7, 15] = 3.0, 1.0
    x, y = place_on(picture, 4000, 100, 100, np.random.default_rng(0)).T  # 4 pixels for one of the picture's
    first = x < 50
    assert first.mean() == pytest.approx(0.75, abs=0.03)
    for chosen, (left, top) in ((first, (21.5, 37.5)), (~first, (69.5, 57.5))):
        assert x[chosen].min() == pytest.approx(left, abs=0.1)
        assert x[chosen].max() == pytest.approx(left + 4, abs=0.1)
        assert y[chosen].min() == pytest.approx(top, abs=0.1)
        assert y[chosen].max() == pytest.approx(top + 4, abs=0.1)


def test_a_black_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="bright"):
        place_on(np.zeros((3, 3)), 5, 32, 32, np.random.default_rng(0))


def test_a_picture_takes_the_place_of_the_structure() -> None:
    picture = np.zeros((8, 8))
    picture[:, :4] = 1.0
    config = SimulationConfig(frames=20, width=64, height=64, emitters_per_frame=8)
    truth = simulate(config, np.random.default_rng(0), picture).truth
    assert len(truth) > 50
    assert truth["x_nm"].max() < 3200
