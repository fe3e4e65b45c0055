"""ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from shufflenet_deploy.runtime import InferenceError


class OnnxRuntimeSession:
    """A `Session` of ONNX Runtime. Input and output are the model's first."""

    engine = "onnxruntime"
    engine_version: str = onnxruntime.__version__
    delegate_partitions = None

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin for their next task would slow whatever is timed after this session.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 3  # errors; its warnings are about the platform
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its exceptions share no other base
            reason = " ".join(str(error).split())
            raise InferenceError(f"ONNX Runtime does not load {path}: {reason}") from None
        self._input = self._session.get_inputs()[0].name
        self._outputs = [self._session.get_outputs()[0].name]

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """See `Session.run`."""
        logits: NDArray[Any] = self._session.run(self._outputs, {self._input: images})[0]
        return logits
