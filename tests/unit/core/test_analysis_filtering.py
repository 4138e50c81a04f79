from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from cellstorm.analysis.filtering import Filters, parse_range, parse_region
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import LOCALIZATION, Localizations, empty
from tests.fakes import star_localizations


def at(*places_nm: tuple[float, float], frame: int = 0) -> Localizations:
    table = np.zeros(len(places_nm), LOCALIZATION)
    table["frame"] = frame
    table["x_nm"], table["y_nm"] = np.array(places_nm, np.float32).T
    return table


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


@pytest.mark.parametrize("text", ["", "1,2,3", "0,0,-5,5", "0,0;1,1", "0,0;1,x;2,2", "0,0;1,nan;2,2", "0,0;1,1;2,2,2"])
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="must be X,Y,W,H or"):
        parse_region(text)


def test_without_filters_all_rows_pass() -> None:
    table = star_localizations(20)
    np.testing.assert_array_equal(Filters().apply(table), table)


def test_a_row_must_pass_all_filters() -> None:
    table = star_localizations(500, frame_count=10)
    kept = Filters(frames="3:7", photons="400:900", precision_nm=":20", psf_sigma_nm="125:", probability="0.8:").apply(
        table
    )
    wanted = (
        (table["frame"] >= 3)
        & (table["frame"] < 7)
        & (table["photons"] >= 400)
        & (table["photons"] <= 900)
        & (table["precision_nm"] <= 20)
        & (table["psf_sigma_nm"] >= 125)
        & (table["probability"] >= np.float32(0.8))
    )
    assert 0 < len(kept) < len(table)
    np.testing.assert_array_equal(kept, table[wanted])


@pytest.mark.parametrize(
    "bad",
    [
        {"frames": "5:5"},
        {"photons": "x"},
        {"sigma": "1:2"},
        {"photons": ":" * 100},
        {"region": "1,2"},
        {"neighbours": "1000:"},
        {"neighbours": "1:", "neighbourhood_nm": 0},
    ],
)
def test_a_wrong_filter_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate(bad)


def test_what_a_column_does_not_tell_meets_no_condition_on_it() -> None:
    table = star_localizations(10)
    table["precision_nm"][:4] = np.nan
    assert len(Filters(precision_nm=":1e9").apply(table)) == 6
    assert len(Filters(photons="0:").apply(table)) == 10


def test_a_rectangle_and_the_polygon_of_its_corners_hold_the_same_rows() -> None:
    table = star_localizations(2000)
    kept = Filters(region="1000,2000,3000,1500").apply(table)
    wanted = (table["x_nm"] > 1000) & (table["x_nm"] < 4000) & (table["y_nm"] > 2000) & (table["y_nm"] < 3500)
    assert 0 < wanted.sum() < len(table)
    np.testing.assert_array_equal(kept, table[wanted])
    np.testing.assert_array_equal(Filters(region="1000,2000;4000,2000;4000,3500;1000,3500").apply(table), kept)


def test_a_polygon_may_be_hollow_and_turn_inwards() -> None:
    arrow = Filters(region="0,0;100,50;0,100;40,50")
    assert arrow.keeps(at((60, 50), (20, 50), (90, 50), (5, 5), (-1, 50))).tolist() == [True, False, True, True, False]


def test_neighbours_are_counted_over_all_frames_and_the_row_itself_is_none() -> None:
    table = np.concatenate([at((0, 0), (30, 0), (500, 0), frame=0), at((0, 40), (530, 0), frame=9)])
    near = Filters(neighbours="2:", neighbourhood_nm=60)
    assert near.keeps(table).tolist() == [True, True, False, True, False]
    assert Filters(neighbours=":1", neighbourhood_nm=60).keeps(table).tolist() == [False, False, True, False, True]
    assert Filters(neighbours="0:", neighbourhood_nm=1).keeps(table).all()


def test_neighbours_that_do_not_pass_do_not_count_and_density_counts_them_all_the_same() -> None:
    table = at((0, 0), (30, 0))
    table["photons"] = [100, 1000]
    assert not Filters(photons="500:", neighbours="1:").keeps(table).any()
    assert Filters(photons="500:", density_per_um2="0.1:").keeps(table).tolist() == [False, True]


def test_density_is_that_of_the_rows_own_frame() -> None:
    table = np.concatenate([at((0, 0), (300, 0), (0, 300), (5000, 0), frame=3), at((10, 10), frame=4)])
    crowded = Filters(density_per_um2=f"{2 / math.pi - 0.01}:")
    assert crowded.keeps(table).tolist() == [True, True, True, False, False]
    assert Filters(density_per_um2=":0.1").keeps(table).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("conditions", [{"neighbours": "1:"}, {"density_per_um2": "0:"}, {"region": "0,0,5,5"}])
def test_empty_tables_and_rows_without_a_position_are_no_trouble(conditions: dict[str, str]) -> None:
    filters = Filters.model_validate(conditions)
    assert len(filters.apply(empty())) == 0
    table = at((1, 1), (2, 2), (math.nan, 1))
    assert filters.keeps(table).tolist() == [True, True, False]
