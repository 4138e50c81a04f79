"""What every generator's package needs, whatever the network: one ONNX file, compared with torch, and a valid rdf.yaml."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
import yaml
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim

from cellstorm.errors import ModelUnavailable
from cellstorm.generator import EMITTER_CHANNELS, GeneratorSpec, OutputKind
from cellstorm.zoo import CARD, DESCRIPTION, WEIGHTS

OPSET: Final = 18
TEST_INPUT: Final = "test_input.npy"
TEST_OUTPUT: Final = "test_output.npy"

_INPUT: Final = "counts"
_TOLERANCE: Final = 1e-4  # of a channel's largest value, at least of 1
_PAPER_DOI: Final = "10.1371/journal.pone.0209827"
_OUTPUTS: Final[dict[OutputKind, tuple[tuple[str, ...], str]]] = {
    "emitters": (
        EMITTER_CHANNELS,
        "Per camera pixel, what the channels' names say; lengths in pixels, light in counts.",
    ),
    "map": (("light",), "A localization map in counts on a finer grid: bright pixels are emitters."),
    "frames": (("counts",), "The clean frame in counts, each emitter drawn as its spot."),
}
"""Names of an output's channels, and what it is."""


def write_graph(net: nn.Module, path: Path, *, context_frames: int, size_multiple: int, output: OutputKind) -> None:
    """`net` as one ONNX file, weights inside; batch, height and width are free."""
    example = torch.rand(2, context_frames, 4 * size_multiple, 5 * size_multiple) * 30
    free = {0: Dim("batch"), 2: size_multiple * Dim("rows"), 3: size_multiple * Dim("columns")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it mourns the absence of torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter uses what torch itself has deprecated
        program = torch.onnx.export(
            net.eval(),
            (example,),
            input_names=[_INPUT],
            output_names=[output],
            dynamic_shapes=(free,),
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


def check_graph(net: nn.Module, path: Path, shapes: Sequence[tuple[int, int, int, int]]) -> None:
    """Compare the exported graph with the network, for inputs of each of those shapes.

    Raises
    ------
    ModelUnavailable
        If they differ by more than a ten-thousandth.
    """
    rng = np.random.default_rng(0)
    session = _session(path)
    for shape in shapes:
        windows = rng.poisson(rng.gamma(2.0, 10.0, shape)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(windows)).numpy()
        size = np.maximum(1.0, np.abs(expected).max(axis=(0, 2, 3), keepdims=True))
        worst = float((np.abs(_run(session, windows) - expected) / size).max())
        if worst > _TOLERANCE:
            raise ModelUnavailable(
                f"the exported graph differs from the network by {worst:.1e} at {shape}; do not use it"
            )


def run_graph(path: Path, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the exported graph makes of (batch, time, height, width) counts, on one core."""
    return _run(_session(path), windows)


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    (output,) = session.run(None, {_INPUT: windows})
    return np.asarray(output, np.float32)


def write_test_tensors(folder: Path, windows: NDArray[np.float32]) -> None:
    """An input and what the package's graph makes of it."""
    np.save(folder / TEST_INPUT, windows)
    np.save(folder / TEST_OUTPUT, run_graph(folder / WEIGHTS, windows))


def write_description(folder: Path, spec: GeneratorSpec, summary: str) -> None:
    """rdf.yaml of a folder that holds everything else, checked by bioimage.io's own rules.

    Raises
    ------
    ModelUnavailable
        If the package breaks one.
    """
    described = _description(folder, spec, summary)
    text = yaml.safe_dump(described, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    from bioimageio.spec import load_description  # slow to import, and needed nowhere else

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises; only its errors count
        result = load_description(folder / DESCRIPTION)
    if result.validation_summary.status == "failed":
        raise ModelUnavailable(f"{folder / DESCRIPTION} is not valid: {result.validation_summary.errors[0].msg}")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _description(folder: Path, spec: GeneratorSpec, summary: str) -> dict[str, Any]:
    """bioimage.io model 0.5."""
    size = {"min": spec.size_multiple, "step": spec.size_multiple}
    channels, meaning = _OUTPUTS[spec.output]
    frames = [f"frame {place - spec.context_frames // 2:+d}" for place in range(spec.context_frames)]
    return {
        "format_version": "0.5.3",
        "type": "model",
        "name": f"cellSTORM generator {spec.name}",
        "version": spec.version,
        "description": summary,
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
                "id": _INPUT,
                "description": "Camera counts of consecutive frames; the middle one is predicted.",
                "axes": [
                    *_leading_axes(frames),
                    *({"type": "space", "id": axis, "size": dict(size)} for axis in ("y", "x")),
                ],
                "data": {"type": "float32"},
                "test_tensor": _file(folder / TEST_INPUT),
            }
        ],
        "outputs": [
            {
                "id": spec.output,
                "description": meaning,
                "axes": [*_leading_axes(channels), *(_output_axis(axis, spec.upsampling) for axis in ("y", "x"))],
                "data": {"type": "float32"},
                "test_tensor": _file(folder / TEST_OUTPUT),
            }
        ],
        "weights": {"onnx": {"source": WEIGHTS, "sha256": spec.sha256, "opset_version": OPSET}},
        "config": {"cellstorm": spec.model_dump()},
    }


def _leading_axes(channels: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "batch"}, {"type": "channel", "id": "channel", "channel_names": list(channels)}]


def _output_axis(axis: str, upsampling: int) -> dict[str, Any]:
    """A reference's size is multiplied by its own scale, which is 1, over this one's."""
    return {"type": "space", "id": axis, "scale": 1 / upsampling, "size": {"tensor_id": _INPUT, "axis_id": axis}}


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": sha256(path)}
