from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from cellstorm.reconstruction import Method
from cellstorm.results import images
from cellstorm.scene import Scene, array_levels
from tests.fakes import star_localizations

OME = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}


def pixels_element(path: Path) -> ElementTree.Element:
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert tiff.ome_metadata is not None
        element = ElementTree.fromstring(tiff.ome_metadata).find(".//ome:Pixels", OME)
    assert element is not None
    return element


def test_a_reconstruction_keeps_its_values_and_its_scale(tmp_path: Path) -> None:
    image = np.random.default_rng(0).gamma(0.1, 5, (30, 50)).astype(np.float32)
    images.write_reconstruction(tmp_path / "reconstruction.ome.tif", array_levels(image, 12.5))
    back = tifffile.imread(tmp_path / "reconstruction.ome.tif")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, image)
    pixels = pixels_element(tmp_path / "reconstruction.ome.tif").attrib
    assert (pixels["SizeX"], pixels["SizeY"], pixels["Type"]) == ("50", "30", "float")
    assert float(pixels["PhysicalSizeX"]) == float(pixels["PhysicalSizeY"]) == 12.5
    assert pixels["PhysicalSizeXUnit"] == pixels["PhysicalSizeYUnit"] == "nm"


def test_plain_tiff_readers_find_the_scale_too(tmp_path: Path) -> None:
    images.write_reconstruction(tmp_path / "reconstruction.ome.tif", array_levels(np.ones((8, 8), np.float32), 20))
    with tifffile.TiffFile(tmp_path / "reconstruction.ome.tif") as tiff:
        page = tiff.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        pixels_per_cm, per = page.tags["XResolution"].value
        assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
    assert 1e7 / (pixels_per_cm / per) == pytest.approx(20)


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64, np.float64])
def test_a_widefield_image_is_float32_in_counts(tmp_path: Path, dtype: type[np.generic]) -> None:
    counts = np.arange(12).reshape(3, 4) * 1_000_000
    images.write_widefield(tmp_path / "widefield.ome.tif", counts.astype(dtype), 100)
    back = tifffile.imread(tmp_path / "widefield.ome.tif")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, counts)
    assert float(pixels_element(tmp_path / "widefield.ome.tif").attrib["PhysicalSizeX"]) == 100


def test_an_image_can_be_written_to_memory_for_a_reply() -> None:
    buffer = io.BytesIO()
    images.write_reconstruction(buffer, array_levels(np.eye(16, dtype=np.float32), 20))
    buffer.seek(0)
    np.testing.assert_array_equal(tifffile.imread(buffer), np.eye(16))


def notes_of(path: Path) -> dict[str, str]:
    with tifffile.TiffFile(path) as tiff:
        assert tiff.ome_metadata is not None
        found = ElementTree.fromstring(tiff.ome_metadata).findall(".//ome:MapAnnotation/ome:Value/ome:M", OME)
    return {str(note.get("K")): note.text or "" for note in found}


def test_a_reconstruction_tells_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "reconstruction.ome.tif"
    images.write_reconstruction(path, array_levels(np.eye(8, dtype=np.float32), 20), {"Generator": "default 0.2.0"})
    assert notes_of(path) == {"Generator": "default 0.2.0"}


def test_a_large_image_lies_in_tiles_with_smaller_copies_of_itself(tmp_path: Path) -> None:
    scene = Scene(star_localizations(2000), 64, 64, 100.0)
    path = tmp_path / "large.ome.tif"
    images.write_reconstruction(path, scene.levels(2.9))
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        assert [level.shape for level in levels] == [(2207, 2207), (1104, 1104), (552, 552)]
        assert levels[0].keyframe.is_tiled
        full, half = levels[0].asarray(), levels[1].asarray()
    assert full.sum() == pytest.approx(2000, rel=1e-4)
    assert half.sum() * 4 == pytest.approx(2000, rel=1e-4)
    assert float(pixels_element(path).attrib["PhysicalSizeX"]) == 2.9


@pytest.mark.parametrize(("method", "value"), [("histogram", 1.0), ("gaussian", None)])
def test_sixteen_bits_hold_counts_as_they_are_and_say_by_what_others_were_multiplied(
    tmp_path: Path, method: Method, value: float | None
) -> None:
    scene = Scene(star_localizations(500), 64, 64, 100.0, method)
    path = tmp_path / "16.ome.tif"
    images.write_reconstruction(path, scene.levels(20.0), depth="16")
    back = tifffile.imread(path)
    told = float(notes_of(path)["Value of one localization per pixel"])
    assert back.dtype == np.uint16
    assert back.sum(dtype=np.float64) / told == pytest.approx(500, rel=1e-3)
    assert told == value if value is not None else back.max() == 65535
