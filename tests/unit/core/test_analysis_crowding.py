from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.crowding import crowded_share
from cellstorm.localizations import LOCALIZATION


def test_neighbours_count_in_the_same_frame_and_within_three_sigma_of_the_spot() -> None:
    table = np.zeros(400, LOCALIZATION)
    table["frame"] = np.arange(400) // 2
    table["psf_sigma_nm"] = 100
    table["x_nm"][1::2] = np.where(np.arange(200) < 50, 299, 301)  # of each frame's two, the second one's distance
    assert crowded_share(table) == pytest.approx(0.25)
    table["frame"] = np.arange(400)
    assert crowded_share(table) == 0
    assert crowded_share(table[:99]) is None


def test_a_large_table_is_sampled_by_whole_frames() -> None:
    random = np.random.default_rng(1)
    table = np.zeros(500_000, LOCALIZATION)
    table["frame"] = random.integers(0, 5000, len(table))
    table["x_nm"], table["y_nm"] = random.uniform(0, 20_000, (2, len(table)))
    table["psf_sigma_nm"] = np.nan  # as of other programs' tables: a usual spot then
    expected = 1 - np.exp(-100 * np.pi * 390**2 / 20_000**2)
    assert crowded_share(table) == pytest.approx(expected, rel=0.05)
