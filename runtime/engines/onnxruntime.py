"""ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines import NO_REMARKS
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.engines.reasons import reason
from shufflenet_deploy.runtime.errors import InferenceError

_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}
"""ONNX's name for a type of numbers -> numpy's, where the two differ."""


class OnnxRuntimeSession:
    """A `Session` of ONNX Runtime. The output is the model's first.

    With `trace` its profiler records every run, for a file whose name begins so.
    """

    engine = "onnxruntime"
    engine_version: str = onnxruntime.__version__
    remarks = NO_REMARKS

    def __init__(self, path: Path, threads: int, trace: Path | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin for their next task would slow whatever is timed after this session.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        # Without VNNI an x86-64 processor adds products of uint8 and int8 in 16 bits, where they
        # saturate: a network with weights of int8 loses up to 20 dB. ARM64 and VNNI do not, and
        # there this does nothing (onnxruntime_session_options_config_keys.h).
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.log_severity_level = 3  # errors; its warnings are about the platform
        if trace is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(trace)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its exceptions share no other base
            raise InferenceError(f"ONNX Runtime does not load {path}: {reason(error)}") from None
        self.inputs = tuple(map(_described, self._session.get_inputs()))
        if not self.inputs:
            raise InferenceError(f"{path} has no input")
        self._names = [tensor.name for tensor in self.inputs]
        self._outputs = [self._session.get_outputs()[0].name]

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """See `Session.run`."""
        # Not strict, as this is timed with the model: the engine itself refuses too few.
        given = dict(zip(self._names, inputs, strict=False))
        output: NDArray[Any] = self._session.run(self._outputs, given)[0]
        return output

    def end_profiling(self) -> Path:
        """Write the trace of all runs; its file."""
        return Path(self._session.end_profiling())


def _described(node: Any) -> Input:
    dtype = _DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    return Input(node.name, tuple(node.shape), dtype)
