"""`cellstorm simulate`, as the function behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm.errors import InvalidSetting
from cellstorm.scoring import read_truth
from cellstorm_cli.simulate import simulate
from cellstorm_models.compression import read_luma


def test_simulate_writes_a_video_its_truth_and_its_settings(tmp_path: Path) -> None:
    simulate(tmp_path, structure="rings", frames=12, size="64,48", photons=800.0, seed=3)
    counts, truth = read_luma(tmp_path / "video.mp4"), read_truth(tmp_path / "truth.csv")
    assert counts.shape == (12, 48, 64)
    brightest = truth[np.argmax(truth["photons"])]
    row, column = round(brightest["y_nm"] / 100), round(brightest["x_nm"] / 100)
    assert counts[brightest["frame"], row, column] > 1.5 * np.median(counts)
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["seed"] == 3
    assert settings["simulation"]["structure"] == "rings"
    assert settings["compression"]["crf"] == 18


def test_an_uncompressed_recording_is_the_cameras_own_frames(tmp_path: Path) -> None:
    simulate(tmp_path / "tif", frames=6, size="32,32", seed=5, uncompressed=True)
    simulate(tmp_path / "lossless", frames=6, size="32,32", seed=5, crf=0)
    counts = tifffile.imread(tmp_path / "tif" / "video.tif")
    np.testing.assert_array_equal(counts, read_luma(tmp_path / "lossless" / "video.mp4"))
    assert json.loads((tmp_path / "tif" / "config.json").read_text())["compression"] is None


def test_a_recording_in_place_of_an_earlier_one_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(tmp_path, frames=4, size="32,32")
    assert capsys.readouterr().out.endswith(f" in {tmp_path}\n")
    simulate(tmp_path, frames=4, size="32,32")
    assert capsys.readouterr().out.endswith(f" in {tmp_path}, in place of an earlier one\n")


def test_the_video_of_another_truth_does_not_stay(tmp_path: Path) -> None:
    simulate(tmp_path, frames=2, uncompressed=True)
    simulate(tmp_path, frames=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "truth.csv", "video.mp4"]


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        simulate(tmp_path / name, frames=4, size="32,32", seed=5)
    for file in ("video.mp4", "truth.csv"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_where_no_folder_can_be_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match=f"{place} cannot be written"):
        simulate(tmp_path / place, frames=2, size="32,32")


@pytest.mark.parametrize("size", ["128", "12,12", "63,64", "a,b", "64,64,3"])
def test_a_size_that_cannot_be_compressed_is_refused(tmp_path: Path, size: str) -> None:
    with pytest.raises(InvalidSetting, match="size"):
        simulate(tmp_path, size=size)
    assert not list(tmp_path.iterdir())


def test_an_unknown_structure_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="filaments, star"):
        simulate(tmp_path, structure="spiral")
