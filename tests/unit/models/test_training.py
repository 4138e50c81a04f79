"""A tiny run: trained, stopped, resumed, exported, run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")
pytest.importorskip("bioimageio.spec", reason="export needs bioimageio.spec: pip install '.[train]'")

from cellstorm import zoo  # noqa: E402  # after the checks for what it needs
from cellstorm.camera import DEFAULT_CAMERA  # noqa: E402
from cellstorm.errors import InvalidSetting, ModelUnavailable  # noqa: E402
from cellstorm_models import run_settings  # noqa: E402
from cellstorm_models.clips import make_clip  # noqa: E402
from cellstorm_models.evaluation.exported import ExportedGenerator  # noqa: E402
from cellstorm_models.export import check_package, write_package  # noqa: E402
from cellstorm_models.networks import EmitterNet  # noqa: E402
from cellstorm_models.training import Evaluation, TrainConfig, begin, best_network, resume  # noqa: E402

_TINY = TrainConfig(
    steps=4,
    channels=4,
    batch=4,
    side_px=32,
    pool_clips=2,
    windows_per_clip=4,
    evaluate_every=2,
    validation_clips=1,
    validation_windows=4,
)


def test_a_run_that_begins_with_anothers_weights_learns_in_smaller_steps_unless_told() -> None:
    assert TrainConfig.of({}) == TrainConfig()
    assert TrainConfig.of({"start_from": "best.pt"}).learning_rate == 0.001
    assert TrainConfig.of({"start_from": "best.pt", "learning_rate": 0.002}).learning_rate == 0.002


def test_a_wide_batch_draws_on_more_clips() -> None:
    assert TrainConfig.of({"batch": 128}).pool_clips == 256


class _Stopped(Exception):
    pass


def _stop(evaluation: Evaluation) -> None:
    raise _Stopped


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    begin(folder, _TINY).run(folder, lambda evaluation: None)
    return folder


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Path, tmp_path: Path) -> None:
    stopped = begin(tmp_path, _TINY)
    with pytest.raises(_Stopped):
        stopped.run(tmp_path, _stop)
    resumed = resume(tmp_path)
    assert resumed.step == 2
    resumed.run(tmp_path, lambda evaluation: None)
    whole, parts = (torch.load(folder / "last.pt")["net"] for folder in (run, tmp_path))
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_a_run_logs_each_evaluation(run: Path) -> None:
    lines = (run / "log.csv").read_text().splitlines()
    assert lines[0].startswith("step,minutes,learning_rate,train,validation")
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4"]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_not_begun_over_another(run: Path) -> None:
    with pytest.raises(InvalidSetting, match="--resume"):
        begin(run, _TINY)


def test_a_run_may_begin_with_the_weights_of_another(run: Path, tmp_path: Path) -> None:
    warm = begin(tmp_path / "warm", replace(_TINY, seed=5, start_from=str(run / "best.pt")))
    best, _ = best_network(run)
    for name, value in best.state_dict().items():
        assert torch.equal(value, warm.net.state_dict()[name]), name
    assert (warm.step, warm.spent_s) == (0, 0.0)
    assert TrainConfig.read(tmp_path / "warm").start_from == str(run / "best.pt")


def test_a_run_stopped_before_it_first_saved_itself_still_begins_with_those_weights(run: Path, tmp_path: Path) -> None:
    begin(tmp_path / "warm", replace(_TINY, seed=5, start_from=str(run / "best.pt")))
    best, _ = best_network(run)
    for name, value in resume(tmp_path / "warm").net.state_dict().items():
        assert torch.equal(value, best.state_dict()[name]), name


def test_a_run_is_not_resumed_with_clips_that_do_not_compare(run: Path, tmp_path: Path) -> None:
    for name in ("config.json", "last.pt"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["clips"]["crf"] = [20, 21]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidSetting, match="draws other clips; begin a new run with --start-from"):
        resume(tmp_path)


def test_a_run_is_not_resumed_with_another_browsers_encoder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_settings, "openh264_version", lambda: "1.9.9")
    with pytest.raises(InvalidSetting, match=r"which is 1\.9\.9 here"):
        resume(run)


def test_a_wider_run_may_begin_with_the_weights_of_a_narrower_one(run: Path, tmp_path: Path) -> None:
    config = replace(_TINY, channels=8, context_frames=5, start_from=str(run / "best.pt"))
    wide, (narrow, _) = begin(tmp_path / "wide", config).net.eval(), best_network(run)
    frame = torch.poisson(torch.full((2, 1, 32, 32), 30.0), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            wide(frame.repeat(1, 5, 1, 1)), narrow(frame.repeat(1, 3, 1, 1)), rtol=1e-3, atol=1e-3
        )


def test_weights_of_a_wider_network_are_refused_and_nothing_is_written(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="network of 2 channels"):
        begin(tmp_path / "narrow", replace(_TINY, channels=2, start_from=str(run / "best.pt")))
    assert not (tmp_path / "narrow").exists()


def test_a_package_is_measured_on_frames_of_any_size(run: Path, tmp_path: Path) -> None:
    net, _ = best_network(run)
    write_package(net, tmp_path / "tiny", version="0.0.1", threshold=0.5, judging=[])
    generator = ExportedGenerator(zoo.weights_path("tiny", tmp_path))
    counts = np.random.default_rng(0).poisson(20, (3, 29, 42)).astype(np.uint8)
    table = generator.candidates(counts, camera=DEFAULT_CAMERA, pixel_size_nm=100.0)
    full = np.pad(counts, ((0, 0), (0, 3), (0, 6)), mode="edge")
    expected = generator.candidates(full, camera=DEFAULT_CAMERA, pixel_size_nm=100.0)
    own_pixels = (expected["x_nm"] < 4100) & (expected["y_nm"] < 2800)  # but for those that border on the padding
    np.testing.assert_array_equal(table[(table["x_nm"] < 4100) & (table["y_nm"] < 2800)], expected[own_pixels])


def test_a_run_that_was_not_begun_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="holds no training run"):
        resume(tmp_path)


def test_an_exported_package_is_valid_and_gives_its_own_test_output(run: Path, tmp_path: Path) -> None:
    net, reached = best_network(run)
    assert reached["step"] in (2, 4)
    spec = write_package(net, tmp_path / "tiny", version="0.0.1", threshold=0.5, judging=[make_clip(3, 0)])
    assert zoo.entry("tiny", tmp_path).spec == spec
    generator = ExportedGenerator(zoo.weights_path("tiny", tmp_path))
    output = generator.predict(np.load(tmp_path / "tiny" / "test_input.npy"))
    np.testing.assert_allclose(output, np.load(tmp_path / "tiny" / "test_output.npy"), rtol=1e-5)
    assert str(Path.cwd()).encode() not in (tmp_path / "tiny" / "weights.onnx").read_bytes()
    with pytest.raises(ModelUnavailable, match="differs from the network"):
        check_package(EmitterNet(4), tmp_path / "tiny")
