"""Models of other tools, as people have them. What public bug reports describe, made anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from case_checkpoints import LFS_POINTER, WEB_PAGE

IMAGE = (1, 3, 32, 32)
ODD_NAMES = ("model[1].onnx", "[bold red]x[green].onnx", "mit leer zeichen.onnx", "größe.onnx")
Shape = Sequence[int | str]


def _save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[str | Any],
    initialisers: Sequence[Any] = (),
    opsets: Sequence[tuple[str, int]] = (("", 17),),
    ir: int = 8,
    **options: Any,
) -> Path:
    values = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        if isinstance(output, str)
        else output
        for output in outputs
    ]
    graph = helper.make_graph(nodes, "g", inputs, values, initialisers)
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=ir), path, **options)
    return path


def _value(name: str, shape: Shape, dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def _weights(name: str, shape: tuple[int, ...], seed: int = 0) -> Any:
    numbers = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(numbers, name)


def convolution(
    path: Path,
    shape: Shape = IMAGE,
    opset: int = 17,
    ir: int = 8,
    listed: bool = False,
    seed: int = 0,
    **options: Any,
) -> Path:
    """A convolution and pooling. `listed`: its weights are inputs too, as PyTorch 1 wrote them."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="c1", kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c"], ["y"]),
    ]
    inputs = [_value("x", shape)]
    if listed:
        inputs.append(_value("w", (8, 3, 3, 3)))
    weights = [_weights("w", (8, 3, 3, 3), seed)]
    return _save(path, nodes, inputs, ["y"], weights, [("", opset)], ir, **options)


def external(path: Path, data: str, seed: int = 0) -> Path:
    """A model whose weights lie in the file `data` beside it."""
    return convolution(
        path,
        seed=seed,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=data,
        size_threshold=0,
    )


def custom(path: Path) -> Path:
    """An operator of another domain."""
    node = helper.make_node("MyOp", ["x"], ["y"], domain="com.example")
    return _save(path, [node], [_value("x", (1, 3))], ["y"], opsets=[("", 17), ("com.example", 1)])


def sequence(path: Path) -> Path:
    """The first output is a sequence, the second are the logits."""
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["s"]),
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
    ]
    first = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    return _save(path, nodes, [_value("x", (1, 3, 8, 8))], [first, "m"])


def infinite_beside(path: Path) -> Path:
    """One output has numbers that are not finite, as detectors' masked scores have."""
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Log", ["x"], ["b"]),
    ]
    return _save(path, nodes, [_value("x", (1, 8))], ["b", "a"])


def embedding(path: Path, dtype: int, rows: int) -> Path:
    """An embedding of whole numbers below `rows`."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["e"]),
    ]
    return _save(path, nodes, [_value("ids", (1, 4), dtype)], ["e"], [_weights("table", (rows, 4))])


def two_inputs(path: Path) -> Path:
    """A sum of two inputs."""
    node = helper.make_node("Add", ["x", "state"], ["y"])
    return _save(path, [node], [_value("x", (1, 8)), _value("state", (1, 8))], ["y"])


def free_inside(path: Path) -> Path:
    """Height and width are free."""
    return convolution(path, (1, 3, "height", "width"))


def fixed_inside(path: Path) -> Path:
    """The batch is free, and the graph wants another than 1."""
    shape = numpy_helper.from_array(np.array([2, 48]), "shape")
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    return _save(path, [node], [_value("x", ("N", 3, 4, 4))], ["y"], [shape])


def piper_voice(path: Path) -> Path:
    """A model with another program's settings beside it, where a manifest would lie."""
    settings = '{"audio": {"sample_rate": 22050}, "num_speakers": 1}'
    path.with_name(f"{path.name}.json").write_text(settings)
    return convolution(path)


NO_MODELS = {"lfs": LFS_POINTER, "page": WEB_PAGE, "empty": b""}
"""What is found in the place of a model."""
