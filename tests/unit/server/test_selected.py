from __future__ import annotations

from datetime import UTC, datetime
from weakref import ref

import pytest

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.analysis.selection import Selection
from cellstorm.errors import ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.roi import RegionOfInterest
from cellstorm.store import Commit
from cellstorm_server.selected import SelectedTables
from cellstorm_server.viewers import View
from tests.fakes import star_localizations

TABLE = star_localizations(1000)


def view(position: str = "1-0", table: Localizations = TABLE, acquisition_id: str = "one", side_px: int = 64) -> View:
    roi = RegionOfInterest(x=0, y=0, width=side_px, height=side_px) if side_px else None
    counts = dict.fromkeys(
        ("frames_received", "frames_lost", "frames_damaged", "frames_processed", "localizations"), len(table)
    )
    counts |= dict.fromkeys(("chunks_received", "chunks_processed", "waiting_chunk_bytes", "spooled_chunks"), 1)
    acquisition = Acquisition.model_validate(
        {
            **counts,
            "id": acquisition_id,
            "settings": AcquisitionSettings(),
            "state": State.RECEIVING,
            "created_at": datetime(2026, 11, 22, tzinfo=UTC),
            "roi": roi,
            **dict.fromkeys(("frame_width", "frame_height", "frames_expected", "lag_s", "fps", "eta_s")),
        }
    )
    return View(acquisition, (Commit(position, 0, 0, 50, 50, table),), "1-0", len(table))


def test_a_table_is_made_once_for_all_who_ask_for_it() -> None:
    tables = SelectedTables()
    first = tables.of(view(), Selection(photons="500:"))
    assert tables.of(view(), Selection(photons="500:")) is first
    assert tables.of(view(), Selection(photons="501:")) is not first
    assert tables.of(view("2-0"), Selection(photons="500:")) is not first
    assert tables.of(view(acquisition_id="two"), Selection(photons="500:")) is not first
    assert first.info.frame_count == 50
    assert first.info.width_px == 64


def test_what_is_kept_is_bounded_and_what_was_asked_for_last_stays() -> None:
    tables = SelectedTables(max_bytes=3 * TABLE.nbytes)
    kept = [tables.of(view(f"{number}-0"), Selection()) for number in range(4)]
    assert tables.of(view("3-0"), Selection()) is kept[3]
    assert tables.of(view("1-0"), Selection()) is kept[1]
    assert tables.of(view("0-0"), Selection()) is not kept[0]
    tiny = SelectedTables(max_bytes=1)
    only = tiny.of(view(), Selection())
    assert tiny.of(view(), Selection()) is only


def test_empty_tables_and_looks_are_bounded_in_number() -> None:
    tables = SelectedTables()
    first = tables.of(view(), Selection(photons="1e9:"))
    assert first.table.nbytes == 0
    for least in range(300):
        tables.of(view(), Selection(photons=f"{1e9 + least}:"))
    assert tables.of(view(), Selection(photons="1e9:")) is not first
    for number in range(300):
        first.white_per_nm2("histogram", 50 + number / 10)
    assert len(first._white) <= 256


def test_what_nobody_asks_for_any_more_is_dropped() -> None:
    tables = SelectedTables()
    first = tables.of(view(), Selection())
    tables.drop_idle()
    assert tables.of(view(), Selection()) is first
    tables.drop_idle(idle_s=-1.0)
    assert tables.nbytes == 0


def test_a_selection_of_few_rows_does_not_hold_all_of_them() -> None:
    table = star_localizations(10)
    all_rows = ref(table)
    selected = SelectedTables().of(view(table=table), Selection(photons="1e9:"))
    del table
    assert all_rows() is None
    assert selected.info.frame_count == 50


def test_a_deleted_acquisitions_tables_are_forgotten() -> None:
    tables = SelectedTables()
    first, other = tables.of(view(), Selection()), tables.of(view(acquisition_id="two"), Selection())
    tables.forget("one")
    assert tables.of(view(), Selection()) is not first
    assert tables.of(view(acquisition_id="two"), Selection()) is other


def test_before_the_first_frame_there_is_nothing() -> None:
    with pytest.raises(ResultNotReady, match="no frame has come yet"):
        SelectedTables().of(view(side_px=0), Selection())


def test_white_is_found_once_for_each_look() -> None:
    selected = SelectedTables().of(view(), Selection())
    assert selected.white_per_nm2("gaussian", 99) == selected.white_per_nm2("gaussian", 99) > 0
    assert selected.white_per_nm2("gaussian", 50) < selected.white_per_nm2("gaussian", 99)
