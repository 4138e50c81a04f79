from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import locan
import numpy as np
import pytest

from cellstorm.errors import InvalidInput
from cellstorm.localizations import LOCALIZATION, Localizations, empty
from cellstorm.results import smlm
from cellstorm.results.picasso import TableInfo
from tests.fakes import star_localizations
from tests.unit.core.test_results_folder import files_no_larger_than

INFO = TableInfo(width_px=64, height_px=48, frame_count=50, pixel_size_nm=107.3)


def written(folder: Path, localizations: Localizations, info: TableInfo = INFO) -> Path:
    path = folder / "localizations.smlm"
    smlm.write(path, localizations, info)
    return path


def foreign(folder: Path, rows: np.ndarray[Any, Any], units: list[str], **file: object) -> Path:
    """As another program might write it: no entry of ours."""
    path = folder / "theirs.smlm"
    names = list(rows.dtype.names or ())
    layout = {
        "type": "table",
        "mode": "binary",
        "columns": len(names),
        "headers": names,
        "dtype": [str(rows.dtype[name].base.name) for name in names],
        "shape": [list(rows.dtype[name].shape) or 1 for name in names],
        "units": units,
    }
    table = {"name": "a.bin", "type": "table", "format": "f", "channel": "c", "rows": len(rows), "offset": {}, **file}
    manifest = {"format_version": "0.2", "formats": {"f": layout}, "files": [table]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("a.bin", rows.tobytes())
    return path


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # locan's own
def test_locan_reads_every_row_at_the_place_and_in_the_unit_that_were_written(tmp_path: Path) -> None:
    localizations = star_localizations(20_000)
    loaded = locan.load_SMLM_file(written(tmp_path, localizations))
    assert not isinstance(loaded, list)
    table = loaded.data
    assert len(table) == 20_000
    np.testing.assert_array_equal(table["frame"], localizations["frame"] + 1)
    np.testing.assert_allclose(table["position_x"], localizations["x_nm"] + 53.65, atol=0.01)
    np.testing.assert_allclose(table["position_y"], localizations["y_nm"] + 53.65, atol=0.01)
    np.testing.assert_array_equal(table["intensity"], localizations["photons"])
    np.testing.assert_array_equal(table["local_background"], localizations["background_photons"])
    np.testing.assert_array_equal(table["x_precision"], localizations["precision_nm"])
    np.testing.assert_array_equal(table["y_precision"], localizations["precision_nm"])
    np.testing.assert_array_equal(table["sigma"], localizations["psf_sigma_nm"])


def test_the_manifest_holds_what_the_specification_requires(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path, star_localizations(7))) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        (file,) = manifest["files"]
        layout = manifest["formats"][file["format"]]
        assert archive.getinfo(file["name"]).file_size == 7 * 9 * 4
    assert manifest["format_version"] == "0.2"
    assert (file["type"], file["rows"], file["offset"]) == ("table", 7, {})
    assert (layout["type"], layout["mode"], layout["columns"]) == ("table", "binary", 9)
    assert {len(layout[what]) for what in ("headers", "dtype", "shape", "units")} == {9}
    assert dict(zip(layout["headers"], layout["units"], strict=True))["x"] == "nm"
    assert manifest["cellstorm"]["pixel_size_nm"] == 107.3
    assert manifest["cellstorm"]["first_frame"] == 1


def test_a_table_comes_back_to_a_hundredth_of_a_nanometer(tmp_path: Path) -> None:
    localizations = star_localizations(300_000, side_px=512)  # more than one batch
    back = smlm.read(written(tmp_path, localizations))
    assert (back.program, back.pixel_size_nm) == (".smlm", 107.3)
    for name in LOCALIZATION.names or ():
        tolerance = 0.01 if name in ("x_nm", "y_nm") else 0
        np.testing.assert_allclose(back.localizations[name], localizations[name], rtol=0, atol=tolerance, err_msg=name)


def test_the_same_table_gives_the_same_bytes_into_a_file_and_a_stream(tmp_path: Path) -> None:
    localizations = star_localizations(1000)
    stream = io.BytesIO()
    smlm.write(stream, localizations, INFO)
    assert written(tmp_path, localizations).read_bytes() == stream.getvalue()
    with zipfile.ZipFile(stream) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_empty_table_comes_back_empty(tmp_path: Path) -> None:
    assert len(smlm.read(written(tmp_path, empty())).localizations) == 0


