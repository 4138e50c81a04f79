from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cellstorm.acquisitions import FrameRange
from cellstorm.errors import InvalidSetting, NotAllowed
from cellstorm.roi import RegionOfInterest
from cellstorm_cli.options import acquisition_settings, find_token, name_of

NOT_GIVEN: dict[str, Any] = {"name": None, "model": None, "roi": None, "frames": None, "camera": None}


def test_what_is_not_given_has_its_default() -> None:
    settings = acquisition_settings(pixel_size_nm=100.0, **NOT_GIVEN)
    assert (settings.model, settings.roi, settings.frames, settings.camera) == ("default", None, None, None)


def test_texts_become_what_they_mean() -> None:
    given = {"roi": "1,2,30,40", "frames": "5:", "camera": "gain=0.5,offset=3,read_noise=1", "name": "actin"}
    settings = acquisition_settings(pixel_size_nm=65.0, **{**NOT_GIVEN, **given})
    assert settings.roi == RegionOfInterest(x=1, y=2, width=30, height=40)
    assert settings.frames == FrameRange(start=5)
    assert settings.camera is not None
    assert (settings.camera.gain, settings.camera.calibrated) == (0.5, True)
    assert (settings.name, settings.pixel_size_nm) == ("actin", 65.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"roi": "1,2,3"}, "--roi: region of interest '1,2,3' must be X,Y,W,H in pixels"),
        ({"frames": "9:3"}, "--frames: frames '9:3' holds no frame"),
        ({"camera": "toy"}, "--camera: camera 'toy' is neither one of phone"),
        ({"model": "../x"}, "--model: "),
        ({"name": ""}, "--name: "),
        ({"threshold": 0.01}, "--threshold: "),
        ({"threshold": 0.9999}, "--threshold: "),
    ],
)
def test_a_wrong_option_is_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        acquisition_settings(pixel_size_nm=100.0, **{**NOT_GIVEN, **given})
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param(Path("day 1/actin.ome.tif"), "actin.ome", id="usual"),
        pytest.param(Path("zelle_\udce4.tif"), "zelle_\ufffd", id="Latin-1"),
        pytest.param(Path("x" * 250), "x" * 200, id="long"),
        pytest.param(Path(), None, id="none"),
    ],
)
def test_a_recording_that_nobody_names_is_called_as_its_file_in_readable_text(file: Path, name: str | None) -> None:
    assert name_of(file) == name


def test_a_pixel_size_of_nothing_is_refused_under_the_options_name() -> None:
    with pytest.raises(InvalidSetting, match="--pixel-size: "):
        acquisition_settings(pixel_size_nm=0.0, **NOT_GIVEN)


def test_the_token_is_the_one_given_else_the_one_kept_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLSTORM_DATA", str(tmp_path))
    assert find_token("given") == "given"
    with pytest.raises(NotAllowed, match="--token"):
        find_token(None)
    (tmp_path / "admin-token").write_text("kept\n")
    assert find_token(None) == "kept"
