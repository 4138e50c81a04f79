from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from cellstorm import zoo
from cellstorm.errors import ModelUnavailable, RuntimeUnavailable
from cellstorm.generator import GeneratorSpec
from cellstorm_worker.onnx_generator import OnnxGenerator, WarmGenerators

needs_no_cuda = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine has CUDA"
)


@pytest.fixture(scope="module")
def spec() -> GeneratorSpec:
    return zoo.entry("default").spec


@pytest.fixture(scope="module")
def weights() -> bytes:
    return zoo.weights_path("default").read_bytes()


def windows(count: int, spec: GeneratorSpec, seed: int = 1) -> NDArray[np.float32]:
    shape = (count, spec.context_frames, 4 * spec.size_multiple, 6 * spec.size_multiple)
    return np.random.default_rng(seed).poisson(20, shape).astype(np.float32)


def test_a_frames_prediction_does_not_depend_on_its_neighbours_in_the_batch(
    spec: GeneratorSpec, weights: bytes
) -> None:
    generator = OnnxGenerator(spec, weights, threads=1)
    many = windows(9, spec)
    together = generator.predict(many)
    alone = np.concatenate([generator.predict(many[place : place + 1]) for place in range(9)])
    assert together.shape == (9, 8, *many.shape[2:])
    np.testing.assert_array_equal(together, alone)


def test_the_number_of_threads_changes_no_bit(spec: GeneratorSpec, weights: bytes) -> None:
    many = windows(2, spec)
    one, two = (OnnxGenerator(spec, weights, threads=threads).predict(many) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


@needs_no_cuda
def test_asked_for_cuda_where_there_is_none_it_refuses(spec: GeneratorSpec, weights: bytes) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"'\.\[gpu\]'"):
        OnnxGenerator(spec, weights, provider="cuda")


def test_weights_that_refer_to_other_files_are_refused(spec: GeneratorSpec, weights: bytes) -> None:
    onnx = pytest.importorskip("onnx", reason="writing ONNX files needs the extra `train`")
    model = onnx.load_from_string(weights)
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "secrets.bin")
    tensor.ClearField("raw_data")
    with pytest.raises(ModelUnavailable, match="refers to other files"):
        OnnxGenerator(spec, model.SerializeToString())


def test_bytes_that_are_no_network_are_refused(spec: GeneratorSpec) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OnnxGenerator(spec, b"not a network")


def test_a_network_that_is_not_as_its_package_says_is_refused(spec: GeneratorSpec, weights: bytes) -> None:
    other = spec.model_copy(update={"context_frames": spec.context_frames + 2})
    with pytest.raises(ModelUnavailable, match="does not take what its package says"):
        OnnxGenerator(other, weights)


def test_a_generator_is_loaded_once_and_kept(spec: GeneratorSpec) -> None:
    generators = WarmGenerators(None, threads=1)
    assert generators.get("default") is generators.get("default")
    assert generators.get("default").spec == spec


def test_a_generator_without_a_network_needs_no_runtime() -> None:
    generator = WarmGenerators(None, provider="cuda").get("classical")
    shown = np.random.default_rng(1).poisson(20, (2, 1, 13, 10)).astype(np.float32)
    np.testing.assert_array_equal(generator.predict(shown), shown)


def test_a_network_whose_output_is_of_another_kind_than_its_package_says_is_refused(
    spec: GeneratorSpec, weights: bytes
) -> None:
    other = spec.model_copy(update={"output": "map", "precision_px": 0.2})
    with pytest.raises(ModelUnavailable, match="not what its package says"):
        OnnxGenerator(other, weights)


def test_only_the_generators_used_last_are_kept(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        shutil.copytree(zoo.entry("default").folder, tmp_path / name)
        description = tmp_path / name / zoo.DESCRIPTION
        description.write_text(description.read_text("utf-8").replace("name: default", f"name: {name}"), "utf-8")
    generators = WarmGenerators(tmp_path, threads=1)
    first = {name: generators.get(name) for name in names}
    assert generators.get("d") is first["d"]
    assert generators.get("a") is not first["a"]


def test_a_release_that_was_replaced_on_disk_is_loaded_when_it_is_asked_for_and_the_old_one_is_gone(
    tmp_path: Path,
) -> None:
    shutil.copytree(zoo.entry("fast").folder, tmp_path / "fast")
    generators = WarmGenerators(tmp_path, threads=1)
    before = generators.get("fast").spec
    description = tmp_path / "fast" / zoo.DESCRIPTION
    description.write_text(
        description.read_text("utf-8").replace(f"version: {before.version}", "version: 9.9.9"), "utf-8"
    )
    assert generators.get("fast").spec == generators.get("fast", before.release).spec == before
    after = zoo.entry("fast", tmp_path).spec
    assert generators.get("fast", after.release).spec == after != before
    with pytest.raises(ModelUnavailable, match=rf"fast {before.version} .* is no longer here, 9\.9\.9 .* try again"):
        generators.get("fast", before.release)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    shutil.copytree(zoo.entry("default").folder, tmp_path / "default")
    with (tmp_path / "default" / zoo.WEIGHTS).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelUnavailable, match="is not the published file"):
        WarmGenerators(tmp_path).get("default")
