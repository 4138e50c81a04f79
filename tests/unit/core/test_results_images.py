from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from cellstorm.results import images

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
    images.write_reconstruction(tmp_path / "reconstruction.ome.tif", image, 12.5)
    back = tifffile.imread(tmp_path / "reconstruction.ome.tif")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, image)
    pixels = pixels_element(tmp_path / "reconstruction.ome.tif").attrib
    assert (pixels["SizeX"], pixels["SizeY"], pixels["Type"]) == ("50", "30", "float")
    assert float(pixels["PhysicalSizeX"]) == float(pixels["PhysicalSizeY"]) == 12.5
    assert pixels["PhysicalSizeXUnit"] == pixels["PhysicalSizeYUnit"] == "nm"


def test_plain_tiff_readers_find_the_scale_too(tmp_path: Path) -> None:
    images.write_reconstruction(tmp_path / "reconstruction.ome.tif", np.ones((8, 8), np.float32), 20)
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
    images.write_reconstruction(buffer, np.eye(16, dtype=np.float32), 20)
    buffer.seek(0)
    np.testing.assert_array_equal(tifffile.imread(buffer), np.eye(16))
