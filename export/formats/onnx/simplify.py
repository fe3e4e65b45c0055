"""onnxsim: a second opinion on the ONNX graph, and what it changed."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import onnx
import onnxsim

from shufflenet_deploy.export.graph.operators import Shape
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Simplification


def simplify(
    model: onnx.ModelProto, input_shape: Shape, *, compares: bool
) -> tuple[onnx.ModelProto, Simplification]:
    """The model as onnxsim leaves it, and the nodes before and after.

    Where it `compares`, onnxsim runs both on one random image of `input_shape` (without the batch),
    and `ExportError` is raised where they differ by more than float32 rounds. The emitter's graphs
    rarely leave it anything to remove.
    """
    name = model.graph.input[0].name
    with redirect_stdout(io.StringIO()):  # it prints its progress where results belong
        simplified, is_equal = onnxsim.simplify(
            model,
            check_n=int(compares),
            test_input_shapes={name: [1, *input_shape]},
            certify=False,  # a proof by Z3, where that is installed: too slow for a network
        )
    if not is_equal:
        raise ExportError("onnxsim's result differs from the graph that it was given")
    record = Simplification(
        nodes_before=len(model.graph.node), nodes_after=len(simplified.graph.node)
    )
    return simplified, record
