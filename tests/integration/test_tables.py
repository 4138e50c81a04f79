"""The commands on tables, as a user gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
import zarr
from PIL import Image
from zarr.storage import ZipStore

from cellstorm.acquisitions import AcquisitionSettings, FrameRange
from cellstorm.analysis.filtering import Filters
from cellstorm.camera import Camera
from cellstorm.results.folder import TABLE_CSV, Results, write_results
from cellstorm.results.formats import SUFFIXES, TableFile, write_table
from cellstorm.results.picasso import TableInfo
from cellstorm.results.tables import read_table
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import TRUTH, write_truth
from cellstorm_cli.main import main
from tests.fakes import provenance, star_localizations


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """800 localizations, as Picasso's."""
    path = tmp_path / "star.hdf5"
    write_table(path, TableFile(star_localizations(800), TableInfo(64, 64, 50, 100.0)), "picasso")
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_table_is_drawn_in_each_kind_of_image(table: Path, tmp_path: Path) -> None:
    assert run("render", table, "--out", tmp_path / "star.png", "--colormap", "fire") == 0
    with Image.open(tmp_path / "star.png") as picture:
        assert picture.size == (320, 320)
    assert run("render", table, "--out", tmp_path / "star.ome.tif", "--pixel-nm", 5, "--render", "ash") == 0
    image = tifffile.imread(tmp_path / "star.ome.tif")
    assert image.shape == (1280, 1280)
    assert image.sum() == pytest.approx(800, rel=1e-4)
    assert run("render", table, "--out", tmp_path / "star.ozx", "--depth", "16", "--render", "histogram") == 0
    level = zarr.open_array(ZipStore(tmp_path / "star.ozx", mode="r"), path="0", mode="r")
    assert int(np.sum(level[:], dtype=np.int64)) == 800


