"""A camera is known again from what it records."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm.analysis.photon_transfer import measure_camera
from cellstorm.camera import PRESETS, Camera
from cellstorm.errors import InvalidInput

_P9 = PRESETS["p9-iso3200"]
"""In the dark a tenth of its counts would be below 0, as video has it."""


def _record(
    camera: Camera, electrons: NDArray[np.float64], frames: int = 80, seed: int = 0, flicker: float = 0.0
) -> Iterator[NDArray[np.uint8]]:
    """Runs of ten frames of a scene (height, width) in mean electrons."""
    rng = np.random.default_rng(seed)
    for _ in range(frames // 10):
        light = electrons * (1 + flicker * rng.normal(size=(10, 1, 1)))
        signal = rng.poisson(light) + rng.normal(0, camera.read_noise, light.shape)
        yield np.clip(np.rint(signal / camera.gain + camera.offset), 0, 255).astype(np.uint8)


def _scene(brightest: float = 120.0) -> NDArray[np.float64]:
    return np.outer(np.linspace(0.05, 1, 64), np.linspace(0.2, 1, 64)) * brightest


_DARKNESS = np.zeros((64, 64))


@pytest.mark.parametrize(
    "camera", [_P9, Camera(gain=0.34, offset=12.0, read_noise=1.23), Camera(gain=1.4, offset=7.0, read_noise=3.0)]
)
def test_gain_offset_and_read_noise_are_found(camera: Camera) -> None:
    found = measure_camera(_record(camera, _scene(70.0)), _record(camera, _DARKNESS, seed=1))
    assert found.camera.gain == pytest.approx(camera.gain, rel=0.03)
    assert found.camera.offset == pytest.approx(camera.offset, abs=0.2)
    assert found.camera.read_noise == pytest.approx(camera.read_noise, rel=0.05)
    assert found.camera.calibrated
    assert abs(found.camera.gain - camera.gain) < 4 * found.gain_error + 0.01 * camera.gain


@pytest.mark.parametrize("offset", [_P9.offset, 16.0, 100.0])
@pytest.mark.parametrize("flicker", [0.05, 0.15])
def test_a_lamp_that_flickers_is_not_noise(offset: float, flicker: float) -> None:
    camera = _P9.model_copy(update={"offset": offset})
    found = measure_camera(_record(camera, _scene(70.0), flicker=flicker), _record(camera, _DARKNESS, seed=1))
    assert found.camera.gain == pytest.approx(camera.gain, rel=0.05)


def test_recordings_that_were_swapped_are_told() -> None:
    for bright, dark in ((_DARKNESS, _scene(70.0)), (_scene(70.0), _scene(70.0))):
        with pytest.raises(InvalidInput, match="the wrong way round"):
            measure_camera(_record(_P9, bright), _record(_P9, dark))


def test_where_a_tone_curve_bends_the_line_ends() -> None:
    straight = measure_camera(_record(_P9, _scene()), _record(_P9, _DARKNESS, seed=1))
    assert straight.linear_until == pytest.approx(straight.mean[-1])

    def bent() -> Iterator[NDArray[np.uint8]]:
        for run in _record(_P9, _scene()):
            counts = run.astype(np.float64)
            yield np.rint(np.where(counts > 100, 100 + (counts - 100) * 0.5, counts)).astype(np.uint8)

    found = measure_camera(bent(), _record(_P9, _DARKNESS, seed=1))
    assert found.camera.gain == pytest.approx(_P9.gain, rel=0.05)
    assert found.linear_until < 115


def test_a_codec_that_took_the_noise_away_is_noticed() -> None:
    frozen = [run[:1].repeat(10, axis=0) for run in _record(_P9, _scene())]
    with pytest.raises(InvalidInput, match="codec has taken the noise away"):
        measure_camera(frozen, _record(_P9, _DARKNESS, seed=1))


@pytest.mark.parametrize(
    ("bright", "dark", "says"),
    [
        pytest.param(_scene(), None, "10 frames", id="too short"),
        pytest.param(np.full((64, 64), 12.0), _DARKNESS, "too dark or too even", id="too even"),
        pytest.param(np.full((64, 64), 900.0), _DARKNESS, "clipped", id="too bright"),
    ],
)
def test_recordings_that_do_not_tell_are_refused(
    bright: NDArray[np.float64], dark: NDArray[np.float64] | None, says: str
) -> None:
    darkness = _record(_P9, _DARKNESS, frames=10) if dark is None else _record(_P9, dark, seed=1)
    with pytest.raises(InvalidInput, match=says):
        measure_camera(_record(_P9, bright), darkness)


def test_blacks_that_are_clipped_by_half_are_refused() -> None:
    clipping = Camera(gain=0.69, offset=0.4, read_noise=2.5)
    with pytest.raises(InvalidInput, match="clips its blacks"):
        measure_camera(_record(clipping, _scene()), _record(clipping, _DARKNESS, seed=1))


def test_a_dark_recording_that_a_codec_has_smoothed_is_told_of() -> None:
    noisy = measure_camera(_record(_P9, _scene()), _record(_P9, _DARKNESS, seed=1))
    assert noisy.dark_frozen < 0.05
    smoothed = [run[:1].repeat(10, axis=0) for run in _record(_P9, _DARKNESS, seed=1)]
    assert measure_camera(_record(_P9, _scene()), smoothed).dark_frozen > 0.8


def test_blacks_of_limited_range_are_clipped_at_16() -> None:
    camera = Camera(gain=0.5, offset=18.0, read_noise=1.0)

    def limited(light: NDArray[np.float64], seed: int) -> Iterator[NDArray[np.uint8]]:
        return (np.clip(run, 16, 235) for run in _record(camera, light, seed=seed))

    found = measure_camera(limited(_scene(60.0), 0), limited(_DARKNESS, 1)).camera
    assert found.offset == pytest.approx(camera.offset, abs=0.2)
    assert found.read_noise == pytest.approx(camera.read_noise, rel=0.1)
    assert found.gain == pytest.approx(camera.gain, rel=0.05)
