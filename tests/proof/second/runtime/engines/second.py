"""A second engine for ONNX files: ONNX Runtime as it is without its own optimisations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines import NO_REMARKS, project_version
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import InferenceError


class SecondSession:
    """A `Session` of it, for models of one input of float32."""

    engine = "second"
    engine_version: str = project_version()
    remarks = NO_REMARKS

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its exceptions share no other base
            raise InferenceError(f"the second engine does not load {path}: {error}") from None
        self.inputs = tuple(
            Input(given.name, tuple(given.shape), "float32") for given in self._session.get_inputs()
        )

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """See `Session.run`."""
        given = {tensor.name: array for tensor, array in zip(self.inputs, inputs, strict=True)}
        logits: NDArray[Any] = self._session.run(None, given)[0]
        return logits
