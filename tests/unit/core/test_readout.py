"""From each kind of output to localizations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import Chunk
from cellstorm.emitters import to_candidates
from cellstorm.generator import EMITTER_CHANNELS, GeneratorSpec, MiddleFrame
from cellstorm.localizations import Localizations
from cellstorm.pipeline import localize_counts
from cellstorm.readout import READOUTS, choose, read_out

_BASE: dict[str, Any] = {
    "name": "test",
    "version": "1.0",
    "sha256": "0" * 64,
    "output": "emitters",
    "context_frames": 3,
    "size_multiple": 8,
    "threshold": 0.5,
}


def _spec(**changes: Any) -> GeneratorSpec:  # noqa: ANN401  # fields of several types
    return GeneratorSpec.model_validate({**_BASE, **changes})


_COUNTS = _spec(output="counts", sha256=None, size_multiple=1)
_FRAMES = _spec(output="frames", precision_px=0.3, least_signal=400.0)
_MAP = _spec(output="map", precision_px=0.3, upsampling=2, threshold=0.3)


def _read(output: NDArray[np.float32], spec: GeneratorSpec) -> Localizations:
    return read_out(output, np.arange(len(output)), spec=spec, camera=DEFAULT_CAMERA, pixel_size_nm=100.0)


def _frame(*spots: tuple[int, int, float]) -> NDArray[np.float32]:
    """(1, 1, 32, 48) counts with spots (row, column, photons) on a background of 10 photons."""
    row, column = np.mgrid[:32, :48]
    photons = np.full((32, 48), 10.0)
    for at_row, at_column, light in spots:
        shape = np.exp(-((row - at_row) ** 2 + (column - at_column) ** 2) / (2 * 1.4**2))
        photons += light * shape / shape.sum()
    return (photons / DEFAULT_CAMERA.gain + DEFAULT_CAMERA.offset)[np.newaxis, np.newaxis].astype(np.float32)


def test_every_kind_of_output_has_its_readout() -> None:
    for spec in (_spec(), _COUNTS, _FRAMES, _MAP):
        output = np.zeros(spec.output_shape(2, 32, 48), np.float32)
        assert len(_read(output, spec)) == 0
    assert set(READOUTS) == {"emitters", "map", "frames", "counts"}


def test_of_emitters_all_candidates_are_read_and_some_chosen() -> None:
    output = np.random.default_rng(1).random((3, len(EMITTER_CHANNELS), 16, 16), np.float32)
    candidates = to_candidates(output, np.arange(3), camera=DEFAULT_CAMERA, pixel_size_nm=100.0)
    assert _read(output, _spec()).tobytes() == candidates.tobytes()
    chosen = choose(candidates, np.arange(3), spec=_spec(), frame_pixels=256, pixel_size_nm=100.0)
    assert 20 < len(chosen) < len(candidates)


def test_what_is_read_of_all_else_is_chosen() -> None:
    rows = _read(_frame((10, 12, 1000.0), (20, 33, 300.0)), _COUNTS)
    assert choose(rows, np.arange(1), spec=_COUNTS, frame_pixels=256, pixel_size_nm=100.0) is rows


def test_a_maps_pixels_are_counted_in_camera_pixels() -> None:
    output = np.zeros(_MAP.output_shape(1, 32, 48), np.float32)
    output[0, 0, 21, 31] = 1.0
    (row,) = _read(output, _MAP)
    assert (row["x_nm"], row["y_nm"]) == pytest.approx((1525, 1025))


def test_spots_of_a_clean_frame_are_fitted_and_get_the_declared_precision() -> None:
    rows = _read(_frame((10, 12, 1000.0), (20, 33, 200.0)), _FRAMES)
    assert [(row["x_nm"], row["y_nm"]) for row in rows] == [pytest.approx((1200, 1000), abs=1)]
    assert rows["photons"] == pytest.approx([1000], rel=0.05)
    assert rows["precision_nm"] == pytest.approx([30])


def test_spots_of_counts_are_fitted_and_get_the_fits_precision() -> None:
    rows = _read(_frame((10, 12, 1000.0), (20, 33, 300.0)), _COUNTS)
    assert rows["x_nm"].tolist() == pytest.approx([1200, 3300], abs=2)
    assert 5 < rows["precision_nm"][0] < rows["precision_nm"][1] < 25


def test_the_generator_without_a_network_shows_each_windows_middle_frame() -> None:
    windows = np.random.default_rng(2).random((4, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(MiddleFrame(_COUNTS).predict(windows)[:, 0], windows[:, 1])


class _Upsampler:
    """Shows the middle frame's pixels over 100 counts twice as large."""

    spec = _MAP

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        bright = np.where(windows[:, 1:2] > 100, windows[:, 1:2], 0.0)
        return np.asarray(bright.repeat(2, axis=2).repeat(2, axis=3), np.float32)


def test_in_the_pipeline_a_maps_padding_is_cut_off_at_its_own_scale() -> None:
    counts = np.full((2, 13, 10), 10, np.uint8)
    counts[:, -1, -1] = 250  # repeated over all of the added corner
    chunk = Chunk.of_counts(0, 0, [0.0, 0.1], counts)
    result = localize_counts(
        chunk.header,
        counts,
        _Upsampler(),
        settings=AcquisitionSettings(pixel_size_nm=100.0),
        camera=DEFAULT_CAMERA,
        on_batch=lambda: None,
    )
    assert result.localizations["frame"].tolist() == [0, 1]
    assert result.localizations["x_nm"].tolist() == pytest.approx([900, 900])
    assert result.localizations["y_nm"].tolist() == pytest.approx([1200, 1200])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"sha256": None}, "without a network", id="network without weights"),
        pytest.param({"output": "counts"}, "without a network", id="weights without a network"),
        pytest.param({"output": "map"}, "precision_px", id="map without precision"),
        pytest.param({"precision_px": 0.2}, "precision_px", id="emitters that tell their own precision"),
        pytest.param({"upsampling": 5}, "only a map", id="upsampled emitters"),
        pytest.param({"output": "heat"}, "output", id="unknown kind"),
    ],
)
def test_a_specification_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        _spec(**changes)
