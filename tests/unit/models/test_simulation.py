"""Simulated recordings and their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellstorm_models.simulation import SimulationConfig, simulate
from cellstorm_models.structures import STRUCTURES, Structure, place

_CONFIG = SimulationConfig(frames=40, width=64, height=48, emitters_per_frame=6.0)


def test_the_same_seed_gives_the_same_recording_and_another_does_not() -> None:
    first, again, other = (simulate(_CONFIG, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.counts, again.counts)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert (first.counts != other.counts).any()


def test_counts_are_what_the_camera_would_give() -> None:
    config = replace(_CONFIG, emitters_per_frame=0.0, background_photons=20.0, background_unevenness=0.0)
    counts = simulate(config, np.random.default_rng(0)).counts
    assert counts.shape == (40, 48, 64)
    assert counts.dtype == np.uint8
    assert counts.mean() == pytest.approx(20 / 0.69 + 4.1, rel=0.01)
    assert counts.std() == pytest.approx(np.sqrt(20 + 2.5**2) / 0.69, rel=0.02)


def test_light_and_place_of_spots_agree_with_the_truth() -> None:
    config = replace(
        _CONFIG,
        fluorophores=1,
        structure="uniform",
        photons=2000.0,
        background_photons=1e-3,
        offset=100.0,
        read_noise=0.1,
        bit_depth=16,
    )
    recording = simulate(replace(config, emitters_per_frame=2.0), np.random.default_rng(7))
    light = (recording.counts.astype(float) - 100.0).sum(axis=0) * 0.69
    truth = recording.truth
    assert light.sum() == pytest.approx(truth["photons"].sum(), rel=0.02)
    x = (light.sum(axis=0) * np.arange(64)).sum() / light.sum()
    y = (light.sum(axis=1) * np.arange(48)).sum() / light.sum()
    assert x * 100 == pytest.approx(truth["x_nm"][0], abs=15)
    assert y * 100 == pytest.approx(truth["y_nm"][0], abs=15)


def test_events_begin_and_end_within_frames() -> None:
    truth = simulate(replace(_CONFIG, frames=400), np.random.default_rng(0)).truth
    assert np.all(np.diff(truth["frame"].astype(int)) >= 0)
    assert truth["on"].min() > 0
    assert truth["on"].max() == 1.0
    assert 0.3 < np.mean(truth["on"] == 1.0) < 0.5  # of an exponential time of two frames, e^-0.5 (2 / 3)
    np.testing.assert_allclose(truth["photons"], 1000.0 * truth["on"])
    assert len(truth) / 400 == pytest.approx(6.0, rel=0.1)


def test_a_deep_camera_is_not_cut_off_at_eight_bits() -> None:
    config = replace(_CONFIG, gain=0.05, offset=300.0, bit_depth=16)
    counts = simulate(config, np.random.default_rng(0)).counts
    assert counts.dtype == np.uint16
    assert counts.max() > 1000


def test_corners_are_darker_with_vignetting() -> None:
    flat = replace(_CONFIG, background_unevenness=0.0, vignetting=0.5, emitters_per_frame=0.0)
    background = simulate(flat, np.random.default_rng(0)).background
    assert background[0, 0] - 4.1 == pytest.approx(0.5 * (background.max() - 4.1), rel=0.02)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_structure_lies_inside_the_image(structure: Structure) -> None:
    positions = place(structure, 500, 64, 48, np.random.default_rng(0))
    assert positions.shape == (500, 2)
    assert np.all((positions >= -0.5) & (positions <= [63.5, 47.5]))
    assert np.all(positions.std(axis=0) > 3)
