"""LiteRT (formerly TensorFlow Lite), with the XNNPACK delegate that it applies by itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines import Remarks
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.engines.litert_doubt import DELEGATE_PARTITIONS
from shufflenet_deploy.runtime.engines.reasons import reason
from shufflenet_deploy.runtime.errors import InferenceError

# tflite-runtime is what LiteRT was called before. Its last release (2.14.0) does not delegate
# int8 networks to XNNPACK, which makes them some fifty times slower, so it comes second.
try:
    from ai_edge_litert.interpreter import Interpreter

    ENGINE, DISTRIBUTION = "litert", "ai-edge-litert"
except ImportError as missing:
    try:
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        raise missing from None  # the one to install is the first
    ENGINE = DISTRIBUTION = "tflite-runtime"


class LiteRTSession:
    """A `Session` of LiteRT. The output is the model's first."""

    engine = ENGINE
    engine_version = version(DISTRIBUTION)

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InferenceError(f"{self.engine} does not load {path}: {reason(error)}") from None
        details = self._interpreter.get_input_details()
        if not details:
            raise InferenceError(f"{path} has no input")
        self.inputs = tuple(map(_described, details))
        self._indices = [tensor["index"] for tensor in details]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shapes = [tuple(tensor["shape"]) for tensor in details]

    @property
    def remarks(self) -> Remarks:
        """How many pieces a delegate runs, see `litert_doubt`."""
        try:
            operators = self._interpreter._get_ops_details()
        except AttributeError:  # there is no public method that tells
            return {}
        names = [operator["op_name"] for operator in operators]
        return {DELEGATE_PARTITIONS: names.count("DELEGATE")}

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """See `Session.run`. Inputs of other shapes than the last cost a reallocation."""
        # One loop, as this is timed with the model.
        for index, array, shape in zip(self._indices, inputs, self._shapes, strict=True):
            if array.shape != shape:
                self._resize(inputs)
                return self.run(*inputs)
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output)
        return output

    def _resize(self, inputs: Sequence[NDArray[Any]]) -> None:
        """Take inputs of these shapes; what was set before is lost."""
        shapes = [array.shape for array in inputs]
        for index, before, now in zip(self._indices, self._shapes, shapes, strict=True):
            if now != before:
                self._interpreter.resize_tensor_input(index, now, strict=True)
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def _described(tensor: dict[str, Any]) -> Input:
    sizes = (None if size < 0 else int(size) for size in tensor["shape_signature"])
    return Input(tensor["name"], tuple(sizes), np.dtype(tensor["dtype"]).name)
