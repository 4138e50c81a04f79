"""How much work a network is: floating-point operations for a frame, from its graph.

Counted are multiplications and additions of convolutions and matrix products (two for each multiply-accumulate), as is
usual; what else a graph does is a few percent of that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx

from cellstorm.errors import ModelUnavailable
from cellstorm.generator import GeneratorSpec

SIDE_PX: Final = 128


def operations_per_frame(weights: Path, spec: GeneratorSpec, side_px: int = SIDE_PX) -> int:
    """For a frame of so many pixels a side.

    Raises
    ------
    ModelUnavailable
        If the graph does not tell its shapes.
    """
    model = onnx.load(weights)
    _fix_input(model, (1, spec.context_frames, side_px, side_px))
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes.setdefault(value.name, tuple(side.dim_value for side in value.type.tensor_type.shape.dim))
    return 2 * sum(_multiplications(node, shapes, spec.name) for node in graph.node)


def _fix_input(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    """Take a fixed shape in; forget what the graph says of shapes inside, which are then inferred."""
    graph = model.graph
    for dimension, side in zip(graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = side
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _multiplications(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], name: str) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    shape_in, weight, shape_out = (shapes.get(tensor, ()) for tensor in (*node.input[:2], node.output[0]))
    if not all(shape_in) or not all(weight) or not all(shape_out) or not (shape_in and weight and shape_out):
        raise ModelUnavailable(
            f"generator {name}: the graph does not tell the shapes of its {node.op_type}; export it anew"
        )
    if node.op_type == "Conv":  # a kernel of (out, in / groups, height, width), at each pixel that comes out
        return int(np.prod(shape_out) * np.prod(weight[1:]))
    if node.op_type == "ConvTranspose":  # (in, out / groups, height, width), at each pixel that goes in
        return int(np.prod(shape_in) * np.prod(weight[1:]))
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return int(np.prod(shape_out) * (shape_in[0] if transposed else shape_in[-1]))