def test_only_what_is_asked_for_is_drawn(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", table, "--out", tmp_path / "part.png", "--photons", "800:", "--frames", "0:25") == 0
    told = int(capsys.readouterr().out.split()[0])
    given = read_table(table).localizations
    assert told == int(np.sum((given["photons"] >= 800) & (given["frame"] < 25)))


def test_single_localizations_are_left_out_of_image_and_table_alike(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lonely_left_out = ("--neighbours", "2:", "--neighbourhood", 60, "--density", ":3")
    assert run("render", table, "--out", tmp_path / "part.png", *lonely_left_out) == 0
    drawn = int(capsys.readouterr().out.split()[0])
    assert run("convert", table, "--to", "parquet", "--out", tmp_path / "part.parquet", *lonely_left_out) == 0
    written = int(capsys.readouterr().out.split()[0])
    given = read_table(table).localizations
    filters = Filters(neighbours="2:", neighbourhood_nm=60, density_per_um2=":3")
    assert drawn == written == len(filters.apply(given))
    assert 0 < written < len(given)


def test_a_cropped_image_holds_the_same_localizations_at_their_places(table: Path, tmp_path: Path) -> None:
    region = ("--region", "2500,1200,800,900")
    assert run("render", table, "--out", tmp_path / "whole.ozx", "--render", "histogram", *region) == 0
    assert run("render", table, "--out", tmp_path / "part.ozx", "--render", "histogram", "--crop", *region) == 0
    places = []
    for name in ("whole", "part"):
        group: Any = zarr.open_group(ZipStore(tmp_path / f"{name}.ozx", mode="r"), mode="r")
        _, translation = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        places.append(np.argwhere(group["0"][:]) * 20 + np.array(translation["translation"]))
    assert group["0"].shape[0] < 60
    np.testing.assert_allclose(places[1], places[0])


def test_a_table_is_converted_there_and_back(table: Path, tmp_path: Path) -> None:
    assert run("convert", table, "--to", "thunderstorm-1.3", "--out", tmp_path / "theirs.csv") == 0
    assert run("convert", tmp_path / "theirs.csv", "--to", "smlm", "--pixel-size", 100) == 0
    back, given = read_table(tmp_path / "theirs.smlm").localizations, read_table(table).localizations
    np.testing.assert_allclose(back["x_nm"], given["x_nm"], atol=0.01)
    np.testing.assert_array_equal(back["frame"], given["frame"])


def test_a_converted_table_replaces_nothing_that_nobody_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    write_results(folder, Results(star_localizations(80), np.ones((64, 64), np.uint32), 50, provenance()))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for to in ("picasso", "smlm"):
        assert run("convert", folder / TABLE_CSV, "--to", to) == 2
        assert "is there already; name another file with --out" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert run("convert", folder / TABLE_CSV, "--to", "smlm", "--out", folder / "localizations.smlm") == 0


def test_a_result_folder_is_converted_beside_itself_under_its_whole_name(tmp_path: Path) -> None:
    for name in ("day.1", "day.2"):
        results = Results(star_localizations(80), np.ones((64, 64), np.uint32), 50, provenance())
        write_results(tmp_path / name, results)
        assert run("convert", tmp_path / name, "--to", "smlm") == 0
    assert sorted(path.name for path in tmp_path.glob("*.smlm")) == ["day.1.smlm", "day.2.smlm"]


def test_what_the_report_knows_is_not_lost_and_nothing_is_made_up(table: Path, tmp_path: Path) -> None:
    given = provenance().model_copy(update={"camera": Camera(gain=0.5, offset=6, read_noise=1, calibrated=True)})
    write_results(tmp_path / "results", Results(star_localizations(80), np.ones((64, 64), np.uint32), 50, given))
    assert run("convert", tmp_path / "results" / TABLE_CSV, "--to", "picasso", "--out", tmp_path / "ours.hdf5") == 0
    known, notes = yaml.safe_load_all((tmp_path / "ours.yaml").read_text())
    assert (known["Baseline"], known["Sensitivity"], known["Width"], known["Frames"]) == (6, 0.5, 64, 50)
    assert notes["Acquisition"] == given.acquisition_id
    assert run("convert", table, "--to", "picasso", "--out", tmp_path / "theirs.hdf5") == 0
    known, _ = yaml.safe_load_all((tmp_path / "theirs.yaml").read_text())
    assert "Baseline" not in known
    assert "Sensitivity" not in known


def test_a_table_is_scored_against_the_truth(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = read_table(table).localizations
    truth = np.zeros(len(given), TRUTH)
    for name in ("frame", "x_nm", "y_nm", "photons"):
        truth[name] = given[name]
    truth["on"] = 1
    write_truth(tmp_path / "truth.csv", truth)
    assert run("score", table, tmp_path / "truth.csv", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["matched"], told["spurious"], told["missed"]) == (800, 0, 0)
    assert told["rmse_lateral_nm"] < 0.02


def test_two_tables_are_compared(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", table, "--to", "picasso", "--out", tmp_path / "half.hdf5", "--frames", "0:25") == 0
    capsys.readouterr()
    difference = tmp_path / "difference.png"
    assert run("compare", table, tmp_path / "half.hdf5", "--difference", difference, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["second"]["matched_share"] == 1
    assert told["first"]["localizations"] == 800
    assert told["offset_x_nm"] == 0
    assert not told["identical"]
    with Image.open(difference) as picture:
        assert picture.mode == "RGB"
        orange = np.asarray(picture)
    assert orange.reshape(-1, 3).max(axis=0)[0] == 255  # what the half lacks


def test_result_folders_are_compared_where_both_were_reconstructed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    table, made = star_localizations(800), provenance()
    write_results(whole, Results(table, np.ones((64, 64), np.uint32), 50, made))
    roi, frames = RegionOfInterest(x=24, y=26, width=32, height=32), FrameRange(start=5, stop=40)
    is_in = (table["x_nm"] >= 1550) & (table["x_nm"] < 4750) & (table["y_nm"] >= 950) & (table["y_nm"] < 4150)
    within = table[is_in & (table["frame"] >= 5) & (table["frame"] < 40)]
    within["x_nm"] -= 1600
    within["y_nm"] -= 1000
    asked = made.model_copy(update={"roi": roi, "settings": AcquisitionSettings(roi=roi, frames=frames)})
    write_results(part, Results(within, np.ones((32, 32), np.uint32), 40, asked))
    assert run("compare", whole, part / TABLE_CSV, "--json") == 0  # whose pixel size its folder's report tells
    told = json.loads(capsys.readouterr().out)
    assert told["jaccard"] == 1
    assert told["first"]["localizations"] == len(within) > 50
    assert (told["roi"], told["frames"]) == ("24,26,32,32", "5:40")
    assert run("compare", whole, part, "--difference", tmp_path / "difference.png") == 0
    assert "compared in region 24,26,32,32 and frames 5:40, which both have" in capsys.readouterr().out
    with Image.open(tmp_path / "difference.png") as picture:
        assert picture.size == (320, 320)


@pytest.mark.parametrize(("other", "is_told"), [("5e", False), ("77", True)])
def test_two_recordings_that_are_compared_are_told_apart_by_their_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str, is_told: bool
) -> None:
    for name, digest in (("first", "5e"), ("second", other)):
        made = provenance().model_copy(update={"acquisition_id": name, "source": {"sha256": digest}})
        write_results(tmp_path / name, Results(star_localizations(80), np.ones((64, 64), np.uint32), 50, made))
    assert run("compare", tmp_path / "first", tmp_path / "second") == 0
    assert ("these are two recordings" in capsys.readouterr().out) is is_told


def test_a_table_without_its_pixel_size_is_drawn_where_its_folder_tells_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, image = tmp_path / "results", tmp_path / "image.png"
    write_results(folder, Results(star_localizations(80), np.ones((64, 64), np.uint32), 50, provenance()))
    assert run("render", folder / TABLE_CSV, "--out", image) == 0
    alone = tmp_path / "alone.csv"
    alone.write_bytes((folder / TABLE_CSV).read_bytes())
    assert run("render", alone, "--out", image) == 2
    assert "give it with --pixel-size NM" in capsys.readouterr().err
    assert run("render", alone, "--out", image, "--pixel-size", 100) == 0


def test_other_programs_tables_are_drawn(shared: Path, tmp_path: Path) -> None:
    real = shared / "real"
    assert run("render", real / "table_picasso_egfr.hdf5", "--pixel-size", 130, "--out", tmp_path / "egfr.png") == 0
    leterrier = real / "table_leterrier_thunderstorm.csv"
    assert run("render", leterrier, "--pixel-size", 160, "--out", tmp_path / "leterrier.png") == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["render", "{t}", "--out", "image.bmp"], "let it end in .png, .ome.tif or .ozx", id="no format"),
        pytest.param(
            ["render", "{t}", "--out", "i.png", "--photons", "9:1"], "--photons: range '9:1' is empty", id="range"
        ),
        pytest.param(["render", "{t}", "--out", "i.png", "--pixel-nm", "0.1"], "choose larger pixels", id="too large"),
        pytest.param(["render", "{t}", "--out", "i.png", "--drift"], "drift cannot be taken out", id="no drift"),
        pytest.param(["convert", "{t}", "--to", "smlm", "--out", "t.csv"], "is a .smlm file", id="other suffix"),
        pytest.param(["convert", "{t}", "--to", "picasso"], "would replace the table itself", id="itself"),
        pytest.param(["score", "{t}", "none.csv"], "none.csv cannot be read", id="no truth"),
        pytest.param(["compare", "{t}", "none.hdf5"], "none.hdf5 cannot be read", id="no table"),
        pytest.param(["render", "{t}", "--out", "{t}/i.png"], "i.png cannot be written (Not a dir", id="png"),
        pytest.param(["render", "{t}", "--out", "{t}/i.ome.tif"], "tif cannot be written (Not a dir", id="tif"),
        pytest.param(["render", "{t}", "--out", "{t}/i.ozx"], "i.ozx cannot be written (Not a dir", id="ozx"),
        *(
            pytest.param(["convert", "{t}", "--to", to, "--out", f"{{t}}/i{suffix}"], "cannot be written", id=to)
            for to, suffix in SUFFIXES.items()
        ),
        pytest.param(["compare", "{t}", "{t}", "--difference", "d.jpg"], "let d.jpg end in .png", id="no PNG"),
        pytest.param(["compare", "{t}", "{t}", "--difference", "{t}/d.png"], "cannot be written", id="difference"),
        pytest.param(
            ["render", "pyproject.toml", "--out", "i.png"], "no table that cellSTORM reads", id="no table at all"
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    table: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(*(argument.format(t=table) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("cellstorm: ")
    assert error.count("\n") == 1
    assert told in error
