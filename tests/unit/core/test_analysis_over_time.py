from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.over_time import OverTime
from cellstorm.localizations import LOCALIZATION, Localizations, empty


def over_time(table: Localizations, frame_count: int, *unseen: range) -> OverTime:
    told = OverTime.of(table, frame_count, unseen)
    assert told is not None
    return told


def test_means_and_medians_are_those_of_their_frames_even_in_the_last_short_group() -> None:
    table = np.zeros(301, LOCALIZATION)
    table["frame"] = np.arange(301)[::-1]  # in any order
    table["photons"] = np.arange(301)[::-1]
    time = over_time(table, 301)
    assert time.frames_each == 3
    assert set(time.localizations_per_frame) == {1.0}
    assert len(time.localizations_per_frame) == 101
    assert time.photons_median[0] == 1
    assert time.photons_median[-1] == 300
    assert time.last_over_first is None  # of so few


def test_frames_without_localizations_have_no_medians() -> None:
    table = np.zeros(4, LOCALIZATION)
    table["frame"] = [0, 0, 2, 2]
    table["precision_nm"] = [10, 20, np.nan, np.nan]
    time = over_time(table, 4)
    assert time.localizations_per_frame == (2, 0, 2, 0)
    assert time.precision_nm_median == (15, None, None, None)


def test_frames_that_were_lost_or_left_out_are_not_empty_ones() -> None:
    table = np.zeros(3000, LOCALIZATION)
    table["frame"] = np.repeat([*range(2000, 2100), *range(2200, 2400)], 10)
    time = over_time(
        table, 5000, range(2000), range(2050, 2050), range(2400, 5000), range(2100, 2200), range(2110, 2120)
    )
    assert (time.first_frame, time.frames_each, len(time.localizations_per_frame)) == (2000, 3, 134)
    assert set(time.localizations_per_frame) == {10.0, None}
    assert time.localizations_per_frame.count(None) == 32  # of three frames each; the two at its ends were seen in part
    assert time.last_over_first == 1
    assert OverTime.of(table, 5000, [range(5000), range(2100, 2200)]) is None


def test_a_table_that_counts_billions_of_frames_takes_no_more_memory() -> None:
    table = np.zeros(2, LOCALIZATION)
    table["frame"] = [0, 2**32 - 1]
    time = over_time(table, 2**32)
    assert len(time.localizations_per_frame) == 150


def test_bleaching_is_what_is_left_in_the_last_tenth() -> None:
    random = np.random.default_rng(1)
    table = np.zeros(20_000, LOCALIZATION)
    table["frame"] = np.minimum(random.exponential(300, 20_000), 999)
    table = table[table["frame"] < 999]
    left = over_time(table, 1000).last_over_first
    assert left == pytest.approx(np.exp(-900 / 300), rel=0.2)
    assert over_time(table[:50], 1000).last_over_first is None
    assert over_time(empty(), 10).last_over_first is None
