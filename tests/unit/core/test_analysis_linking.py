from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.linking import link
from cellstorm.localizations import LOCALIZATION, Localizations, empty
from tests.fakes import blinking_localizations


def table_of(*rows: tuple[int, float, float, float]) -> Localizations:
    """Rows of frame, x_nm, y_nm, photons; with 10 nm precision."""
    table = np.zeros(len(rows), LOCALIZATION)
    for index, (frame, x_nm, y_nm, photons) in enumerate(rows):
        table[index] = (frame, x_nm, y_nm, photons, 4 + index, 10, 130, 0.5 + index / 100)
    return table


def test_three_frames_of_one_emitter_become_one_row_weighted_by_photons() -> None:
    linked = link(table_of((3, 100, 50, 100), (4, 106, 50, 300), (5, 100, 58, 100)), max_distance_nm=20)
    assert len(linked.table) == 1
    row = linked.table[0]
    assert row["frame"] == 3
    assert row["x_nm"] == pytest.approx((100 * 100 + 106 * 300 + 100 * 100) / 500)
    assert row["y_nm"] == pytest.approx((50 * 400 + 58 * 100) / 500)
    assert row["photons"] == 500
    assert row["background_photons"] == pytest.approx(5)
    assert row["precision_nm"] == pytest.approx(10 * np.sqrt(0.2**2 + 0.6**2 + 0.2**2))
    assert row["psf_sigma_nm"] == pytest.approx(130)
    assert row["probability"] == pytest.approx(0.52)
    assert linked.on_frames.tolist() == linked.localizations.tolist() == [3]
    assert linked.emitter.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("dark", "emitters"), [(0, 2), (1, 1), (2, 1)])
def test_a_dark_frame_is_bridged_where_it_may_be(dark: int, emitters: int) -> None:
    linked = link(table_of((0, 0, 0, 10), (2, 3, 0, 10)), 20, dark)
    assert len(linked.table) == emitters
    assert linked.on_frames.tolist() == ([1, 1] if emitters == 2 else [3])


def test_one_emitter_has_one_successor_the_nearest() -> None:
    linked = link(table_of((0, 0, 0, 10), (1, 12, 0, 10), (1, -5, 0, 10)), 20, 0)
    assert len(linked.table) == 2
    assert linked.emitter[0] == linked.emitter[2] != linked.emitter[1]


def test_the_shorter_of_two_links_wins_and_the_loser_takes_what_is_left() -> None:
    linked = link(table_of((0, 0, 0, 10), (0, 9, 0, 10), (1, 10, 0, 10), (1, -15, 0, 10)), 20, 0)
    assert linked.emitter[1] == linked.emitter[2] != linked.emitter[0]
    assert linked.emitter[0] == linked.emitter[3]


def test_neither_the_same_frame_nor_a_far_place_is_linked() -> None:
    assert len(link(table_of((0, 0, 0, 10), (0, 1, 0, 10)), 20).table) == 2
    assert len(link(table_of((0, 0, 0, 10), (1, 21, 0, 10)), 20).table) == 2
    assert len(link(table_of((0, 0, 0, 10), (1, 19.9, 0, 10)), 20).table) == 1  # over a cell's border


def test_simulated_emitters_far_apart_are_all_found_with_their_on_times() -> None:
    grid = np.stack(np.meshgrid(np.arange(20) * 500.0, np.arange(20) * 500.0), axis=-1).reshape(-1, 2)
    table = blinking_localizations(grid, 400, 4, precision_nm=5, mean_on_frames=3)
    linked = link(table, 50, 0)
    cell = np.rint(table["x_nm"] / 500).astype(int) + 20 * np.rint(table["y_nm"] / 500).astype(int)
    here = np.unique(cell.astype(np.int64) * 1000 + table["frame"])  # where blinks of one emitter meet they are one
    starts = np.count_nonzero(~np.isin(here - 1, here))
    assert len(linked.table) == pytest.approx(starts, rel=0.05)
    assert linked.localizations.sum() == len(table)
    assert linked.on_frames.mean() == pytest.approx(3, rel=0.1)


def test_the_order_of_rows_changes_only_their_numbers() -> None:
    table = blinking_localizations(np.random.default_rng(1).uniform(0, 3000, (100, 2)), 100, 10, 10)
    mixed = np.random.default_rng(2).permutation(len(table))
    straight, shuffled = link(table, 40), link(table[mixed], 40)
    assert sorted(straight.table["photons"].tolist()) == pytest.approx(sorted(shuffled.table["photons"].tolist()))
    same = shuffled.emitter[np.argsort(mixed)]
    assert len(np.unique(np.stack([straight.emitter, same]), axis=1).T) == len(straight.table)


def test_nothing_links_to_nothing_and_rows_without_position_or_photons_stay() -> None:
    assert len(link(empty(), 50).table) == 0
    table = table_of((0, np.nan, 0, 10), (1, 5, 5, 0), (2, 6, 5, 0))
    linked = link(table, 50)
    assert len(linked.table) == 2
    assert linked.table["x_nm"][linked.emitter[1]] == pytest.approx(5.5)


def test_where_photons_are_unknown_all_of_an_emitters_localizations_weigh_the_same() -> None:
    linked = link(table_of((0, 5, 7, np.nan), (1, 6, 8, np.nan), (2, 10, 9, np.nan), (5, 900, 0, np.nan)), 20)
    assert linked.table["x_nm"].tolist() == pytest.approx([7, 900])
    assert linked.table["y_nm"].tolist() == pytest.approx([8, 0])
    assert linked.table["precision_nm"].tolist() == pytest.approx([10 / np.sqrt(3), 10])
    assert np.isnan(linked.table["photons"]).all()


def test_a_localization_of_infinite_photons_leaves_its_emitter_a_place() -> None:
    linked = link(table_of((0, 5, 7, np.inf), (1, 6, 8, 100)), 20)
    assert linked.table["x_nm"].tolist() == pytest.approx([6], abs=1e-3)
    assert linked.table["y_nm"].tolist() == pytest.approx([8], abs=1e-3)
    assert np.isfinite(linked.table["precision_nm"]).all()
