from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.compression import CodingLog, key_frame_effect
from cellstorm.localizations import LOCALIZATION, Localizations, empty
from cellstorm.quantiser import FrameCoding

FRAMES = 900
KEYS = np.arange(0, FRAMES, 30)


def counts_by_frame(per_frame: np.ndarray, seed: int = 1) -> Localizations:
    """A table with Poisson numbers of localizations about these means."""
    random = np.random.default_rng(seed)
    frame = np.repeat(np.arange(len(per_frame)), random.poisson(per_frame))
    table = np.zeros(len(frame), LOCALIZATION)
    table["frame"] = frame
    table["photons"] = random.gamma(4, 200, len(frame))
    return table


def test_the_trace_is_the_mean_of_its_frames_whatever_their_order() -> None:
    log = CodingLog()
    log.add(FrameCoding(index, index % 30 == 0, 22.0 if index % 30 == 0 else 28.0, 1000) for index in range(150, 300))
    log.add(FrameCoding(index, index % 30 == 0, 22.0 if index % 30 == 0 else 28.0, 1000) for index in range(150))
    trace = log.trace(pixels=100 * 100)
    assert trace is not None
    assert (trace.frames, trace.key_frames, trace.key_interval_frames) == (300, 10, 30)
    assert trace.of_key_frames == 22
    assert trace.mean == pytest.approx(28 - 6 / 30)
    assert trace.bits_per_pixel == pytest.approx(0.8)
    assert trace.frames_each == 2
    assert trace.by_frame[:3] == (25, 28, 28)


def test_frames_that_cannot_be_read_are_gaps_and_no_frame_at_all_no_trace() -> None:
    log = CodingLog()
    assert log.trace(100) is None
    log.add([FrameCoding(0, True, None, 10)])
    assert log.trace(100) is None
    log.add([FrameCoding(2, False, 30.0, 10)])
    trace = log.trace(100)
    assert trace is not None
    assert trace.by_frame == (None, None, 30)
    assert trace.of_key_frames is None


def test_a_drop_at_key_frames_is_measured_with_its_recovery() -> None:
    since = np.arange(FRAMES) % 30
    mean = 20 * (1 - 0.5 * np.exp(-since / 2))
    effect = key_frame_effect(counts_by_frame(mean), KEYS, np.ones(FRAMES, bool))
    assert effect is not None
    assert effect.localizations[0] == pytest.approx(0.5, abs=4 * effect.uncertainty)
    assert effect.strongest_after_frames == 0
    assert effect.recovered_after_frames in (3, 4, 5)
    assert effect.photons[0] == pytest.approx(1, abs=0.2)


def test_without_an_effect_there_is_no_recovery() -> None:
    effect = key_frame_effect(counts_by_frame(np.full(FRAMES, 20.0)), KEYS, np.ones(FRAMES, bool))
    assert effect is not None
    assert effect.recovered_after_frames is None
    assert abs(effect.strongest - 1) < 4 * effect.uncertainty


def test_lost_frames_count_for_nothing() -> None:
    came = np.random.default_rng(2).random(FRAMES) < 0.6
    came[KEYS] = True  # a lost frame elsewhere must not look like a rise at key frames
    table = counts_by_frame(np.where(came, 20.0, 0.0))
    effect = key_frame_effect(table, KEYS, came)
    assert effect is not None
    assert effect.localizations[0] == pytest.approx(1, abs=4 * effect.uncertainty)


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (counts_by_frame(np.full(FRAMES, 20.0)), KEYS[:4]),
        (counts_by_frame(np.full(FRAMES, 0.5)), KEYS),
        (empty(), KEYS),
        (counts_by_frame(np.full(FRAMES, 20.0)), np.arange(0, FRAMES, 3)),
    ],
    ids=["few key frames", "few localizations", "none", "nothing but key frames, nearly"],
)
def test_too_little_to_tell_is_none(table: Localizations, keys: np.ndarray) -> None:
    assert key_frame_effect(table, keys, np.ones(FRAMES, bool)) is None


def test_key_frames_that_were_not_localized_do_not_count_for_enough() -> None:
    only_the_first = np.arange(FRAMES) < 30
    table = counts_by_frame(np.where(only_the_first, 200.0, 0.0))
    assert key_frame_effect(table, KEYS, only_the_first) is None


def test_an_effect_that_outlasts_what_was_looked_at_has_no_end() -> None:
    keys = np.arange(0, FRAMES, 90)
    mean = np.where(np.arange(FRAMES) % 90 < 42, 10.0, 20.0)
    effect = key_frame_effect(counts_by_frame(mean), keys, np.ones(FRAMES, bool))
    assert effect is not None
    assert effect.strongest == pytest.approx(0.5, abs=0.15)
    assert effect.recovered_after_frames is None
