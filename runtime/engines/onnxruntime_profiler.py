"""A profile of a network on ONNX Runtime, from the trace that its own profiler writes.

What a trace holds of a run: an event for each node, in whole microseconds, and then one for the
run. The nodes are those that ONNX Runtime made of the file's: fused, renamed (``conv2d_1`` becomes
``conv2d_1_nchwc`` or ``conv2d_1_token_11``), and with reorderings of its own between them.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines.onnxruntime import OnnxRuntimeSession
from shufflenet_deploy.runtime.engines.onnxruntime_convolutions import Convolution, convolutions
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.profiling.kinds import Kind, Operator, convolution_kind
from shufflenet_deploy.runtime.profiling.trace import Trace

_Shape = tuple[int, ...]
_SUFFIX = "_kernel_time"
_RENAMED = re.compile(r"(_nchwc|_token_\d+)+$")
_QUANTISED = re.compile(r"^(QLinear|Nhwc|Fused|Q)(?=[A-Z])")
_SHUFFLED_RANK = 5
"""The rank of a map in the middle of a shuffle, (N, groups, channels of a group, H, W): a
convolutional network has no other use for it."""


class _Event(msgspec.Struct, frozen=True):
    """An event of the trace; there are more fields, of no interest here."""

    cat: str
    name: str
    dur: int = 0
    """How long the event took, in microseconds."""
    args: dict[str, Any] = {}


class OnnxRuntimeProfiler:
    """A `runtime.engines.Profiler` of ONNX Runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        # Removed by `close`, and where that is never called, at the interpreter's end.
        self._folder = tempfile.TemporaryDirectory(prefix="shufflenet-profile-")
        self._session = OnnxRuntimeSession(path, threads, Path(self._folder.name, "trace"))

    def run(self, *inputs: NDArray[Any]) -> None:
        """One run."""
        self._session.run(*inputs)

    def record(self) -> None:
        """Nothing: the trace keeps all runs."""

    def finish(self) -> Trace:
        """End the session and read its trace."""
        data = self._session.end_profiling().read_bytes()
        return read_trace(data, convolutions(self._path))

    def close(self) -> None:
        """Remove the trace."""
        self._folder.cleanup()


def read_trace(data: bytes, file: dict[str, Convolution]) -> Trace:
    """What the JSON of a trace says of each run; `file` knows the convolutions by name.

    Raises `InferenceError` for what is no trace, or one whose runs differ in their nodes.
    """
    try:
        events = msgspec.json.decode(data, type=list[_Event])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InferenceError(f"ONNX Runtime's trace is not readable: {error}") from None
    runs: list[list[_Event]] = [[]]
    for event in events:
        if event.cat == "Node" and event.name.endswith(_SUFFIX):
            runs[-1].append(event)
        elif event.name == "model_run":  # written when the run is over
            runs.append([])
    runs.pop()
    if not runs or not runs[0]:
        raise InferenceError("ONNX Runtime's trace holds no run: it cannot be profiled")
    names = [event.name for event in runs[0]]
    if any([event.name for event in run] != names for run in runs):
        raise InferenceError(
            "ONNX Runtime ran other operators from one run to the next: a network with branches "
            "or loops, or more than its trace holds, cannot be profiled"
        )
    return Trace(
        operators=tuple(_operator(event, file) for event in runs[0]),
        runs_ns=tuple(tuple(event.dur * 1000 for event in run) for run in runs),
    )


def _operator(event: _Event, file: dict[str, Convolution]) -> Operator:
    full = event.name.removesuffix(_SUFFIX)
    name = _RENAMED.sub("", full) or full
    operator = str(event.args.get("op_name") or "unknown")
    inputs, outputs = _shapes(event, "input_type_shape"), _shapes(event, "output_type_shape")
    convolution = file.get(full) or file.get(name)
    return Operator(name, operator, _kind(operator, inputs, outputs, convolution))


def _shapes(event: _Event, argument: str) -> list[_Shape]:
    """The shapes in ``[{"float": [1, 24, 56, 56]}, ...]``; what is not of this form is left out."""
    try:
        values = msgspec.convert(event.args.get(argument) or [], list[dict[str, _Shape]])
    except msgspec.ValidationError:
        return []
    return [shape for value in values for shape in value.values()]


def _kind(
    operator: str, inputs: list[_Shape], outputs: list[_Shape], file: Convolution | None
) -> Kind:
    plain = operator
    while (shorter := _QUANTISED.sub("", plain)) != plain:
        plain = shorter
    if plain in ("Conv", "ConvInteger"):
        return _convolution_kind(operator, inputs, file)
    if plain in ("Reshape", "Transpose"):
        shuffled = any(len(shape) == _SHUFFLED_RANK for shape in (*inputs, *outputs))
        return "shuffle" if shuffled else "layout"
    if plain == "Gather":
        # A shuffle reads all channels of a map; reading one row of a table is another thing.
        return "shuffle" if inputs and outputs and inputs[0] == outputs[0] else "layout"
    return _KINDS.get(plain, "other")


def _convolution_kind(operator: str, inputs: list[_Shape], file: Convolution | None) -> Kind:
    """By the shapes that the kernel was given where the trace has them, otherwise the file's."""
    weights = [shape for shape in inputs[1:] if len(shape) > 2]
    if weights:
        channels = inputs[0][-1 if operator.startswith("Nhwc") else 1]
        weight, groups = weights[0], channels // max(weights[0][1], 1)
    elif file is not None:
        weight, groups = file.weight, file.groups
    else:
        return "convolution"
    return convolution_kind(groups, groups * weight[1], weight[2:])


_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", "MatMulIntegerToFloat"), "dense"),
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"), "pooling"),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax"), "pooling"),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Sum", "Relu", "Clip"), "elementwise"),
    **dict.fromkeys(("Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu"), "elementwise"),
    "Concat": "concatenation",
    **dict.fromkeys(("ReorderInput", "ReorderOutput", "Flatten", "Pad"), "layout"),
    **dict.fromkeys(("Squeeze", "Unsqueeze", "Identity", "Slice", "Split"), "layout"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "Cast"), "conversion"),
}
