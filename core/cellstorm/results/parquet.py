"""Localizations as Parquet, for pandas, polars, DuckDB, R and everything else that computes with tables.

The table as it is in memory: this project's columns, names, units and origin (the centre of camera pixel (0, 0) is 0 nm,
frames count from 0). Units and meanings stand with the columns, what must be known of all rows with the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from cellstorm.localizations import COLUMNS, Localizations
from cellstorm.results.picasso import TableInfo

_BATCH_ROWS: Final = 2**18


def write(path: Path, localizations: Localizations, info: TableInfo, provenance: Mapping[str, str]) -> None:
    """Write the table, a quarter of a million rows at a time."""
    schema = _schema(info, provenance)
    batches = (
        RecordBatch.from_arrays(
            [Array.from_numpy(np.ascontiguousarray(rows[column.name])) for column in COLUMNS], schema=schema
        )
        for rows in (localizations[start : start + _BATCH_ROWS] for start in range(0, len(localizations), _BATCH_ROWS))
    )
    reader = RecordBatchReader.from_batches(schema, batches)
    path.touch()  # the library's own error, where the file cannot be made, has no number that tells why
    write_parquet(reader, path, compression="zstd(3)", max_row_group_size=_BATCH_ROWS)


def _schema(info: TableInfo, provenance: Mapping[str, str]) -> Schema:
    fields = [
        Field(
            column.name,
            DataType.uint32() if column.dtype == "<u4" else DataType.float32(),
            nullable=False,
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in COLUMNS
    ]
    facts = {
        "cellstorm.pixel_size_nm": f"{info.pixel_size_nm!r}",
        "cellstorm.width_px": str(info.width_px),
        "cellstorm.height_px": str(info.height_px),
        "cellstorm.frame_count": str(info.frame_count),
        "cellstorm.origin": "centre of camera pixel (0, 0); x to the right, y down; frames from 0",
        **{f"cellstorm.{name}": value for name, value in provenance.items()},
    }
    return Schema(fields, metadata=facts)
