"""A profile of a network on LiteRT, from the profiler in its C library.

Why this and not the time of prefixes of the graph, whose differences are operators' times: the
network is one partition of XNNPACK, and XNNPACK tells the profiler of every operator in it. Under
the profiler ShuffleNet 1x took 1.02 of its time without in fp32 and 1.03 in int8, MobileNet 1.01,
AlexNet 1.00 (x86-64, bursts in turns), and the operators summed up to 94 to 99% of it. Two graphs
compare to 0.4% at best, which is more than most operators take, and a prefix is a network for
which memory is planned otherwise. What remains to be known:

- Times are whole microseconds, cut off: half of one is lost for each operator on the average, and
  is found again as the engine's overhead.
- XNNPACK has operators of its own: a padding that became part of a convolution has no time, a
  ReLU that was part of an addition has one (``Clamp``). They are matched to the file's in order,
  and one that matches none is named after the last that did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines.litert_c import CompiledModel, Event
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.profiling.kinds import Kind, Operator, convolution_kind
from shufflenet_deploy.runtime.profiling.trace import Trace

_OPERATOR = 1 << 1
"""The EventType of an operator that LiteRT runs itself."""
_DELEGATED = 1 << 3
"""The EventType of an operator inside a delegate."""

Shape = tuple[int, ...]


class Node(NamedTuple):
    """An operator of the file."""

    operator: str
    """TFLite's name for the operator, such as ``CONV_2D``."""
    name: str
    """The name of the tensor that the operator makes."""
    inputs: tuple[Shape, ...]
    output: Shape
    kind: Kind


class LiteRTProfiler:
    """A `runtime.engines.Profiler` of LiteRT."""

    def __init__(self, path: Path, threads: int) -> None:
        self._model = CompiledModel(path, threads)
        self._nodes = read_nodes(path)
        self._runs: list[list[Event]] = []
        self._filled: NDArray[Any] | None = None

    def run(self, *inputs: NDArray[Any]) -> None:
        """One run."""
        if len(inputs) > 1:
            raise InferenceError(f"LiteRT's profiler is used for one input, not for {len(inputs)}")
        if inputs[0] is not self._filled:
            self._model.fill(inputs[0])
            self._filled = inputs[0]
        self._model.run()

    def record(self) -> None:
        """Keep what the profiler saw of the last run."""
        events = [event for event in self._model.events() if event.type in (_OPERATOR, _DELEGATED)]
        self._runs.append(events)

    def close(self) -> None:
        """Unload the network."""
        self._model.close()

    def finish(self) -> Trace:
        """What was kept of the runs."""
        tags = [[event.tag for event in run] for run in self._runs]
        if not tags or not tags[0] or any(run != tags[0] for run in tags):
            raise InferenceError("LiteRT's profiler saw no operators, or others from run to run")
        return Trace(
            operators=tuple(attribute(tags[0], self._nodes)),
            runs_ns=tuple(tuple(event.elapsed_us * 1000 for event in run) for run in self._runs),
        )


def read_nodes(path: Path) -> list[Node]:
    """The operators of the file in its order; none where the interpreter does not tell them."""
    # Not allocated, and so not delegated: these are the file's own operators.
    interpreter = Interpreter(model_path=str(path))
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    try:
        details = interpreter._get_ops_details()
    except AttributeError:  # there is no public method that tells
        return []
    shuffles = _shuffles(details, {i: _shape(tensor) for i, tensor in tensors.items()})
    nodes = []
    for index, detail in enumerate(details):
        inputs = tuple(_shape(tensors[i]) for i in detail["inputs"] if i in tensors)
        made = tensors[detail["outputs"][0]]
        kind = "shuffle" if index in shuffles else _kind(detail["op_name"], inputs)
        nodes.append(Node(detail["op_name"], made["name"], inputs, _shape(made), kind))
    return nodes


def _shape(tensor: dict[str, Any]) -> Shape:
    return tuple(int(size) for size in tensor["shape"])


def _shuffles(details: Sequence[dict[str, Any]], shapes: dict[int, Shape]) -> set[int]:
    """Which operators shuffle channels.

    A map that is reshaped, transposed, and has its first shape again; or whose channels are
    gathered, and are as many as before.
    """
    made_by = {detail["outputs"][0]: index for index, detail in enumerate(details)}
    shuffling = set[int]()
    for index, detail in enumerate(details):
        source, result = shapes.get(detail["inputs"][0]), shapes[detail["outputs"][0]]
        if detail["op_name"] == "GATHER" and source == result and len(result) == 4:
            shuffling.add(index)
        turned = made_by.get(detail["inputs"][0])
        if detail["op_name"] != "RESHAPE" or turned is None:
            continue
        split = made_by.get(details[turned]["inputs"][0])
        if split is None or details[turned]["op_name"] != "TRANSPOSE":
            continue
        before = shapes.get(details[split]["inputs"][0])
        if details[split]["op_name"] == "RESHAPE" and before == result and len(result) == 4:
            shuffling.update((split, turned, index))
    return shuffling


