from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.over_time import OverTime
from cellstorm.localizations import LOCALIZATION, empty


def test_means_and_medians_are_those_of_their_frames_even_in_the_last_short_group() -> None:
    table = np.zeros(301, LOCALIZATION)
    table["frame"] = np.arange(301)[::-1]  # in any order
    table["photons"] = np.arange(301)[::-1]
    time = OverTime.of(table, 301)
    assert time.frames_each == 3
    assert set(time.localizations_per_frame) == {1.0}
    assert len(time.localizations_per_frame) == 101
    assert time.photons_median[0] == 1
    assert time.photons_median[-1] == 300
    assert time.last_over_first == pytest.approx(1) or time.last_over_first is None


def test_frames_without_localizations_have_no_medians() -> None:
    table = np.zeros(4, LOCALIZATION)
    table["frame"] = [0, 0, 2, 2]
    table["precision_nm"] = [10, 20, np.nan, np.nan]
    time = OverTime.of(table, 4)
    assert time.localizations_per_frame == (2, 0, 2, 0)
    assert time.precision_nm_median == (15, None, None, None)


def test_bleaching_is_what_is_left_in_the_last_tenth() -> None:
    random = np.random.default_rng(1)
    table = np.zeros(20_000, LOCALIZATION)
    table["frame"] = np.minimum(random.exponential(300, 20_000), 999)
    table = table[table["frame"] < 999]
    left = OverTime.of(table, 1000).last_over_first
    assert left == pytest.approx(np.exp(-900 / 300), rel=0.2)
    assert OverTime.of(table[:50], 1000).last_over_first is None
    assert OverTime.of(empty(), 10).last_over_first is None
