from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from cellstorm.localizations import COLUMNS, empty
from cellstorm.results import parquet
from cellstorm.results.picasso import TableInfo
from tests.fakes import star_localizations

INFO = TableInfo(64, 48, 50, 108.3)


def test_arrow_reads_every_column_as_it_was_with_its_unit(tmp_path: Path) -> None:
    given = star_localizations(500)
    parquet.write(tmp_path / "table.parquet", given, INFO, {"Generator": "default 0.2.0"})
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet")
    assert table.column_names == [column.name for column in COLUMNS]
    for column in COLUMNS:
        np.testing.assert_array_equal(table[column.name].to_numpy(), given[column.name])
        assert table.schema.field(column.name).metadata[b"unit"] == column.unit.encode()
    assert table.schema.metadata[b"cellstorm.pixel_size_nm"] == b"108.3"
    assert table.schema.metadata[b"cellstorm.Generator"] == b"default 0.2.0"


@pytest.mark.parametrize("count", [0, 1, 2**18 + 3])
def test_tables_of_any_length_are_whole(tmp_path: Path, count: int) -> None:
    given = star_localizations(count) if count else empty()
    parquet.write(tmp_path / "table.parquet", given, INFO, {})
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet")
    assert table.num_rows == count
    np.testing.assert_array_equal(table["x_nm"].to_numpy(), given["x_nm"])
