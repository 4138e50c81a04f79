from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cellstorm.errors import InvalidInput
from cellstorm.results.formats import SUFFIXES, TableFile, TableFormat, write_table
from cellstorm.results.imported import ImportedTable
from cellstorm.results.picasso import TableInfo
from cellstorm.results.tables import read_table
from tests.fakes import star_localizations


@pytest.mark.parametrize("name", [name for name in get_args(TableFormat) if name != "parquet"])
def test_what_is_imported_is_exported_to_the_same_places(tmp_path: Path, name: TableFormat) -> None:
    given = star_localizations(300)
    path = tmp_path / f"table{SUFFIXES[name]}"
    write_table(path, TableFile(given, TableInfo(64, 48, 50, 107.3)), name)
    table = TableFile.of_imported(path.name, read_table(path, 107.3))
    np.testing.assert_allclose(table.localizations["x_nm"], given["x_nm"], atol=0.01)
    np.testing.assert_array_equal(table.localizations["frame"], given["frame"])
    assert table.info.pixel_size_nm == 107.3
    if name in ("picasso", "smlm"):
        assert (table.info.width_px, table.info.height_px) == (64, 48)


def test_the_field_of_a_table_that_does_not_tell_it_reaches_to_the_last_localization() -> None:
    given = star_localizations(3)
    given["x_nm"], given["y_nm"] = (0, 149, 849), (0, 49, 151)
    info = TableFile.of_imported("theirs.csv", ImportedTable(given, 100.0, "ThunderSTORM")).info
    assert (info.width_px, info.height_px, info.frame_count) == (9, 3, int(given["frame"].max()) + 1)


def test_a_table_without_a_pixel_size_is_not_used() -> None:
    with pytest.raises(InvalidInput, match="does not tell the camera's pixel size"):
        TableFile.of_imported("theirs.csv", ImportedTable(star_localizations(3), None, "rapidSTORM"))


def test_the_header_of_thunderstorms_release_is_its_own(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", TableFile(star_localizations(3), TableInfo(64, 64, 50, 100)), "thunderstorm-1.3")
    first, *rows = (tmp_path / "t.csv").read_text().splitlines()
    assert first.endswith('"bkgstd [photon]","uncertainty [nm]"')
    assert len(rows) == 3