def _kind(operator: str, inputs: tuple[Shape, ...]) -> Kind:
    if operator == "CONV_2D" and len(inputs) > 1 and len(inputs[1]) == 4:
        _, height, width, filter_channels = inputs[1]  # (M, kh, kw, C / groups)
        channels = inputs[0][-1]
        return convolution_kind(channels // max(filter_channels, 1), channels, (height, width))
    return _KINDS.get(operator, "other")


_KINDS: dict[str, Kind] = {
    "CONV_2D": "convolution",
    "TRANSPOSE_CONV": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    **dict.fromkeys(("FULLY_CONNECTED", "BATCH_MATMUL"), "dense"),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "SUM", "REDUCE_MAX"), "pooling"),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "SQUARE", "SQRT", "RSQRT"), "elementwise"),
    **dict.fromkeys(("RELU", "RELU6", "LOGISTIC", "HARD_SWISH", "MINIMUM"), "elementwise"),
    **dict.fromkeys(("LEAKY_RELU", "PRELU", "TANH", "MAXIMUM"), "elementwise"),
    "CONCATENATION": "concatenation",
    **dict.fromkeys(("RESHAPE", "TRANSPOSE", "GATHER", "PAD", "PADV2", "MIRROR_PAD"), "layout"),
    **dict.fromkeys(("SQUEEZE", "EXPAND_DIMS", "SLICE", "STRIDED_SLICE", "SPLIT"), "layout"),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "CAST"), "conversion"),
}

_FAMILIES: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "Convolution": ("convolution", ("CONV_2D", "DEPTHWISE_CONV_2D")),
    "Fully Connected": ("dense", ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL")),
    "Batch Matrix Multiply": ("dense", ("BATCH_MATMUL", "FULLY_CONNECTED")),
    "Deconvolution": ("convolution", ("TRANSPOSE_CONV",)),
    "Max Pooling": ("pooling", ("MAX_POOL_2D",)),
    "Average Pooling": ("pooling", ("AVERAGE_POOL_2D", "MEAN")),
    "Global Average Pooling": ("pooling", ("AVERAGE_POOL_2D", "MEAN")),
    "Mean": ("pooling", ("MEAN",)),
    "Sum": ("pooling", ("SUM",)),
    "Constant Pad": ("layout", ("PAD", "PADV2")),
    "Transpose": ("layout", ("TRANSPOSE",)),
    "Static Reshape": ("layout", ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")),
    "Copy": ("concatenation", ("CONCATENATION", "RESHAPE", "SPLIT")),
    "Static Slice": ("layout", ("SLICE", "STRIDED_SLICE", "SPLIT")),
    "Add": ("elementwise", ("ADD",)),
    "Subtract": ("elementwise", ("SUB",)),
    "Multiply": ("elementwise", ("MUL",)),
    "Divide": ("elementwise", ("DIV",)),
    "Square": ("elementwise", ("SQUARE", "MUL")),
    "Square Root": ("elementwise", ("SQRT",)),
    "Reciprocal Square Root": ("elementwise", ("RSQRT",)),
    "Clamp": ("elementwise", ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")),
    "Sigmoid": ("elementwise", ("LOGISTIC",)),
    "HardSwish": ("elementwise", ("HARD_SWISH",)),
    "Convert": ("conversion", ("QUANTIZE", "DEQUANTIZE", "CAST")),
}
"""XNNPACK's name for an operator -> its kind where nothing more is known, and TFLite's operators
that it may come from."""


def attribute(tags: Sequence[str], nodes: Sequence[Node]) -> Iterator[Operator]:
    """For each kernel that ran, in order, what it is: by the file's operator where one matches."""
    matched = _match(tags, nodes)
    name = nodes[matched[min(matched)]].name if matched else ""
    for index, tag in enumerate(tags):
        if index in matched:
            node = nodes[matched[index]]
            name = node.name
            yield Operator(name, tag, node.kind)
        else:
            yield Operator(name or tag, tag, _kind_by_tag(tag))


def _match(tags: Sequence[str], nodes: Sequence[Node]) -> dict[int, int]:
    """Kernel -> operator, in order and as many as possible: the longest common subsequence."""
    fits = [[_may_be(tag, node) for node in nodes] for tag in tags]
    longest = [[0] * (len(nodes) + 1) for _ in range(len(tags) + 1)]
    for i in reversed(range(len(tags))):
        for j in reversed(range(len(nodes))):
            longest[i][j] = max(
                longest[i + 1][j], longest[i][j + 1], longest[i + 1][j + 1] + fits[i][j]
            )
    matched = {}
    i = j = 0
    while i < len(tags) and j < len(nodes):
        if fits[i][j] and longest[i][j] == longest[i + 1][j + 1] + 1:
            matched[i] = j
            i, j = i + 1, j + 1
        elif longest[i][j] == longest[i][j + 1]:
            j += 1
        else:
            i += 1
    return matched


def _may_be(tag: str, node: Node) -> bool:
    if tag == node.operator:  # not delegated
        return True
    return node.operator in _FAMILIES.get(_family(tag), ("other", ()))[1]


def _kind_by_tag(tag: str) -> Kind:
    if tag.endswith("DWConv"):
        return "depthwise"
    if _family(tag) in _FAMILIES:
        return _FAMILIES[_family(tag)][0]
    return _KINDS.get(tag, "other")


def _family(tag: str) -> str:
    return tag.split(" (")[0]
