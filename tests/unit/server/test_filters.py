from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from cellstorm.errors import InvalidSetting
from cellstorm_server.filters import Filters, parse_range
from tests.fakes import star_localizations


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("1:2", (1, 2)), (":2", (-math.inf, 2)), ("1.5:", (1.5, math.inf)), (":", (-math.inf, math.inf)), ("3:3", (3, 3))],
)
def test_a_range_has_two_bounds_of_which_each_may_be_left_out(text: str, bounds: tuple[float, float]) -> None:
    assert parse_range(text) == bounds


@pytest.mark.parametrize("text", ["", "5", "1:2:3", "a:b", "2:1", "nan:"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        parse_range(text)


def test_without_filters_all_rows_pass() -> None:
    table = star_localizations(20)
    np.testing.assert_array_equal(Filters().apply(table), table)


def test_a_row_must_pass_all_filters() -> None:
    table = star_localizations(500, frame_count=10)
    kept = Filters(frames="3:7", photons="400:900", precision_nm=":20", probability="0.8:").apply(table)
    wanted = (
        (table["frame"] >= 3)
        & (table["frame"] < 7)
        & (table["photons"] >= 400)
        & (table["photons"] <= 900)
        & (table["precision_nm"] <= 20)
        & (table["probability"] >= np.float32(0.8))
    )
    assert 0 < len(kept) < len(table)
    np.testing.assert_array_equal(kept, table[wanted])


@pytest.mark.parametrize("bad", [{"frames": "5:5"}, {"photons": "x"}, {"sigma": "1:2"}, {"photons": ":" * 100}])
def test_a_wrong_filter_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate(bad)
