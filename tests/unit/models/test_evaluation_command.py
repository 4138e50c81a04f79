"""`cellstorm evaluate`, end to end on small simulated videos, and the files that it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="evaluation needs onnx: pip install '.[train]'")
pytest.importorskip("matplotlib", reason="evaluation needs matplotlib: pip install '.[train]'")

import onnx  # after the checks for what it needs
from onnx import TensorProto, helper

from cellstorm import zoo
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import InvalidInput, ModelUnavailable
from cellstorm.scoring import write_truth
from cellstorm_cli.main import main
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.evaluation.operations import operations_per_frame
from cellstorm_models.evaluation.page import BEGIN, END, check_page
from cellstorm_models.simulation import Recording, SimulationConfig, simulate
from tests.fakes import GENERATOR_SPEC

FIGURES = {"figure4.png", "figure7.png", "rmse_over_photons.png", "calibration.png"}
PEERS = """\
program,video,jaccard_200,precision_200,recall_200,rmse_200_nm,localizations,near_200,mean_distance_nm,events
ThunderSTORM std(F1),p1000_crf18,0.5,1.0,0.5,30.0,70,70,25.0,100
"""


def simulated(photons: float) -> Recording:
    config = SimulationConfig(frames=12, width=64, height=64, photons=photons, emitters_per_frame=5.0)
    return simulate(config, np.random.default_rng(3))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two brightnesses at two qualities, and what another program reached."""
    folder = tmp_path_factory.mktemp("bench")
    for photons in (500, 1000):
        recording = simulated(photons)
        write_truth(folder / f"p{photons}.csv", recording.truth)
        for crf in (18, 30):
            write_mp4(folder / f"p{photons}_crf{crf}.mp4", recording.counts.astype(np.uint8), Compression(crf=crf))
    (folder / "peers.csv").write_text(PEERS)
    return folder


def evaluate(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments)])


