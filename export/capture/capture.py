"""From a PyTorch network to a `Graph`, by torch.export.

ATen operators are translated one by one (`aten`); then batch normalisation and ReLU are folded
into what stands before them (`folding`). An operator without a translation is refused by name.
"""

from __future__ import annotations

import torch
from torch import fx, nn

from shufflenet_deploy.export.capture.aten import (
    ALIASES,
    BATCH,
    TRANSLATIONS,
    Constants,
    Match,
    aten,
    refusal,
    rounded_range,
    source_of,
)
from shufflenet_deploy.export.capture.chains import (
    recognise_local_response_norm,
    recognise_shuffle,
)
from shufflenet_deploy.export.capture.folding import fold
from shufflenet_deploy.export.collection import without_collection
from shufflenet_deploy.export.graph.graph import Graph, Node
from shufflenet_deploy.export.graph.operators import Relu
from shufflenet_deploy.export.graph.windows import Pair
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.errors import ExportError


def capture(network: nn.Module, input_size: Pair) -> Graph:
    """The network on images of `input_size` (height, width), with BN and ReLU folded.

    Raises `ExportError` for an operator, or an argument of one, that has no translation.
    """
    return capture_rounded(network, input_size)[0]


def capture_rounded(network: nn.Module, input_size: Pair) -> tuple[Graph, Ranges]:
    """The same, and the ranges of the values that the network rounds, which the graph does not."""
    images = torch.zeros(BATCH, 3, *input_size)
    with without_collection():
        program = torch.export.export(network.eval(), (images,))
    translation = _Translation(program)
    graph = translation.graph((3, *input_size))
    folded = fold(graph)
    kept = {folded.input, *(node.name for node in folded)}
    ranges = {_survivor(name, graph, kept): limits for name, limits in translation.ranges.items()}
    for node in folded:
        # Within a range that begins at 0, a value is what a ReLU after it makes of it.
        if isinstance(node.operator, Relu) and node.name in ranges:
            (source,) = node.inputs
            if folded.sole_reader(source) is node:
                ranges.setdefault(source, ranges[node.name])
    return folded, ranges


def _survivor(name: str, graph: Graph, kept: set[str]) -> str:
    """What makes the value `name` where folding made its node a part of one before it."""
    while name not in kept:
        node = graph.node(name)
        assert node is not None
        (name,) = node.inputs
    return name


class _Translation:
    """One pass over an exported program.

    A node of a chain (a view, say) gets no value of its own: the chain's last node does. Only
    where something reads a node without a value is there an operator that nobody knows.
    """

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._fx_nodes = list(program.graph.nodes)
        self._nodes: list[Node] = []
        self._values: dict[fx.Node, str] = {}
        self._storage: dict[fx.Node, fx.Node] = {}
        """Node -> the first one whose memory it has; itself where it is not here."""
        self.ranges: Ranges = {}
        """Of the values that are rounded."""
        state = {**program.state_dict, **program.constants}
        targets = {
            spec.arg.name: spec.target
            for spec in program.graph_signature.input_specs
            if spec.target is not None
        }
        self._constants = Constants(
            {name: state[target].detach() for name, target in targets.items()}
        )

    def graph(self, input_shape: tuple[int, ...]) -> Graph:
        images = output = ""
        for node in self._fx_nodes:
            if node.op == "placeholder":
                if node not in self._constants:
                    images = self._values[node] = "images"
            elif node.op == "output":
                output = self._value(_result(node))
            else:
                self._translate(node)
        return Graph(images, input_shape, tuple(self._nodes), output)

    def _translate(self, node: fx.Node) -> None:
        if self._constants.learn(node):
            return
        if node.target in ALIASES:
            source = source_of(node)
            if source in self._values:
                self._values[node] = self._values[source]
                if node.target is not aten.clone.default:
                    self._storage[node] = self._storage.get(source, source)
            return
        if node.target is aten.fake_quantize_per_tensor_affine.default:
            value = self._values[node] = self._value(source_of(node))
            self.ranges[value] = rounded_range(node)
            return
        match = recognise_shuffle(node) or recognise_local_response_norm(node)
        if match is None and node.target in TRANSLATIONS:
            match = TRANSLATIONS[node.target](node, self._constants)
        if match is not None and self._knows_inputs(match):
            self._assign(node, self._add(node.name, match))

    def _knows_inputs(self, match: Match) -> bool:
        """Whether all that it reads has a value; else it may be in the middle of a chain."""
        return all(
            source in self._values if isinstance(source, fx.Node) else self._knows_inputs(source)
            for source in match[1]
        )

    def _add(self, name: str, match: Match) -> str:
        """Nodes that compute `match`; the name of its value, which is `name`."""
        operator, inputs = match
        values = []
        for source in inputs:
            if isinstance(source, fx.Node):
                values.append(self._value(source))
            else:
                values.append(self._add(f"{name}_{type(source[0]).__name__.lower()}", source))
        self._nodes.append(Node(name, operator, tuple(values)))
        return name

    def _assign(self, node: fx.Node, value: str) -> None:
        """Let `node` stand for `value`; done in place, so does all else of its source's storage."""
        self._values[node] = value
        schema = getattr(node.target, "_schema", None)
        if schema is not None and schema.is_mutable:
            source = source_of(node)
            storage = self._storage[node] = self._storage.get(source, source)
            for other in self._values:
                if self._storage.get(other, other) is storage:
                    self._values[other] = value

    def _value(self, node: fx.Node) -> str:
        if node not in self._values:
            raise refusal(self._first_unknown(node), "it has no translation")
        return self._values[node]

    def _first_unknown(self, node: fx.Node) -> fx.Node:
        """Where the trouble began: a node without a value whose own inputs all have one."""
        for source in node.all_input_nodes:
            if source not in self._values and source not in self._constants:
                return self._first_unknown(source)
        return node


def _result(output: fx.Node) -> fx.Node:
    results = output.args[0]
    assert isinstance(results, tuple | list)
    if len(results) != 1 or not isinstance(results[0], fx.Node):
        raise ExportError(f"cannot export a network with {len(results)} outputs: one is needed")
    return results[0]
