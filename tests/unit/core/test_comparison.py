from __future__ import annotations

import numpy as np
import pytest

from cellstorm.comparison import check_comparable, compare, draw_both, in_frame_coordinates
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import empty
from cellstorm.roi import RegionOfInterest
from tests.fakes import star_localizations


def test_a_table_is_identical_to_itself() -> None:
    table = star_localizations(2000)
    result = compare(table, table.copy())
    assert result.identical
    assert (result.matched, result.jaccard, result.offset_x_nm, result.distance_nm_rms) == (2000, 1.0, 0.0, 0.0)
    assert result.first == result.second


def test_a_shift_and_what_one_of_them_lacks_are_told() -> None:
    first = star_localizations(400, frame_count=2000)
    second = first[::2].copy()
    second["x_nm"] += 30
    second["y_nm"] -= 10
    second["photons"] *= 2
    result = compare(first, second)
    assert not result.identical
    assert result.matched == 200
    assert result.first.matched_share == pytest.approx(0.5)
    assert result.second.matched_share == 1
    assert result.offset_x_nm == pytest.approx(30, abs=0.01)
    assert result.offset_y_nm == pytest.approx(-10, abs=0.01)
    assert result.distance_nm_rms == pytest.approx(1000**0.5, abs=0.01)
    assert result.photon_ratio_median == pytest.approx(2)


def test_tables_that_share_nothing_have_no_distance() -> None:
    result = compare(star_localizations(10), empty())
    assert (result.matched, result.jaccard, result.offset_x_nm, result.second.matched_share) == (0, 0.0, None, None)
    assert compare(empty(), empty()).jaccard is None


def test_regions_are_compared_at_their_places_in_the_frame() -> None:
    whole = star_localizations(100)
    part = whole.copy()
    part["x_nm"] -= 800
    part["y_nm"] -= 1600
    moved = in_frame_coordinates(part, RegionOfInterest(x=8, y=16, width=32, height=32), 100.0)
    np.testing.assert_allclose(moved["x_nm"], whole["x_nm"], atol=0.01)
    np.testing.assert_allclose(moved["y_nm"], whole["y_nm"], atol=0.01)


def test_both_are_drawn_on_the_same_pixels() -> None:
    one, two = draw_both(star_localizations(50), empty(), 64, 48, 100.0)
    assert one.shape == two.shape == (240, 320)
    assert two.sum() == 0


def test_different_pixel_sizes_are_refused() -> None:
    check_comparable(100, 100)
    with pytest.raises(InvalidSetting, match="camera pixels of 100 nm and the other of 108 nm"):
        check_comparable(100, 108)
