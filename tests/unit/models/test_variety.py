"""What training draws from."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from cellstorm_models.browser_encoder import BrowserCompression
from cellstorm_models.compression import Compression
from cellstorm_models.image_processor import ImageProcessor
from cellstorm_models.instability import Instability
from cellstorm_models.optics import Optics
from cellstorm_models.variety import Chances, Recipe, Variety, draw_recipe


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    return [draw_recipe(Variety(), 40, 96, np.random.default_rng(seed)) for seed in range(600)]


def test_every_parameter_can_be_printed() -> None:
    assert json.loads(json.dumps(asdict(Variety())))["chance_of"]["plain"] == 0.4


def test_the_same_seed_draws_the_same_recipe(recipes: list[Recipe]) -> None:
    assert draw_recipe(Variety(), 40, 96, np.random.default_rng(17)) == recipes[17]
    assert recipes[17] != recipes[18]


def test_plain_recordings_stay_a_good_share(recipes: list[Recipe]) -> None:
    plain = [recipe for recipe in recipes if recipe.simulation.processor == ImageProcessor() and recipe.encoders]
    plain = [r for r in plain if r.simulation.instability == Instability() and r.simulation.optics == Optics()]
    assert 0.28 < len(plain) / len(recipes) < 0.4


def test_a_fifth_is_empty_or_nearly_so(recipes: list[Recipe]) -> None:
    densities = np.array([recipe.simulation.emitters_per_frame for recipe in recipes]) * (128 / 96) ** 2
    assert np.mean(densities <= 2.0) > 0.18
    assert 0.1 < np.mean(densities == 0) < 0.18


def test_every_kind_of_disturbance_and_encoder_is_met(recipes: list[Recipe]) -> None:
    simulations = [recipe.simulation for recipe in recipes]
    for part, quiet in (("optics", Optics()), ("instability", Instability()), ("processor", ImageProcessor())):
        drawn = [asdict(getattr(simulation, part)) for simulation in simulations]
        for name, value in asdict(quiet).items():
            assert any(one[name] != value for one in drawn), f"{part}.{name}"
    encoders = [encoder for recipe in recipes for encoder in recipe.encoders]
    x264 = [encoder for encoder in encoders if isinstance(encoder, Compression)]
    assert any(encoder.buffer_s is not None for encoder in x264)
    assert {encoder.scene_cuts for encoder in x264} == {False, True}
    assert 0.03 < sum(isinstance(encoder, BrowserCompression) for encoder in encoders) / len(encoders) < 0.2
    assert {len(recipe.encoders) for recipe in recipes} == {0, 1, 2}
    assert {simulation.bit_depth for simulation in simulations} == {8, 16}


def test_without_chances_all_is_plain() -> None:
    for seed in range(20):
        simulation = draw_recipe(Variety(Chances(plain=1.0)), 40, 96, np.random.default_rng(seed)).simulation
        assert (simulation.optics, simulation.hot_pixels) == (Optics(), 0)
