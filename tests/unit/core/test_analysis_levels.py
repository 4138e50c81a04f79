from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.levels import levels_of


@pytest.mark.parametrize(
    ("darkest", "brightest", "levels"),
    [
        (0, 255, (0, 255)),
        (3, 180, (0, 255)),
        (16, 235, (16, 235)),
        (40, 200, (16, 235)),
        (64, 940, (64, 940)),
        (0, 1023, (0, 1023)),
        (100, 4095, (0, 4095)),
        (300, 30_000, (0, 65_535)),
    ],
)
def test_depth_and_range_are_told_by_what_is_used(darkest: int, brightest: int, levels: tuple[int, int]) -> None:
    histogram = np.zeros(2**16, np.int64)
    histogram[darkest : brightest + 1] = 10
    assert levels_of(histogram) == levels


def test_a_few_counts_that_a_codec_rang_to_do_not_widen_the_range() -> None:
    histogram = np.zeros(256, np.int64)
    histogram[16:236] = 1000
    histogram[[14, 237]] = 5
    assert levels_of(histogram) == (16, 235)


def test_of_nothing_or_of_darkness_alone_the_whole_range() -> None:
    assert levels_of(np.zeros(256, np.int64)) == (0, 255)
    assert levels_of(np.bincount([0] * 100)) == (0, 255)
