"""napari-storm's own readers on what we write. They need no Qt, but the package asks for napari and an older zarr:
`pip install --no-deps napari-storm` beside the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellstorm.results.formats import SUFFIXES, TableFile, TableFormat, write_table
from cellstorm.results.picasso import TableInfo
from tests.fakes import star_localizations

storm_class = pytest.importorskip(
    "napari_storm.localization_dataset_types.storm_class", reason="needs: pip install --no-deps napari-storm"
)


@pytest.mark.parametrize(("name", "pixels_nm", "shift_px"), [("thunderstorm", 1.0, 0.5), ("picasso", 107.3, 0.0)])
def test_napari_storm_reads_every_row_at_its_place(
    tmp_path: Path, name: TableFormat, pixels_nm: float, shift_px: float
) -> None:
    given = star_localizations(2000)
    path = tmp_path / f"table{SUFFIXES[name]}"
    write_table(path, TableFile(given, TableInfo(64, 64, 50, 107.3)), name)
    dataset = storm_class.StormDataClass()
    if name == "thunderstorm":
        dataset.load_csv(str(path), "table")
    else:
        dataset.load_hdf5(str(path), "table")
    rows = dataset.locs_all
    assert dataset.pixelsize_nm == pytest.approx(pixels_nm)
    for theirs, ours in (("x_pos_pixels", "x_nm"), ("y_pos_pixels", "y_nm")):
        placed_nm = rows[theirs].astype(np.float64) * pixels_nm
        np.testing.assert_allclose(placed_nm, given[ours] + shift_px * 107.3, atol=0.01)
    np.testing.assert_allclose(rows["photon_count"], given["photons"], rtol=1e-5)
    np.testing.assert_allclose(rows["sigma_x_pixels"] * pixels_nm, given["precision_nm"], atol=0.01)
