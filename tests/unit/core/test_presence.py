"""Which of a chunk's candidates are reported."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from cellstorm.judging import Judge
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.presence import GROUP_FRAMES, LEAST, LEAST_ALONE, RMSE_WEIGHT, best, reported
from tests.fakes import plain_judge

_FRAME_PIXELS = 128 * 128


def _candidates(frame: ArrayLike, probability: ArrayLike) -> Localizations:
    table = np.zeros(np.size(frame), LOCALIZATION)
    table["frame"], table["probability"] = frame, probability
    table["x_nm"] = np.arange(len(table))
    return table


def _report(
    table: Localizations, frames: int, threshold: float | None = None, judge: Judge | None = None
) -> Localizations:
    return reported(
        table,
        np.arange(frames),
        judge=judge,
        threshold=threshold,
        frame_pixels=_FRAME_PIXELS,
        pixel_size_nm=100.0,
    )


def test_what_the_judge_adds_decides_and_stands_in_the_table() -> None:
    table = _candidates([0, 0, 1], [0.5, 0.6, 0.1])
    table["precision_nm"] = 20
    assert len(_report(table, 2, threshold=0.4)) == 2
    more = _report(table, 2, threshold=0.4, judge=plain_judge(logit=2.0, log_sigma=np.log(1.5)))
    assert more["probability"] == pytest.approx(1 / (1 + np.exp(-2 - np.log([1, 1.5, 1 / 9]))), rel=1e-5)
    assert more["precision_nm"] == pytest.approx([30, 30, 30])
    assert len(_report(table, 2, threshold=0.4, judge=plain_judge(logit=-2.0))) == 0


def test_a_threshold_of_ones_own_is_asked_of_what_the_judge_says() -> None:
    table = _candidates([0], [0.5])
    assert [len(_report(table, 1, threshold=least, judge=plain_judge(logit=1.0))) for least in (0.7, 0.75)] == [1, 0]


def _efficiency(
    probability: NDArray[np.float64], precision_px: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> float:
    """What presence.py says is to be expected of that choice."""
    true = probability[chosen].sum()
    jaccard = true / (chosen.sum() + probability.sum() - true)
    squared = (probability * 2.0 * precision_px**2)[chosen].sum() / true
    return float(1.0 - np.sqrt((1.0 - jaccard) ** 2 + RMSE_WEIGHT**2 * squared))


def test_nothing_more_or_less_would_be_more_efficient() -> None:
    random = np.random.default_rng(4)
    probability = LEAST + (1.0 - LEAST) * random.beta(0.5, 1.0, 300)
    precision_px = random.lognormal(-1.0, 0.5, 300)
    chosen = best(probability, precision_px, GROUP_FRAMES * _FRAME_PIXELS)
    reached = _efficiency(probability, precision_px, chosen)
    assert 50 < chosen.sum() < 250
    for place in range(len(probability)):
        other = chosen.copy()
        other[place] = not other[place]
        assert _efficiency(probability, precision_px, other) <= reached + 1e-6
    thresholds = np.linspace(0, 0.99, 100)
    assert reached > max(_efficiency(probability, precision_px, probability > least) for least in thresholds)


def test_more_is_asked_of_what_is_vague() -> None:
    probability = np.full(400, 0.8)
    precision_px = np.where(np.arange(400) % 4, 0.2, 1.2)
    np.testing.assert_array_equal(best(probability, precision_px, GROUP_FRAMES * _FRAME_PIXELS), precision_px < 1.0)


def test_more_is_asked_of_what_is_seen_alone() -> None:
    volume = GROUP_FRAMES * _FRAME_PIXELS

    def is_reported(probability: float, count: int, volume_px: int) -> bool:
        return bool(best(np.full(count, probability), np.full(count, 0.2), volume_px).all())

    assert len(best(np.empty(0), np.empty(0), volume)) == 0
    assert not is_reported(LEAST_ALONE - 0.05, 1, volume)
    assert is_reported(LEAST_ALONE + 0.05, 1, volume)
    assert is_reported(0.6, 1, _FRAME_PIXELS)  # a single frame without others tells little
    assert is_reported(0.6, 60, volume)


def test_faint_molecules_among_many_are_reported_for_less_than_a_half() -> None:
    crowd = _candidates(np.repeat(np.arange(GROUP_FRAMES), 12), np.tile([0.9, 0.4, 0.35], 4 * GROUP_FRAMES))
    assert (_report(crowd, GROUP_FRAMES)["probability"] < 0.5).any()
    assert (_report(crowd, GROUP_FRAMES, threshold=0.5)["probability"] > 0.5).all()


def test_each_group_of_frames_is_judged_by_itself() -> None:
    crowd = _candidates(np.repeat(np.arange(GROUP_FRAMES), 12), 0.8)
    few = _candidates([GROUP_FRAMES], [0.8])
    found = _report(np.concatenate([crowd, few]), 2 * GROUP_FRAMES, judge=plain_judge(by_number=0.5))
    assert len(np.unique(found["probability"])) == 2
    assert found["probability"][-1] < found["probability"][0]
    (alone,) = _report(few, 2 * GROUP_FRAMES, judge=plain_judge(by_number=0.5))
    assert alone == found[-1]


def test_frames_that_the_settings_leave_out_are_no_empty_ones() -> None:
    frames = np.arange(0, 100, 10)
    table = _candidates(np.repeat(frames, 5), 0.7)
    judge = plain_judge(by_number=1.0)
    found = reported(table, frames, judge=judge, threshold=None, frame_pixels=_FRAME_PIXELS, pixel_size_nm=100.0)
    assert len(found) == len(table)
    together = table.copy()
    together["frame"] = np.repeat(np.arange(10), 5)
    np.testing.assert_array_equal(found["probability"], _report(together, 10, judge=judge)["probability"])


def test_without_candidates_there_is_nothing_to_report() -> None:
    assert len(_report(_candidates([], []), 10, judge=plain_judge())) == 0
    assert len(_report(_candidates([], []), 0)) == 0