def test_the_last_frame_of_all_does_not_wrap(tmp_path: Path) -> None:
    localizations = star_localizations(2)
    localizations["frame"] = 0, 2**32 - 2
    assert smlm.read(written(tmp_path, localizations)).localizations["frame"].tolist() == [0, 2**32 - 2]


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with files_no_larger_than(10_000), pytest.raises(OSError, match="File too large"):
        written(tmp_path, star_localizations(10_000))


def test_other_programs_units_offsets_and_columns_of_many_numbers_are_understood(tmp_path: Path) -> None:
    rows = np.zeros(2, [("patch", "<u2", (3, 3)), ("x", "<f8"), ("y", "<f4"), ("frame", "<u2"), ("z", "<f4")])
    rows["x"], rows["y"], rows["frame"] = [1.5, 2.0], [300, 400], [1, 5]
    path = foreign(tmp_path, rows, ["", "um", "nm", "frame", "nm"], offset={"y": -20})
    table = smlm.read(path, pixel_size_nm=160).localizations
    assert table["x_nm"].tolist() == [1420, 1920]
    assert table["y_nm"].tolist() == [200, 300]
    assert table["frame"].tolist() == [0, 4]
    assert np.isnan(table["photons"]).all()


def test_frames_that_count_from_0_are_left_so(tmp_path: Path) -> None:
    rows = np.zeros(3, [("x", "<f4"), ("y", "<f4"), ("frame", "<u4")])
    rows["frame"] = [0, 1, 2]
    table = smlm.read(foreign(tmp_path, rows, ["nm", "nm", ""]), pixel_size_nm=100).localizations
    assert table["frame"].tolist() == [0, 1, 2]


def test_without_a_pixel_size_half_a_pixel_is_not_guessed(tmp_path: Path) -> None:
    rows = np.zeros(1, [("x", "<f4"), ("y", "<f4"), ("frame", "<u4")])
    path = foreign(tmp_path, rows, ["nm", "nm", ""])
    with pytest.raises(InvalidInput, match=r"does not tell the camera's pixel size.*give it with --pixel-size"):
        smlm.read(path)


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            manifest, table = json.loads(archive.read("manifest.json")), archive.read("table.bin")
        change(manifest)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
            archive.writestr("table.bin", table)

    return damage


def _flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _without_manifest(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"text"), id="no ZIP"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-500]), id="truncated"),
        pytest.param(_flip_a_byte, id="one byte changed"),
        pytest.param(_without_manifest, id="no manifest"),
        pytest.param(_changed(lambda manifest: manifest.update(format_version="1.0")), id="another version"),
        pytest.param(_changed(lambda manifest: manifest.update(files=[])), id="no table"),
        pytest.param(_changed(lambda manifest: manifest.update(files=manifest["files"] * 2)), id="two tables"),
        pytest.param(_changed(lambda manifest: manifest["files"][0].update(rows=10**15)), id="too many rows"),
        pytest.param(_changed(lambda manifest: manifest["files"][0].update(rows=-1)), id="rows below zero"),
        pytest.param(
            _changed(lambda manifest: manifest["files"][0].update(name="../x")), id="a file that is not there"
        ),
        pytest.param(_changed(lambda manifest: manifest.update(formats=[])), id="no formats"),
        pytest.param(_changed(lambda m: m["formats"]["smlm-table(binary)"].update(mode="text")), id="text"),
        pytest.param(_changed(lambda m: m["formats"]["smlm-table(binary)"].update(dtype=["float32"])), id="few types"),
        pytest.param(
            _changed(lambda m: m["formats"]["smlm-table(binary)"]["units"].__setitem__(1, "parsec")), id="odd unit"
        ),
        pytest.param(
            _changed(lambda m: m["formats"]["smlm-table(binary)"]["headers"].__setitem__(1, "q")), id="no column x"
        ),
    ],
)
def test_a_damaged_table_is_a_clear_error(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = written(tmp_path, star_localizations(1000))
    damage(path)
    with pytest.raises(InvalidInput, match=r"^localizations\.smlm .*export .*$"):
        smlm.read(path)
