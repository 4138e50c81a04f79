from __future__ import annotations

import numpy as np
import pytest

from cellstorm.acquisitions import FrameRange
from cellstorm.comparison import (
    CommonComparison,
    Origin,
    Part,
    check_comparable,
    common_parts,
    compare,
    compare_parts,
    draw_both,
)
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


WHOLE = RegionOfInterest(x=4, y=2, width=32, height=32)
INNER = RegionOfInterest(x=12, y=18, width=16, height=8)


def recorded() -> Part:
    """All over a region of a frame, in frames 0 to 99."""
    table = star_localizations(4000)
    random = np.random.default_rng(1)
    table["frame"] = np.sort(random.integers(0, 100, len(table)))
    table["x_nm"], table["y_nm"] = random.uniform(-50, 3150, (2, len(table)))
    return Part(table, WHOLE)


def again(part: Part, roi: RegionOfInterest, frames: FrameRange) -> Part:
    """The same molecules, where they were looked for in a part only."""
    table = part.table.copy()
    table["x_nm"] += (part.roi.x - roi.x) * 100.0
    table["y_nm"] += (part.roi.y - roi.y) * 100.0
    is_in = (table["x_nm"] >= -50) & (table["x_nm"] < 100.0 * roi.width - 50)
    is_in &= (table["y_nm"] >= -50) & (table["y_nm"] < 100.0 * roi.height - 50)
    return Part(table[is_in & np.isin(table["frame"], [n for n in range(100) if n in frames])], roi, frames)


def test_a_part_agrees_with_the_whole_that_it_was_taken_from() -> None:
    whole = recorded()
    part = again(whole, INNER, FrameRange(start=10, stop=60))
    for result in (compare_parts(whole, part, 100.0), compare_parts(part, whole, 100.0)):
        assert result.jaccard == 1
        assert result.identical
        assert result.first.localizations == result.second.localizations == len(part.table) > 100
        assert result.distance_nm_rms == pytest.approx(0, abs=1e-3)
        assert (str(result.roi), str(result.frames)) == ("12,18,16,8", "10:60")
        assert CommonComparison.model_validate_json(result.model_dump_json()) == result


def test_two_parts_are_compared_where_they_overlap() -> None:
    whole = recorded()
    first = again(whole, RegionOfInterest(x=4, y=2, width=20, height=20), FrameRange(stop=50))
    second = again(whole, RegionOfInterest(x=14, y=8, width=20, height=20), FrameRange(start=30))
    result = compare_parts(first, second, 100.0)
    assert result.jaccard == 1
    assert (str(result.roi), str(result.frames)) == ("14,8,10,14", "30:50")
    one, two = common_parts(first, second, 100.0)
    assert len(one.table) == len(two.table) == result.matched > 0
    assert one.table["x_nm"].min() >= -50
    assert one.table["y_nm"].max() < 1350


def test_of_the_same_region_and_frames_all_is_compared() -> None:
    whole = recorded()
    other = Part(whole.table, WHOLE, FrameRange())
    result = compare_parts(whole, other, 100.0)
    assert (result.roi, result.frames, result.matched) == (None, None, len(whole.table))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        pytest.param(Origin(frozenset("a")), Origin(frozenset("ba")), True, id="one made from the other"),
        pytest.param(Origin(frozenset("ba")), Origin(frozenset("ca")), True, id="both made from a third"),
        pytest.param(Origin(frozenset("a"), "5e"), Origin(frozenset("b"), "5e"), True, id="one file, sent twice"),
        pytest.param(Origin(frozenset("a"), "5e"), Origin(frozenset("b"), "77"), False, id="two files"),
        pytest.param(Origin(frozenset("a"), "5e"), Origin(frozenset("b")), None, id="one of an unknown file"),
        pytest.param(Origin(), Origin(), None, id="tables without a report"),
    ],
)
def test_whether_both_are_of_one_recording_is_told_by_descent_and_by_the_videos_bytes(
    first: Origin, second: Origin, same: bool | None
) -> None:
    table = recorded().table
    result = compare_parts(Part(table, WHOLE, origin=first), Part(table, WHOLE, origin=second), 100.0)
    assert result.same_recording is same


def test_parts_that_share_nothing_are_refused() -> None:
    whole = recorded()
    elsewhere = Part(whole.table, RegionOfInterest(x=30, y=2, width=32, height=32))
    with pytest.raises(InvalidSetting, match=r"4,2,32,32 and 30,2,32,32 have less than 8x8 pixels in common"):
        compare_parts(whole, elsewhere, 100.0)
    early, late = (Part(whole.table, WHOLE, frames) for frames in (FrameRange(stop=20), FrameRange(start=20)))
    with pytest.raises(InvalidSetting, match=r"frames 0:20 and 20: have none in common"):
        compare_parts(early, late, 100.0)


def test_both_are_drawn_on_the_same_pixels() -> None:
    first, second = Part(star_localizations(50), WHOLE), Part(empty(), RegionOfInterest(x=12, y=2, width=56, height=48))
    one, two = draw_both(first, second, 100.0)
    assert one.shape == two.shape == (240, 320)
    assert two.sum() == 0


def test_a_part_is_drawn_over_its_place_in_the_whole() -> None:
    whole = recorded()
    one, two = draw_both(whole, again(whole, INNER, FrameRange()), 100.0)
    assert one.shape == two.shape
    rows, columns = (
        slice(16 * 5 + 10, 24 * 5 - 10),
        slice(8 * 5 + 10, 24 * 5 - 10),
    )  # without what reaches in from outside
    np.testing.assert_allclose(two[rows, columns], one[rows, columns], atol=1e-4)
    assert one[:60].sum() > 0
    assert two[:60].sum() == 0


def test_different_pixel_sizes_are_refused() -> None:
    check_comparable(100, 100)
    with pytest.raises(InvalidSetting, match="camera pixels of 100 nm and the other of 108 nm"):
        check_comparable(100, 108)
