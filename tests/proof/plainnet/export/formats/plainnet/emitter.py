"""How plainnet artifacts are made: steps as JSON, and their weights in numpy's own format."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import Any

import numpy as np

from shufflenet_deploy.export.formats.emitter import Emitted, Emitter
from shufflenet_deploy.export.graph.graph import Graph, Node
from shufflenet_deploy.export.rewrites.lowering import Lowering, Use
from shufflenet_deploy.runtime.options import Options

LOWERING: Lowering = {"absorb_shuffle": Use(), "shuffle_as_gather": Use()}


def _emit(graph: Graph, options: Options) -> Emitted:
    weights: dict[str, Any] = {}
    steps = [_step(node, weights) for node in graph]
    header = {
        "input": {"name": graph.input, "shape": graph.input_shape, "type": options.io},
        "steps": steps,
        "output": graph.output,
    }
    dtype = np.float16 if options.precision == "fp16" else np.float32
    packed = io.BytesIO()
    np.savez(packed, **{name: array.astype(dtype) for name, array in weights.items()})
    return Emitted((json.dumps(header, indent=1).encode(), packed.getvalue()))


def _step(node: Node, weights: dict[str, Any]) -> dict[str, Any]:
    """The node as JSON has it; its arrays go to `weights`."""
    operator = node.operator
    kind = type(operator).__name__
    step: dict[str, Any] = {"name": node.name, "operator": kind, "inputs": node.inputs}
    for field in fields(operator):
        value = getattr(operator, field.name)
        if isinstance(value, np.ndarray):
            step[field.name] = f"{node.name}.{field.name}"
            weights[step[field.name]] = value
        elif field.name == "activation":
            step["clip"] = [0.0, value.limit] if value else None
        else:
            step[field.name] = value
    return step


EMITTER = Emitter(emit=_emit, lowering=LOWERING)
