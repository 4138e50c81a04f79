"""Tables of other programs, and our own, through the one door."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import InvalidInput
from cellstorm.localizations import LOCALIZATION
from cellstorm.results import picasso, smlm, thunderstorm
from cellstorm.results.picasso import TableInfo
from cellstorm.results.tables import read_table
from tests.fakes import star_localizations

INFO = TableInfo(width_px=512, height_px=512, frame_count=50, pixel_size_nm=107.3)

RAPIDSTORM = (
    '# <localizations insequence="true" repetitions="variable">'
    '<field identifier="Position-0-0" semantic="position in sample space in X" unit="nanometer" min="0 m" max="3e-005 m" />'
    '<field identifier="Position-0-0-uncertainty" unit="nanometer" />'
    '<field identifier="Position-1-0" unit="nanometer" /><field identifier="Position-1-0-uncertainty" unit="nanometer" />'
    '<field identifier="ImageNumber-0-0" syntax="integer" unit="frame" min="0 fr" />'
    '<field identifier="Amplitude-0-0" semantic="emission strength" unit="A/D count" />'
    '<field identifier="PSFWidth-0-0" semantic="PSF FWHM in X" unit="nanometer" /></localizations>\n'
)
THUNDERSTORM = '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","uncertainty_xy [nm]"\n'


def file(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("program", ["ThunderSTORM", "Picasso", ".smlm"])
def test_what_we_write_comes_back_to_a_hundredth_of_a_nanometer(tmp_path: Path, program: str) -> None:
    localizations, path = star_localizations(20_000, side_px=512), tmp_path / "table"
    if program == "ThunderSTORM":
        thunderstorm.write(path, localizations, 107.3)
    elif program == "Picasso":
        path = path.with_suffix(".hdf5")
        picasso.write(path, localizations, INFO, DEFAULT_CAMERA, {})
    else:
        smlm.write(path, localizations, INFO)
    back = read_table(path, None if program != "ThunderSTORM" else 107.3)
    assert (back.program, back.pixel_size_nm) == (program, 107.3)
    np.testing.assert_array_equal(back.localizations["frame"], localizations["frame"])
    for name in LOCALIZATION.names or ():
        if name == "probability" and program == "ThunderSTORM":
            assert np.isnan(back.localizations[name]).all()
        else:
            np.testing.assert_allclose(back.localizations[name], localizations[name], rtol=0, atol=0.01, err_msg=name)


def test_thunderstorms_3d_table_is_read_as_its_text_says(shared: Path) -> None:
    path = shared / "real" / "table_leterrier_thunderstorm.csv"
    with path.open(newline="") as text:
        theirs = list(csv.DictReader(text))
    table = read_table(path, 160).localizations
    assert len(table) == len(theirs) > 1000
    for row in (0, 1, len(table) - 1):
        assert table["frame"][row] == int(theirs[row]["frame"]) - 1
        assert table["x_nm"][row] == pytest.approx(float(theirs[row]["x [nm]"]) - 80, abs=0.01)
        assert table["y_nm"][row] == pytest.approx(float(theirs[row]["y [nm]"]) - 80, abs=0.01)
        assert table["photons"][row] == pytest.approx(float(theirs[row]["intensity [photon]"]))
        assert table["precision_nm"][row] == pytest.approx(float(theirs[row]["uncertainty_xy [nm]"]))
    assert table["psf_sigma_nm"][0] == pytest.approx((141.5 * 153.3) ** 0.5)


def test_the_odd_quoting_of_locans_table_is_understood(shared: Path) -> None:
    table = read_table(shared / "real" / "table_locan_thunderstorm.csv", 133).localizations
    assert table["frame"][0] == 2000
    assert table["x_nm"][0] == pytest.approx(1320.10967 - 66.5, abs=0.001)
    assert table["y_nm"][0] == pytest.approx(26344.71246 - 66.5, abs=0.003)
    assert table["background_photons"][0] == pytest.approx(31.3024, abs=1e-4)
    assert table["precision_nm"][0] == pytest.approx(22.93255, abs=1e-4)  # the header of release 1.3


def test_picassos_linked_table_without_its_yaml_wants_a_pixel_size(shared: Path) -> None:
    path = shared / "real" / "table_picasso_egfr.hdf5"
    with pytest.raises(InvalidInput, match=r"does not tell the camera's pixel size.*give it with --pixel-size"):
        read_table(path)
    table = read_table(path, 130).localizations
    with h5py.File(path) as theirs:
        locs = theirs["locs"][:]
    np.testing.assert_allclose(table["x_nm"], locs["x"] * 130.0, atol=0.01)
    np.testing.assert_allclose(table["y_nm"], locs["y"] * 130.0, atol=0.01)
    assert table["frame"][0] == 8909
    assert table["psf_sigma_nm"][0] == pytest.approx(130 * (0.9668301 + 0.98627925) / 2)
    assert np.isnan(table["probability"]).all()


def test_picassos_yaml_is_believed_wherever_it_names_the_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "table.hdf5"
    with h5py.File(path, "w") as locs:
        locs["locs"] = np.array([(3, 1.5, 2.5)], [("frame", "<u4"), ("x", "<f4"), ("y", "<f4")])
    path.with_suffix(".yaml").write_text("Width: 64\n---\nGenerated by: Picasso Filter\nPixelsize: 130\n")
    back = read_table(path)
    assert back.pixel_size_nm == 130
    assert back.localizations[["frame", "x_nm", "y_nm"]].tolist() == [(3, 195.0, 325.0)]


def test_rapidstorm_counts_frames_and_positions_as_we_do(tmp_path: Path) -> None:
    back = read_table(
        file(tmp_path, RAPIDSTORM + "100 8 200.5 12 0 3000 235.482\n1e3 9 0 11 7 2000 235.482\n", "t.txt")
    )
    table = back.localizations
    assert (back.program, back.pixel_size_nm) == ("rapidSTORM", None)
    assert table[["frame", "x_nm", "y_nm"]].tolist() == [(0, 100.0, 200.5), (7, 1000.0, 0.0)]
    assert table["precision_nm"].tolist() == [10, 10]
    np.testing.assert_allclose(table["psf_sigma_nm"], 100, rtol=1e-5)
    assert np.isnan(table["photons"]).all()  # counts, not photons


def test_rapidstorms_tracks_are_refused(tmp_path: Path) -> None:
    header = RAPIDSTORM.replace(
        "</localizations>", '<localizations><field identifier="x" /></localizations></localizations>'
    )
    with pytest.raises(InvalidInput, match="holds tracks; export the localizations themselves"):
        read_table(file(tmp_path, header + "1 2 3 4 5 6 7\n"))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(THUNDERSTORM, id="quoted"),
        pytest.param(THUNDERSTORM.replace('"', ""), id="plain"),
        pytest.param(THUNDERSTORM.replace("uncertainty_xy", "uncertainty"), id="release 1.3"),
        pytest.param("\ufeff" + THUNDERSTORM, id="byte order mark"),
        pytest.param(THUNDERSTORM.replace("\n", "\r\n"), id="Windows"),
        pytest.param(THUNDERSTORM.replace(",", ", "), id="blanks"),
    ],
)
def test_thunderstorms_header_is_known_in_every_dress(tmp_path: Path, header: str) -> None:
    table = read_table(
        file(tmp_path, header + "1,1,150.0,250.0,130,800,12\n2,3.0,50,50,130,900,14\n"), 100
    ).localizations
    assert table[["frame", "x_nm", "y_nm", "photons", "precision_nm"]].tolist() == [
        (0, 100.0, 200.0, 800.0, 12.0),
        (2, 0.0, 0.0, 900.0, 14.0),
    ]


def test_thunderstorms_pixels_and_camera_counts_are_not_taken_for_nanometers_and_photons(tmp_path: Path) -> None:
    header = THUNDERSTORM.replace("x [nm]", "x [px]").replace("y [nm]", "y [µm]").replace("[photon]", "[AD]")
    table = read_table(file(tmp_path, header + "1,1,1.5,0.25,130,800,12\n"), 160).localizations
    assert (table["x_nm"][0], table["y_nm"][0]) == (160, 170)
    assert np.isnan(table["photons"][0])


def test_a_table_with_a_header_alone_is_empty(tmp_path: Path) -> None:
    assert len(read_table(file(tmp_path, THUNDERSTORM), 100).localizations) == 0
    assert len(read_table(file(tmp_path, RAPIDSTORM, "t.txt")).localizations) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no table that cellSTORM reads; give a ThunderSTORM CSV", id="empty"),
        pytest.param("frame,x,y,z\n1,2,3,4\n", "no table that cellSTORM reads", id="no units"),
        pytest.param(THUNDERSTORM + "1,1,150.0,oops,130,800,12\n", "row 0.*export the table anew", id="a word"),
        pytest.param(THUNDERSTORM + "1,1,150.0\n", "export the table anew", id="a short row"),
        pytest.param(THUNDERSTORM + "1,1,150.0,nan,130,800,12\n", "localization 1 has no y_nm; remove", id="NaN"),
        pytest.param(THUNDERSTORM + "1,-5,150.0,1,130,800,12\n", "correct its frame column", id="a frame below zero"),
        pytest.param(
            THUNDERSTORM.replace("x [nm]", "x [ell]") + "1,1,1,1,1,1,1\n", "export lengths in nm", id="odd unit"
        ),
        pytest.param(RAPIDSTORM.replace("ImageNumber", "Time") + "1 2 3 4 5 6 7\n", "lacks the field", id="no frames"),
        pytest.param(RAPIDSTORM.replace("nanometer", "furlong") + "1 2 3 4 5 6 7\n", "in nanometers", id="furlongs"),
        pytest.param(RAPIDSTORM + "1 2 3\n", "export the table anew", id="a short row of rapidSTORM"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^table\.csv.*{message}"):
        read_table(file(tmp_path, text), 100)


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read \(No such file or directory\); check its name"):
        read_table(tmp_path / "absent.csv")


@pytest.mark.parametrize("pixel_size_nm", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_pixel_size_is_refused(tmp_path: Path, pixel_size_nm: float) -> None:
    with pytest.raises(InvalidInput, match="impossible; give a positive --pixel-size"):
        read_table(file(tmp_path, THUNDERSTORM), pixel_size_nm)


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    smlm.write(tmp_path / "table.smlm", star_localizations(10), INFO)
    shutil.move(tmp_path / "table.smlm", tmp_path / "table.csv")
    assert read_table(tmp_path / "table.csv").program == ".smlm"


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n and no more", b"PK\x03\x04 and no more"])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"^table is damaged or no .* anew$"):
        read_table(tmp_path / "table", 100)
