from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from cellstorm.results import omezarr
from cellstorm.scene import Scene, array_levels
from tests.fakes import star_localizations


def written(path: Path, scene: Scene, pixel_nm: float) -> Any:  # noqa: ANN401  # attributes are JSON of any shape
    omezarr.write(path, scene.levels(pixel_nm), (-50.0, -50.0), {"Generator": "default 0.2.0"})
    return zarr.open_group(ZipStore(path, mode="r"), mode="r")


def test_zarr_opens_every_level_with_its_scale_and_origin(tmp_path: Path) -> None:
    scene = Scene(star_localizations(2000), 64, 64, 100.0)
    group = written(tmp_path / "image.ozx", scene, 3.0)
    ome = group.attrs["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    assert multiscale["axes"] == [{"name": name, "type": "space", "unit": "nanometer"} for name in "yx"]
    assert [dataset["path"] for dataset in multiscale["datasets"]] == ["0", "1", "2"]
    for level, dataset in enumerate(multiscale["datasets"]):
        scale, translation = dataset["coordinateTransformations"]
        assert scale["scale"] == [3.0 * 2**level] * 2
        assert translation["translation"] == pytest.approx([-50 + 1.5 * 2**level] * 2, abs=0.01)
        image = group[dataset["path"]][:]
        assert image.dtype == np.float32
        assert image.sum() * 4**level == pytest.approx(2000, rel=1e-4)


def test_a_localization_lies_where_the_image_says(tmp_path: Path) -> None:
    one = star_localizations(1)
    group = written(tmp_path / "image.ozx", Scene(one, 64, 64, 100.0, "histogram"), 5.0)
    row, column = np.argwhere(group["0"][:])[0]
    scale, translation = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    x_nm = column * scale["scale"][1] + translation["translation"][1]
    y_nm = row * scale["scale"][0] + translation["translation"][0]
    assert abs(x_nm - one["x_nm"][0]) <= 2.51
    assert abs(y_nm - one["y_nm"][0]) <= 2.51


def test_the_zip_is_stored_with_metadata_first_and_says_so(tmp_path: Path) -> None:
    scene = Scene(star_localizations(100), 64, 64, 100.0)
    written(tmp_path / "image.ozx", scene, 2.0)
    with zipfile.ZipFile(tmp_path / "image.ozx") as archive:
        names = [member.filename for member in archive.infolist()]
        assert len(set(names)) == len(names)
        assert names[0] == "zarr.json"
        is_metadata = [name.endswith("zarr.json") for name in names]
        assert is_metadata == sorted(is_metadata, reverse=True)
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert json.loads(archive.comment)["ome"]["zipFile"]["centralDirectory"]["jsonFirst"] is True


def test_an_image_in_memory_can_be_written_with_sixteen_bits(tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    omezarr.write(tmp_path / "image.ozx", array_levels(image, 20.0), (-50.0, 250.0), depth="16")
    level = zarr.open_array(ZipStore(tmp_path / "image.ozx", mode="r"), path="0", mode="r")
    np.testing.assert_array_equal(level[:], image.astype(np.uint16))
    group: Any = zarr.open_group(ZipStore(tmp_path / "image.ozx", mode="r"), mode="r")
    _, translation = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert translation["translation"] == [260.0, -40.0]  # y, x
