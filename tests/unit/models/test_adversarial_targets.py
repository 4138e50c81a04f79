"""What the generators shall draw, and whether it reads back as the truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

from torch import Tensor  # noqa: E402  # after the check for what it needs

from cellstorm.camera import Camera  # noqa: E402
from cellstorm.readout import read_out  # noqa: E402
from cellstorm.scoring import Score, score  # noqa: E402
from cellstorm_models.adversarial.config import Kind  # noqa: E402
from cellstorm_models.adversarial.reading import Reading, describe, truth_of  # noqa: E402
from cellstorm_models.adversarial.targets import Scene, draw_spots, place_on_grid, target  # noqa: E402
from cellstorm_models.adversarial.unet import Frame, FrameNet  # noqa: E402
from cellstorm_models.clips import WindowBatch  # noqa: E402

_CPU = torch.device("cpu")
_COUNTS = Camera(gain=1.0, offset=0.0, read_noise=0.0)


def _emitters(*rows: tuple[float, float, float, float]) -> Tensor:
    """(n, 6) of window, x, y, signal; to care for, 1.4 pixels wide."""
    emitters: Tensor = torch.tensor([(*row, 1.0, 1.4) for row in rows], dtype=torch.float32)
    return emitters


@pytest.mark.parametrize(
    ("x", "y", "column", "row"),
    [
        pytest.param(0.0, 0.0, 2, 2, id="the centre of camera pixel 0, 0 is the middle of five"),
        pytest.param(3.0, 1.0, 17, 7, id="column and row are not exchanged"),
        pytest.param(-0.4, 0.4, 0, 4, id="first and last fifth of a pixel"),
    ],
)
def test_an_emitter_at_a_grid_pixels_centre_lights_it_alone(x: float, y: float, column: int, row: int) -> None:
    grid = place_on_grid(_emitters((1, x, y, 300.0)), 2, 16, 32, 5)
    assert grid.shape == (2, 1, 80, 160)
    assert grid[1, 0, row, column].item() == pytest.approx(300, rel=1e-4)
    assert grid.sum().item() == pytest.approx(300, rel=1e-5)


def test_an_emitter_between_grid_pixels_is_half_of_one_off_at_most() -> None:
    rng = np.random.default_rng(2)
    for x, y in rng.uniform(-0.5, 15.5, (50, 2)):
        grid = place_on_grid(_emitters((0, x, y, 100.0)), 1, 16, 16, 5)[0, 0]
        row, column = (int(axis) for axis in torch.nonzero(grid)[0])
        assert abs((column + 0.5) / 5 - 0.5 - x) <= 0.1 + 1e-5
        assert abs((row + 0.5) / 5 - 0.5 - y) <= 0.1 + 1e-5


def test_light_at_the_border_stays_in_the_frame_and_emitters_add_up() -> None:
    grid = place_on_grid(_emitters((0, -0.5, 15.5, 10.0), (0, 15.45, 3.0, 20.0), (0, 15.45, 3.0, 5.0)), 1, 16, 16, 5)
    assert grid.sum().item() == pytest.approx(35, rel=1e-5)
    assert grid[0, 0, 79, 0].item() == 10
    assert grid[0, 0, 17, 79].item() == 25


def test_a_spot_has_its_light_its_place_and_its_width() -> None:
    frame = draw_spots(_emitters((1, 14.3, 17.6, 500.0)), 2, 32, 32)
    assert frame[0].sum() == 0
    light = frame[1, 0].double()
    steps = torch.arange(32.0, dtype=torch.float64)
    assert light.sum().item() == pytest.approx(500, rel=1e-3)
    x = (light.sum(dim=0) @ steps).item() / light.sum().item()
    assert x == pytest.approx(14.3, abs=1e-3)
    assert (light.sum(dim=1) @ steps).item() / light.sum().item() == pytest.approx(17.6, abs=1e-3)
    variance = (light.sum(dim=0) @ (steps - x) ** 2).item() / light.sum().item()
    assert variance == pytest.approx(1.4**2 + 1 / 12, rel=0.01)  # a pixel's own width adds to the spot's


@pytest.mark.parametrize("kind", ["pix2pix", "enhance"])
def test_windows_without_emitters_are_no_error(kind: Kind) -> None:
    batch = WindowBatch(np.full((2, 3, 16, 16), 9.0, np.float32), np.full((2, 16, 16), 9.0, np.float32), _none())
    net = FrameNet(kind, 2)
    scene = Scene.of(batch, _CPU)
    assert target(net, scene, Frame.of(scene.counts)).abs().max() < 1e-5


def _none() -> NDArray[np.float32]:
    return np.zeros((0, 6), np.float32)


def _sparse_windows(rng: np.random.Generator) -> WindowBatch:
    """Emitters of 200 to 500 counts on a lattice of nine pixels, each anywhere within two pixels of its point."""
    windows, side = 8, 64
    window, row, column = (axis.ravel() for axis in np.meshgrid(np.arange(windows), *2 * [np.arange(6, 60, 9)]))
    x, y = (points + rng.uniform(-2, 2, points.shape) for points in (column, row))
    signal = rng.uniform(200, 500, window.shape)
    emitters = np.stack([window, x, y, signal, np.ones_like(x), np.full_like(x, 1.4)], axis=1).astype(np.float32)
    light = draw_spots(torch.from_numpy(emitters), windows, side, side).numpy()
    counts = rng.poisson(np.repeat(light + 20.0, 3, axis=1)).astype(np.float32)
    return WindowBatch(counts, np.full((windows, side, side), 20.0, np.float32), emitters)


def _score_of_the_target(kind: Kind) -> Score:
    """What serving would read from a network that draws just what it shall."""
    batch = _sparse_windows(np.random.default_rng(4))
    net = FrameNet(kind, 2)
    scene = Scene.of(batch, _CPU)
    frame = Frame.of(scene.counts)
    drawn = target(net, scene, frame) * frame.scale
    output = drawn if kind == "pix2pix" else frame.background + drawn
    spec = describe(net, Reading(precision_px=0.1), name=kind, version="0", sha256="0" * 64)
    frames = np.arange(len(batch.windows))
    table = read_out(output.numpy(), frames, spec=spec, camera=_COUNTS, pixel_size_nm=100.0)
    return score(table, truth_of(batch, 0))


def test_a_localization_map_reads_back_as_the_truth() -> None:
    reached = _score_of_the_target("pix2pix")
    assert reached.jaccard > 0.9
    assert reached.rmse_lateral_nm == pytest.approx(20 / np.sqrt(6), rel=0.1)  # of rounding to 20 nm, in x and in y
    assert reached.photon_ratio_median == pytest.approx(1, rel=1e-3)


def test_a_clean_frame_reads_back_as_the_truth() -> None:
    reached = _score_of_the_target("enhance")
    assert reached.jaccard > 0.9
    assert reached.rmse_lateral_nm == pytest.approx(0, abs=5)
    assert reached.photon_ratio_median == pytest.approx(1, rel=0.02)
