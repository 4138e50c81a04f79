"""Which of a chunk's candidates are reported."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.presence import GROUP_FRAMES, LEAST, USUAL_PER_PIXEL, best_threshold, reported, shifted

_FRAME_PIXELS = 128 * 128


def _candidates(frame: ArrayLike, probability: ArrayLike) -> Localizations:
    table = np.zeros(np.size(frame), LOCALIZATION)
    table["frame"], table["probability"] = frame, probability
    table["x_nm"] = np.arange(len(table))
    return table


def _noise(frames: int, seed: int = 1) -> Localizations:
    """What a generator says of frames without molecules: many faint candidates, hardly one likelier than not."""
    rng = np.random.default_rng(seed)
    return _candidates(np.repeat(np.arange(frames), 8), np.clip(rng.exponential(0.12, 8 * frames), 0.02, 0.8))


def _report(table: Localizations, frames: int, threshold: float | None = None) -> Localizations:
    return reported(table, np.arange(frames), frame_pixels=_FRAME_PIXELS, threshold=threshold)


def test_an_empty_recording_stays_empty() -> None:
    noise = _noise(GROUP_FRAMES)
    assert (noise["probability"] > 0.5).sum() > 2
    assert len(_report(noise, GROUP_FRAMES)) == 0


def test_a_lone_molecule_that_is_sure_stays_among_the_noise() -> None:
    molecule = _candidates([5], [0.9999])
    molecule["x_nm"] = -1
    found = _report(np.concatenate([molecule, _noise(GROUP_FRAMES)]), GROUP_FRAMES)
    assert found["x_nm"].tolist() == [-1]


def test_where_as_many_shine_as_usual_probabilities_stay_as_they_are() -> None:
    usual = USUAL_PER_PIXEL * _FRAME_PIXELS
    probability = np.full(20, 0.6)
    np.testing.assert_array_equal(shifted(probability, usual), pytest.approx(probability))
    assert (shifted(probability, 100.0) < 0.01).all()


def test_the_estimate_of_how_many_there_are_settles_where_it_agrees_with_itself() -> None:
    probability = np.array([0.999, 0.999, 0.3, 0.1])
    found = shifted(probability, 4.0)
    share = found.sum() / 4.0
    odds = probability / (1 - probability)
    np.testing.assert_allclose(found, share * odds / (1 + share * odds), rtol=1e-3)
    assert 0.4 < share < 0.6


def test_the_best_threshold_gives_the_highest_expected_jaccard_index() -> None:
    probability = np.random.default_rng(4).beta(0.5, 1.0, 300)
    least = best_threshold(probability)

    def expected(threshold: float) -> float:
        over = probability[probability > threshold]
        return float(over.sum() / (len(over) + probability.sum() - over.sum()))

    assert LEAST < least < 0.5
    assert expected(least) == pytest.approx(max(expected(other) for other in np.linspace(0, 1, 500, endpoint=False)))


def test_faint_molecules_among_many_are_reported_for_less_than_a_half() -> None:
    crowd = _candidates(np.repeat(np.arange(GROUP_FRAMES), 12), np.tile([0.9, 0.4, 0.35], 4 * GROUP_FRAMES))
    assert (_report(crowd, GROUP_FRAMES)["probability"] < 0.5).any()
    assert (_report(crowd, GROUP_FRAMES, threshold=0.5)["probability"] > 0.5).all()


def test_each_group_of_frames_is_judged_by_itself() -> None:
    crowd = _candidates(np.repeat(np.arange(GROUP_FRAMES), 12), 0.7)
    noise = _noise(GROUP_FRAMES)
    noise["frame"] += GROUP_FRAMES
    found = _report(np.concatenate([crowd, noise]), 2 * GROUP_FRAMES)
    assert len(found) == len(crowd)
    assert (found["frame"] < GROUP_FRAMES).all()


def test_frames_that_the_settings_leave_out_are_no_empty_ones() -> None:
    frames = np.arange(0, 100, 10)
    table = _candidates(np.repeat(frames, 5), 0.7)
    assert len(reported(table, frames, frame_pixels=_FRAME_PIXELS, threshold=None)) == len(table)


def test_without_candidates_there_is_nothing_to_report() -> None:
    assert len(_report(_candidates([], []), 10)) == 0
