from __future__ import annotations

import csv
from pathlib import Path

import locan
import numpy as np
import pytest

from cellstorm.localizations import LOCALIZATION, empty
from cellstorm.results import thunderstorm
from tests.fakes import star_localizations


def written(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_the_header_is_thunderstorms_word_for_word(tmp_path: Path) -> None:
    thunderstorm.write(tmp_path / "table.csv", empty(), 100)
    assert (tmp_path / "table.csv").read_bytes() == (
        b'"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]",'
        b'"offset [photon]","bkgstd [photon]","uncertainty_xy [nm]"\n'
    )


def test_ids_and_frames_count_from_1_and_positions_from_the_corner(tmp_path: Path) -> None:
    localizations = np.array(
        [(0, 0, 250.25, 800, 16, 12.5, 140, 0.9), (4, 100, -50, 1e6, 0, 3, 130, 0.8)], LOCALIZATION
    )
    thunderstorm.write(tmp_path / "table.csv", localizations, 160)
    _, first, second = written(tmp_path / "table.csv")
    assert first == ["1", "1", "80.000", "330.250", "140.000", "800.000", "16.000", "4.000", "12.500"]
    assert second == ["2", "5", "180.000", "30.000", "130.000", "1000000.000", "0.000", "0.000", "3.000"]


def test_locan_reads_back_every_column(tmp_path: Path) -> None:
    localizations = star_localizations(20_000)  # more than one batch of rows
    thunderstorm.write(tmp_path / "table.csv", localizations, 100)
    table = locan.load_thunderstorm_file(tmp_path / "table.csv").data
    assert len(table) == len(localizations)
    for theirs, ours in {
        "position_x": localizations["x_nm"] + 50.0,
        "position_y": localizations["y_nm"] + 50.0,
        "frame": localizations["frame"] + 1,
        "original_index": np.arange(1, 20_001),
        "intensity": localizations["photons"],
        "local_background": localizations["background_photons"],
        "local_background_sigma": np.sqrt(localizations["background_photons"]),
        "psf_sigma": localizations["psf_sigma_nm"],
        "uncertainty_x": localizations["precision_nm"],
    }.items():
        np.testing.assert_allclose(table[theirs], ours, atol=6e-4, err_msg=theirs)


def test_no_background_below_zero_becomes_nan(tmp_path: Path) -> None:
    localizations = np.zeros(1, LOCALIZATION)
    localizations["background_photons"] = -0.25
    thunderstorm.write(tmp_path / "table.csv", localizations, 100)
    assert written(tmp_path / "table.csv")[1][6:8] == ["-0.250", "0.000"]


@pytest.mark.parametrize("frame", [0, 2**32 - 1])
def test_frame_numbers_do_not_wrap(tmp_path: Path, frame: int) -> None:
    localizations = np.zeros(1, LOCALIZATION)
    localizations["frame"] = frame
    thunderstorm.write(tmp_path / "table.csv", localizations, 100)
    assert written(tmp_path / "table.csv")[1][1] == str(frame + 1)


def test_what_picasso_writes_in_this_format_counts_from_the_first_pixels_centre(tmp_path: Path) -> None:
    table = tmp_path / "picassos.csv"
    table.write_text("id,frame,x [nm],y [nm],intensity [photon]\n0,0,1000,2000,500\n1,3,1500,2500,600\n")
    read = thunderstorm.read(table, 100.0)
    assert read.program == "Picasso"
    assert read.localizations["x_nm"].tolist() == [1000, 1500]
    assert read.localizations["frame"].tolist() == [0, 3]
    table.write_text(table.read_text().replace("0,0,", "0,1,"))
    assert thunderstorm.read(table, 100.0).localizations["x_nm"].tolist() == [950, 1450]


def test_what_is_not_known_is_spelled_as_java_reads_it(tmp_path: Path) -> None:
    localizations = np.array([(0, 0, 250.25, np.inf, np.nan, 12.5, np.nan, 0.9)], LOCALIZATION)
    thunderstorm.write(tmp_path / "table.csv", localizations, 160)
    _, row = written(tmp_path / "table.csv")
    assert row[4:] == ["NaN", "Infinity", "NaN", "NaN", "12.500"]
