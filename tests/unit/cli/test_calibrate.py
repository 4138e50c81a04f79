"""`cellstorm calibrate`: from two recordings to what --camera takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm.camera import Camera
from cellstorm_cli.main import BAD_INPUT, main

_CAMERA = Camera(gain=0.8, offset=20.0, read_noise=2.0)


def _write(path: Path, brightest: float, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    scene = np.outer(np.linspace(0.1, 1, 48), np.linspace(0.2, 1, 48)) * brightest
    signal = rng.poisson(np.broadcast_to(scene, (60, 48, 48))) + rng.normal(0, _CAMERA.read_noise, (60, 48, 48))
    counts = np.clip(np.rint(signal / _CAMERA.gain + _CAMERA.offset), 0, 255).astype(np.uint8)
    tifffile.imwrite(path, counts, photometric="minisblack")
    return path


def test_what_it_prints_is_what_the_camera_option_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bright, dark = _write(tmp_path / "bright.tif", 100.0, 0), _write(tmp_path / "dark.tif", 0.0, 1)
    assert main(["calibrate", str(bright), "--dark", str(dark), "--out", str(tmp_path / "camera")]) == 0
    option = capsys.readouterr().out.strip().rpartition("--camera ")[2]
    found = Camera.parse(option)
    assert found.gain == pytest.approx(_CAMERA.gain, rel=0.05)
    assert found.offset == pytest.approx(_CAMERA.offset, abs=0.2)
    assert found.read_noise == pytest.approx(_CAMERA.read_noise, rel=0.08)
    assert found.calibrated
    told = json.loads((tmp_path / "camera" / "calibration.json").read_text())
    assert told["gain"] == pytest.approx(found.gain, rel=1e-3)
    assert (tmp_path / "camera" / "photon_transfer.svg").read_text().startswith("<svg xmlns=")


@pytest.mark.parametrize(("brightest", "said"), [(3.0, "too dark or too even"), (0.0, "no darker than the bright one")])
def test_a_recording_that_cannot_tell_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], brightest: float, said: str
) -> None:
    bright, dark = _write(tmp_path / "bright.tif", brightest, 1), _write(tmp_path / "dark.tif", 0.0, 1)
    assert main(["calibrate", str(bright), "--dark", str(dark)]) == BAD_INPUT
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
