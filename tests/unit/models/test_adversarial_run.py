"""A tiny run of generator against discriminator: trained, stopped, resumed, exported, run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")
pytest.importorskip("bioimageio.spec", reason="export needs bioimageio.spec: pip install '.[train]'")

from cellstorm import zoo  # noqa: E402  # after the checks for what it needs
from cellstorm.errors import InvalidSetting, ModelUnavailable  # noqa: E402
from cellstorm_models import packaging  # noqa: E402
from cellstorm_models.adversarial.config import KINDS, AdversarialConfig, Kind, is_adversarial  # noqa: E402
from cellstorm_models.adversarial.package import write_package  # noqa: E402
from cellstorm_models.adversarial.progress import Evaluation  # noqa: E402
from cellstorm_models.adversarial.run import begin, best_network, resume  # noqa: E402
from cellstorm_models.adversarial.unet import FrameNet  # noqa: E402
from cellstorm_models.clips import Clip, make_clip  # noqa: E402
from cellstorm_models.simulation import SimulationConfig, simulate  # noqa: E402
from cellstorm_models.variety import VISIBLE  # noqa: E402

_CPU = torch.device("cpu")


def _plain_clip(seed: int, number: int) -> Clip:
    """Simulated, small and not compressed: quick to make, and in other processes too."""
    recording = simulate(SimulationConfig(frames=6, width=40, height=40), np.random.default_rng([seed, number]))
    truth = recording.truth
    place = (truth["frame"], truth["x_nm"] / 100.0, truth["y_nm"] / 100.0)
    emitters = np.stack([*place, recording.signal_counts, truth["on"] > 0.25, recording.sigma_px], axis=1)
    return Clip(recording.counts, recording.background, emitters.astype(np.float32))


def _tiny(kind: Kind) -> AdversarialConfig:
    """Four steps, the last two of them with the adversarial term."""
    return replace(
        AdversarialConfig.of(kind),
        steps=4,
        batch=2,
        side_px=32,
        filters=2,
        silent_steps=1,
        pool_clips=2,
        windows_per_clip=4,
        evaluate_every=2,
        validation_clips=1,
        validation_windows=2,
    )


def test_a_run_draws_the_clips_that_its_settings_name() -> None:
    visible, everything = (AdversarialConfig.of(kind).make_clip(4, 1).counts for kind in ("pix2pix", "enhance"))
    np.testing.assert_array_equal(visible, make_clip(4, 1, VISIBLE).counts)
    np.testing.assert_array_equal(everything, make_clip(4, 1).counts)


class _Stopped(Exception):
    pass


def _stop(evaluation: Evaluation) -> None:
    raise _Stopped


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    begin(folder, _tiny(request.param), _CPU, _plain_clip).run(folder, lambda evaluation: None, processes=0)
    return folder


def test_the_adversarial_term_is_off_for_the_first_thousand_steps_and_every_third_after_them() -> None:
    config = AdversarialConfig.of("pix2pix")
    assert not any(config.adversarial(step) for step in range(1000))
    assert [config.adversarial(step) for step in range(1000, 1007)] == [False, True, True, False, True, True, False]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run: Path, tmp_path: Path) -> None:
    stopped = begin(tmp_path, AdversarialConfig.read(run), _CPU, _plain_clip)
    with pytest.raises(_Stopped):
        stopped.run(tmp_path, _stop, processes=0)
    resumed = resume(tmp_path, _CPU, _plain_clip)
    assert resumed.step == 2
    resumed.run(tmp_path, lambda evaluation: None, processes=0)
    whole, parts = (torch.load(folder / "last.pt") for folder in (run, tmp_path))
    for player in ("generator", "discriminator"):
        for name, value in whole[player].items():
            assert torch.equal(value, parts[player][name]), name


def test_a_run_ends_when_its_time_is_up_and_can_be_resumed(tmp_path: Path) -> None:
    begin(tmp_path, _tiny("enhance"), _CPU, _plain_clip).run(
        tmp_path, lambda evaluation: None, processes=0, minutes=0.0
    )
    assert resume(tmp_path, _CPU, _plain_clip).step == 1


def test_clips_made_by_other_processes_are_the_same_clips(tmp_path: Path) -> None:
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    config = replace(_tiny("enhance"), steps=1)
    for folder, processes in ((alone, 0), (helped, 1)):
        begin(folder, config, _CPU, _plain_clip).run(folder, lambda evaluation: None, processes=processes)
    one, other = (torch.load(folder / "last.pt")["generator"] for folder in (alone, helped))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_run_is_not_resumed_with_clips_that_do_not_compare(run: Path, tmp_path: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["clips"]["frames"] = 40
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidSetting, match="draws other clips; begin a new run in another folder"):
        resume(tmp_path, _CPU)


def test_both_players_learn(run: Path) -> None:
    config, state = AdversarialConfig.read(run), torch.load(run / "last.pt")
    torch.manual_seed(config.seed)
    start = FrameNet(config.generator, config.filters).state_dict()
    assert any(not torch.equal(value, state["generator"][name]) for name, value in start.items())
    steps = {name: player["state"][0]["step"].item() for name, player in state["optimizers"].items()}
    assert steps == {"generator": 4, "discriminator": 2}  # of steps 0 to 3, 0 is silent and so is 1, the first of three


def test_a_run_logs_each_evaluation_as_a_table_and_as_curves(run: Path) -> None:
    lines = (run / "log.csv").read_text().splitlines()
    assert lines[0].startswith("step,minutes,likeness,sparsity,fooling,discriminator,validation,jaccard")
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4"]
    assert "nan" in lines[1]
    assert "nan" not in lines[2]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_not_begun_over_another(run: Path) -> None:
    with pytest.raises(InvalidSetting, match="--resume"):
        begin(run, _tiny("pix2pix"), _CPU)


def test_a_run_that_was_not_begun_or_is_of_another_kind_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="holds no training run"):
        resume(tmp_path, _CPU)
    assert not is_adversarial(tmp_path)
    (tmp_path / "config.json").write_text('{"seed": 2, "minutes": 38.0}')
    assert not is_adversarial(tmp_path)
    with pytest.raises(InvalidSetting, match="another kind"):
        resume(tmp_path, _CPU)


def test_an_exported_package_is_valid_and_gives_its_own_test_output(run: Path, tmp_path: Path) -> None:
    assert is_adversarial(run)
    net, reached = best_network(run)
    assert reached["step"] in (2, 4)
    spec = write_package(run, tmp_path / "tiny", version="0.0.1", reading_windows=16)
    assert zoo.entry("tiny", tmp_path).spec == spec
    assert (spec.output, spec.upsampling) == (net.output, net.upsampling)
    windows = np.load(tmp_path / "tiny" / "test_input.npy")
    output = packaging.run_graph(zoo.weights_path("tiny", tmp_path), windows)
    assert output.shape == spec.output_shape(len(windows), *windows.shape[2:])
    np.testing.assert_array_equal(output, np.load(tmp_path / "tiny" / "test_output.npy"))
    assert str(Path.cwd()).encode() not in (tmp_path / "tiny" / "weights.onnx").read_bytes()
    other = FrameNet(AdversarialConfig.read(run).generator, 2)
    with torch.no_grad():
        other.unet.last.weight.fill_(1.0)
    with pytest.raises(ModelUnavailable, match="differs from the network"):
        packaging.check_graph(other, tmp_path / "tiny" / "weights.onnx", [(1, 1, 32, 32)])