@pytest.fixture(scope="module")
def measured(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the default generator's results on the bench, with a page."""
    out = tmp_path_factory.mktemp("measured")
    (out / "README.md").write_text(f"# Ours\n\n{BEGIN}\nold figures\n{END}\nand the end\n")
    optics = ("--psf-sigma", 140, "--background", 10)
    assert (
        evaluate("--bench", bench, "--peers", bench / "peers.csv", *optics, "--out", out, "--readme", out / "README.md")
        == 0
    )
    return out


def test_each_model_and_video_has_a_row(measured: Path) -> None:
    with (measured / "evaluation.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["video"] for row in rows] == ["p1000_crf18", "p500_crf18", "p1000_crf30", "p500_crf30"]
    best = rows[0]
    assert float(best["jaccard"]) > 0.5
    assert 8 < float(best["limit_rms_nm"]) < 25
    assert 8 < float(best["rmse_lateral_nm"]) < 60
    assert (best["thunderstorm_jaccard"], rows[1]["thunderstorm_jaccard"]) == ("0.5", "")
    assert int(best["frames"]) == 12


def test_the_json_says_what_was_measured_with_what(measured: Path) -> None:
    told = json.loads((measured / "evaluation.json").read_text())
    default = told["models"]["default"]
    assert default["sha256"] == zoo.entry("default").spec.sha256
    assert default["operations_per_frame"] > 1e8
    assert default["speed"]["frames_per_s"] > 0
    assert told["settings"]["camera"] == DEFAULT_CAMERA.model_dump()
    video = default["videos"]["p1000_crf18"]
    assert video["to_beat"]["jaccard"] == 0.5
    assert sum(group["emitters"] for group in video["by_density"].values()) == video["overall"]["emitters"]
    assert set(default["by_compression"]) == {"crf18", "crf30"}
    both = default["by_nominal_photons"]["500"]["emitters"]
    assert both == 2 * default["videos"]["p500_crf18"]["overall"]["emitters"]


def test_figures_are_drawn_and_small(measured: Path) -> None:
    drawn = {path.name for path in measured.glob("*.png")}
    assert drawn == FIGURES
    for name in FIGURES:
        assert (measured / name).stat().st_size < 150_000
        with Image.open(measured / name) as image:
            assert np.asarray(image.convert("L")).std() > 10


def test_the_page_is_written_anew_between_its_markers(measured: Path) -> None:
    page = (measured / "README.md").read_text()
    assert page.startswith(f"# Ours\n\n{BEGIN}\nMeasured on ")
    assert page.endswith(f"{END}\nand the end\n")
    assert "old figures" not in page
    command = next(line for line in page.splitlines() if line.startswith("cellstorm evaluate "))
    assert "--psf-sigma 140 --background 10" in command
    assert "--json" not in command
    row = next(line for line in page.splitlines() if line.startswith("| p1000_crf18 |"))
    assert row.endswith("| 0.500, 30.0 | 0.500, 30.0 |")
    assert row.startswith("| p1000_crf18 | **")  # better than the row to beat
    assert next(line for line in page.splitlines() if line.startswith("| p500_crf18 |")).endswith(" | - | - |")


def test_a_page_without_markers_is_left_alone(bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    assert evaluate("--bench", bench, "--out", tmp_path / "out", "--readme", tmp_path / "README.md") == 2
    assert "has no place for tables" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(InvalidInput, match=r"none\.md cannot be read"):
        check_page(tmp_path / "none.md")


def test_a_single_video_without_molecules_is_measured_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = simulate(
        SimulationConfig(frames=10, width=64, height=64, emitters_per_frame=0.0), np.random.default_rng(1)
    )
    write_mp4(tmp_path / "empty.mp4", recording.counts.astype(np.uint8), Compression())
    write_truth(tmp_path / "empty.csv", recording.truth)
    pair = ("--video", tmp_path / "empty.mp4", "--truth", tmp_path / "empty.csv", "--pixel-size", 100)
    assert evaluate(*pair, "--psf-sigma", 140, "--background", 10, "--out", tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    overall = told["models"]["default"]["videos"]["empty"]["overall"]
    assert overall["emitters"] == 0
    assert overall["phantoms"] == overall["localizations"]
    assert set(told["files"]) > FIGURES


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param((), "either --bench FOLDER, or --video with its", id="no videos"),
        pytest.param(("--bench", "{bench}", "--video", "v.mp4"), "either --bench FOLDER, or", id="bench and video"),
        pytest.param(("--bench", "{bench}/none"), "none holds no .mp4", id="no bench"),
        pytest.param(
            ("--bench", "{bench}", "--pixel-size", "100", "--pixel-size", "110"),
            "name --pixel-size once",
            id="two sizes",
        ),
        pytest.param(("--video", "v.mp4"), "name one --truth for each --video", id="no truth"),
        pytest.param(("--video", "v.mp4", "--truth", "t.csv"), "there is no truth t.csv", id="a truth not there"),
        pytest.param(("--bench", "{bench}", "--model", "unheard-of"), "there is no model 'unheard-of'", id="no model"),
        pytest.param(("--bench", "{bench}", "--psf-sigma", "140"), "needs both --psf-sigma and", id="half the optics"),
        pytest.param(("--bench", "{bench}", "--histogram", "p7"), "there is no video 'p7'", id="no such video"),
        pytest.param(("--bench", "{bench}", "--camera", "toy"), "--camera: ", id="no such camera"),
        pytest.param(("--bench", "{bench}", "--peers", "none.csv"), "none.csv cannot be read", id="no peers"),
    ],
)
def test_what_cannot_be_measured_is_bad_input(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert evaluate(*(argument.format(bench=bench) for argument in arguments), "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("cellstorm: ")
    assert error.count("\n") == 1
    assert told in error
    assert not (tmp_path / "out").exists()


def test_figures_that_could_not_be_written_are_not_measured_for(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--bench", bench, "--out", bench / "p500.csv" / "out") == 2
    assert "p500.csv/out cannot be written" in capsys.readouterr().err


def small_network(folder: Path, *, kernel_known: bool) -> Path:
    """Three frames of counts to four channels by 3x3 kernels, then half the size by 2x2, then a transposed one."""
    kernels = {"a": (4, 3, 3, 3), "b": (6, 4, 2, 2), "c": (6, 5, 2, 2)}
    given = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, np.zeros(shape, np.float32).ravel().tolist())
        for name, shape in kernels.items()
    ]
    inputs = [helper.make_tensor_value_info("counts", TensorProto.FLOAT, ["batch", 3, "height", "width"])]
    if not kernel_known:
        given, inputs = given[1:], [*inputs, helper.make_tensor_value_info("a", TensorProto.FLOAT, [4, 3, "k", "k"])]
    nodes = [
        helper.make_node("Conv", ["counts", "a"], ["x"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["x", "b"], ["y"], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["y", "c"], ["z"], strides=[2, 2]),
    ]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 5, "height", "width"])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializer=given)
    onnx.save(helper.make_model(graph), folder / "weights.onnx")
    return folder / "weights.onnx"


def test_operations_are_two_for_each_multiplication_of_a_kernel(tmp_path: Path) -> None:
    weights = small_network(tmp_path, kernel_known=True)
    first, second, third = 16 * 16 * 4 * 3 * 9, 8 * 8 * 6 * 4 * 4, 8 * 8 * 6 * 5 * 4
    assert operations_per_frame(weights, GENERATOR_SPEC, side_px=16) == 2 * (first + second + third)


def test_a_graph_that_does_not_tell_its_shapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="does not tell the shapes of its Conv"):
        operations_per_frame(small_network(tmp_path, kernel_known=False), GENERATOR_SPEC)
