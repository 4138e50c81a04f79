"""Simulated recordings and their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellstorm_models.image_processor import ImageProcessor
from cellstorm_models.instability import Instability
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
    assert background.shape == (1, 48, 64)
    assert background[0, 0, 0] - 4.1 == pytest.approx(0.5 * (background.max() - 4.1), rel=0.02)


_EMPTY = replace(_CONFIG, emitters_per_frame=0.0, background_photons=30.0)


@pytest.mark.parametrize(
    "instability",
    [
        pytest.param(Instability(light=0.3), id="lamp"),
        pytest.param(Instability(offset=-3.0), id="black level"),
        pytest.param(Instability(background=0.8), id="background"),
        pytest.param(Instability(drop=0.2, drop_period=8, drop_first=3), id="periodic drop"),
    ],
)
def test_the_stated_background_follows_what_changes(instability: Instability) -> None:
    recording = simulate(replace(_EMPTY, instability=instability), np.random.default_rng(1))
    assert recording.background.shape == recording.counts.shape
    noise = recording.counts - recording.background
    by_frame = recording.background.mean(axis=(1, 2))
    np.testing.assert_allclose(recording.counts.mean(axis=(1, 2)), by_frame, atol=0.6)
    left = noise[:, :, :32].mean(axis=(1, 2))  # a field that moved would leave one half too bright
    np.testing.assert_allclose(left, 0, atol=0.9)
    assert np.abs(recording.background - recording.background[0]).max() > 2


def test_drift_moves_emitters_and_their_truth() -> None:
    still = replace(
        _CONFIG, frames=60, fluorophores=1, structure="uniform", on_time_frames=200.0, emitters_per_frame=3.0
    )
    moving = replace(still, instability=Instability(drift_px=(0.1, -0.05)))
    first, second = (simulate(config, np.random.default_rng(4)).truth for config in (still, moving))
    together = min(len(first), len(second))
    assert together > 30
    moved = second["x_nm"][:together] - first["x_nm"][:together]
    np.testing.assert_allclose(moved, 10.0 * first["frame"][:together], atol=1e-6)


def test_repeated_frames_show_the_same_and_have_the_same_truth() -> None:
    config = replace(_CONFIG, processor=ImageProcessor(repeated=0.4, dropped=0.2))
    recording = simulate(config, np.random.default_rng(2))
    same = [index for index in range(1, 40) if np.array_equal(recording.counts[index], recording.counts[index - 1])]
    assert 8 < len(same) < 25
    for index in same:
        before, here = (recording.truth[recording.truth["frame"] == frame] for frame in (index - 1, index))
        np.testing.assert_array_equal(before["x_nm"], here["x_nm"])


@pytest.mark.parametrize(
    "processor",
    [
        pytest.param(ImageProcessor(scale=1.1), id="enlarged"),
        pytest.param(ImageProcessor(scale=0.9), id="reduced"),
        pytest.param(ImageProcessor(gamma=0.8), id="gamma"),
        pytest.param(ImageProcessor(black=20.0), id="black"),
        pytest.param(ImageProcessor(denoise=0.6, sharpen=0.5), id="filters"),
    ],
)
def test_light_and_place_stay_true_through_the_image_processor(processor: ImageProcessor) -> None:
    config = replace(
        _CONFIG,
        fluorophores=1,
        structure="star",
        photons=300.0,
        background_photons=40.0,
        background_unevenness=0.0,
        read_noise=0.1,
        offset=0.0,
        processor=processor,
    )
    recording = simulate(config, np.random.default_rng(7))
    light = (recording.counts - recording.background).sum(axis=0)
    row, column = (round(float(recording.truth[axis][0]) / 100) for axis in ("y_nm", "x_nm"))
    around = light[row - 6 : row + 7, column - 6 : column + 7]
    assert around.sum() == pytest.approx(recording.signal_counts.sum(), rel=0.1)
    steps = np.arange(-6, 7)
    x = column + (around.sum(axis=0) * steps).sum() / around.sum()
    assert x * 100 == pytest.approx(recording.truth["x_nm"][0], abs=20)


def test_defects_of_the_sensor_stay_where_they_are() -> None:
    config = replace(_EMPTY, background_unevenness=0.0, pixel_gain_spread=0.1, pixel_offset_spread=2.0, hot_pixels=3)
    counts = simulate(config, np.random.default_rng(0)).counts.astype(float)
    first, second = counts[:20].mean(axis=0), counts[20:].mean(axis=0)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8
    assert 1 <= (first > np.median(first) + 25).sum() <= 3


def test_structure_in_the_background_is_brighter_where_the_fluorophores_are() -> None:
    config = replace(_EMPTY, structure="star", background_structure=0.5, background_unevenness=0.0)
    background = simulate(config, np.random.default_rng(0)).background[0]
    assert background[24, 32] > 1.5 * background[2, 2]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_structure_lies_inside_the_image(structure: Structure) -> None:
    positions = place(structure, 500, 64, 48, np.random.default_rng(0))
    assert positions.shape == (500, 2)
    assert np.all((positions >= -0.5) & (positions <= [63.5, 47.5]))
    assert np.all(positions.std(axis=0) > 3)


def test_molecules_that_bleach_are_ever_fewer_and_do_not_come_back() -> None:
    config = SimulationConfig(frames=300, width=64, height=64, fluorophores=200, emitters_per_frame=40)
    steady, bleaching = (
        simulate(replace(config, bleaching_frames=frames), np.random.default_rng(4)).truth for frames in (None, 60.0)
    )
    numbers = [[np.sum(truth["frame"] // 100 == third) for third in range(3)] for truth in (steady, bleaching)]
    assert numbers[0][2] > 0.8 * numbers[0][0]
    assert numbers[1][2] < 0.2 * numbers[1][0]
    early, late = (bleaching[bleaching["frame"] // 150 == half] for half in range(2))
    sites = {(row["x_nm"], row["y_nm"]) for row in early}
    assert len(late) > 20
    assert np.mean([(row["x_nm"], row["y_nm"]) in sites for row in late]) > 0.9  # who is left has shone before
