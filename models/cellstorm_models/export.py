"""From a training run to a bioimage.io package: weights.onnx, rdf.yaml, test tensors, a card.

The ONNX graph takes counts and holds everything else, normalisation included; it is compared with the network that it
came from before it is published.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
import yaml
from torch.export import Dim

from cellstorm.errors import ModelUnavailable
from cellstorm.generator import EMITTER_CHANNELS, GeneratorSpec
from cellstorm.zoo import CARD, DESCRIPTION, WEIGHTS
from cellstorm_models.clips import make_clip, sample_windows
from cellstorm_models.evaluation import ExportedGenerator
from cellstorm_models.networks import SIZE_MULTIPLE, EmitterNet

OPSET: Final = 18
_CONTEXT_FRAMES: Final = 3
_TOLERANCE: Final = 1e-4  # of a channel's largest value, at least of 1
_CHECKED_SHAPES: Final = ((1, 64, 64), (5, 64, 64), (2, 128, 96), (1, 8, 8), (1, 256, 256))  # batch, height, width
_PAPER_DOI: Final = "10.1371/journal.pone.0209827"


def write_package(net: EmitterNet, folder: Path, *, version: str, threshold: float) -> GeneratorSpec:
    """All files of a package; it is named as its folder. Its card holds a title only: see cellstorm_models.card."""
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(net, folder / WEIGHTS)
    check_onnx(net, folder / WEIGHTS)
    _write_test_tensors(folder)
    spec = GeneratorSpec(
        name=folder.name,
        version=version,
        sha256=_sha256(folder / WEIGHTS),
        output="emitters",
        context_frames=_CONTEXT_FRAMES,
        size_multiple=SIZE_MULTIPLE,
        threshold=threshold,
    )
    (folder / CARD).write_text(f"# cellSTORM generator `{folder.name}`\n", encoding="utf-8")
    text = yaml.safe_dump(_description(folder, spec), sort_keys=False, allow_unicode=True, width=120)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    _validate(folder)
    return spec


def write_onnx(net: EmitterNet, path: Path) -> None:
    """One file, weights inside; batch, height and width are free."""
    net = net.eval()
    example = torch.rand(2, _CONTEXT_FRAMES, 64, 72) * 30
    free = {0: Dim("batch"), 2: SIZE_MULTIPLE * Dim("rows"), 3: SIZE_MULTIPLE * Dim("columns")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it mourns the absence of torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter uses what torch itself has deprecated
        program = torch.onnx.export(
            net,
            (example,),
            input_names=["counts"],
            output_names=["emitters"],
            dynamic_shapes={"windows": free},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)
    _forget_sources(path)


def _forget_sources(path: Path) -> None:
    """Take out where on this machine each node's Python code lay: the file would differ from machine to machine."""
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    onnx.save(model, path)


def check_onnx(net: EmitterNet, path: Path) -> None:
    """Compare the exported graph with the network.

    Raises
    ------
    ModelUnavailable
        If they differ by more than a ten-thousandth, at any of several sizes.
    """
    exported = ExportedGenerator(path)
    rng = np.random.default_rng(0)
    for batch, height, width in _CHECKED_SHAPES:
        shape = (batch, _CONTEXT_FRAMES, height, width)
        windows = rng.poisson(rng.gamma(2.0, 10.0, shape)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(windows)).numpy()
        size = np.maximum(1.0, np.abs(expected).max(axis=(0, 2, 3), keepdims=True))
        worst = float((np.abs(exported.predict(windows) - expected) / size).max())
        if worst > _TOLERANCE:
            raise ModelUnavailable(
                f"the exported graph differs from the network by {worst:.1e} at {shape}; do not use it"
            )


def _write_test_tensors(folder: Path) -> None:
    batch = sample_windows([make_clip(7, number) for number in range(2)], 2, 64, np.random.default_rng(7))
    np.save(folder / "test_input.npy", batch.windows)
    np.save(folder / "test_output.npy", ExportedGenerator(folder / WEIGHTS).predict(batch.windows))


def _description(folder: Path, spec: GeneratorSpec) -> dict[str, Any]:
    """bioimage.io model 0.5."""
    size = {"min": SIZE_MULTIPLE, "step": SIZE_MULTIPLE}
    return {
        "format_version": "0.5.3",
        "type": "model",
        "name": f"cellSTORM generator {spec.name}",
        "version": spec.version,
        "description": "Localizes blinking molecules in a phone's H.264 video, with uncertainties.",
        "authors": [{"name": "the cellSTORM developers"}],
        "cite": [
            {
                "text": "Diederich, B., Then, P., Jügler, A., Förster, R. & Heintzmann, R. cellSTORM: Cost-effective "
                "super-resolution on a cellphone using dSTORM. PLoS ONE 14, e0209827 (2019)",
                "doi": _PAPER_DOI,
            }
        ],
        "license": "BSD-3-Clause",
        "documentation": CARD,
        "tags": ["single-molecule-localization-microscopy", "super-resolution", "smartphone", "2d", "fluorescence"],
        "inputs": [
            {
                "id": "counts",
                "description": "Camera counts of three consecutive frames; the middle one's emitters are predicted.",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "id": "channel", "channel_names": ["before", "middle", "after"]},
                    {"type": "space", "id": "y", "size": dict(size)},
                    {"type": "space", "id": "x", "size": dict(size)},
                ],
                "data": {"type": "float32"},
                "test_tensor": _file(folder / "test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "emitters",
                "description": "Per camera pixel, what the channels' names say; lengths in pixels, light in counts.",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "id": "channel", "channel_names": list(EMITTER_CHANNELS)},
                    {"type": "space", "id": "y", "size": {"tensor_id": "counts", "axis_id": "y"}},
                    {"type": "space", "id": "x", "size": {"tensor_id": "counts", "axis_id": "x"}},
                ],
                "data": {"type": "float32"},
                "test_tensor": _file(folder / "test_output.npy"),
            }
        ],
        "weights": {"onnx": {"source": WEIGHTS, "sha256": spec.sha256, "opset_version": OPSET}},
        "config": {"cellstorm": spec.model_dump()},
    }


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _validate(folder: Path) -> None:
    """By bioimage.io's own rules.

    Raises
    ------
    ModelUnavailable
        If the package breaks one.
    """
    from bioimageio.spec import load_description  # slow to import, and needed nowhere else

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises; only its errors count
        result = load_description(folder / DESCRIPTION)
    if result.validation_summary.status == "failed":
        raise ModelUnavailable(f"{folder / DESCRIPTION} is not valid: {result.validation_summary.errors[0].msg}")
