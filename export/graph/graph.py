"""`Graph`: the small form of a network between its capture and its emission.

It is neutral of layout and of batch: see `operators`. Emitters choose the layout and put the
batch in front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shufflenet_deploy.export.graph.operators import Operator, Shape


@dataclass(frozen=True, eq=False)
class Node:
    """An operator on named values. Its one output has the node's own name."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which each comes after what it reads."""

    input: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    output: str

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def node(self, name: str) -> Node | None:
        """The node that makes the value `name`; None for the graph's input."""
        return next((node for node in self.nodes if node.name == name), None)

    def readers(self, name: str) -> list[Node]:
        """The nodes that read the value `name`, in order."""
        return [node for node in self.nodes if name in node.inputs]

    def sole_reader(self, name: str) -> Node | None:
        """The one node that reads `name`, where nothing else does."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name != self.output else None

    def with_nodes(self, changed: Mapping[str, Node | None]) -> Graph:
        """The graph with some nodes exchanged; None drops one, whose readers then read its input.

        The drop of a node with several inputs is not defined.
        """
        instead: dict[str, str] = {}
        nodes = []
        for node in self.nodes:
            new = changed.get(node.name, node)
            if new is None:
                (source,) = node.inputs
                instead[node.name] = instead.get(source, source)
            else:
                inputs = tuple(instead.get(name, name) for name in new.inputs)
                nodes.append(replace(new, inputs=inputs))
        return replace(self, nodes=tuple(nodes), output=instead.get(self.output, self.output))


Rewritten = tuple[Graph, int]
"""A graph that was changed, and the number of places where it was."""


def shapes(graph: Graph) -> dict[str, Shape]:
    """The shape of every value, without the batch.

    Raises `ValueError` for a graph that does not fit together.
    """
    known = {graph.input: graph.input_shape}
    for node in graph:
        inputs = [known[name] for name in node.inputs]
        try:
            known[node.name] = node.operator.shape(*inputs)
        except ValueError as error:
            raise ValueError(f"{node.name} does not take {inputs}: {error}") from None
    return known
