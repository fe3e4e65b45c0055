"""Which rewrites an artifact gets: a format's own table, applied in the common order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.request import PRECISIONS, TARGETS
from shufflenet_deploy.export.rewrites import KEEP_VALUES, REWRITES
from shufflenet_deploy.runtime.manifest import Rewrite
from shufflenet_deploy.runtime.options import Options


@dataclass(frozen=True, kw_only=True)
class Use:
    """Which artifacts of a format have a rewrite: by default all but those of a plain lowering."""

    precisions: tuple[str, ...] = PRECISIONS
    """The precisions that the rewrite makes faster."""
    targets: tuple[str, ...] = TARGETS
    """The processors on which it makes int8 faster; float artifacts are the same for all."""
    plain: tuple[str, ...] = ()
    """The precisions that need the rewrite under ``--lowering plain`` too."""

    def applies(self, options: Options) -> bool:
        """Whether the artifact of `options` has the rewrite."""
        precisions = self.plain if options.lowering == "plain" else self.precisions
        if options.precision == "int8" and options.target not in self.targets:
            return False
        return options.precision in precisions


Lowering = Mapping[str, Use]
"""A format's rewrites, by their names in `REWRITES`; their order here means nothing."""


@dataclass(frozen=True)
class Lowered:
    """A graph as an artifact wants it."""

    graph: Graph
    rewrites: tuple[Rewrite, ...]
    """The rewrites that had something to do, in their order."""
    settled: Graph
    """The graph after the last rewrite that changes a value. Formats with different rewrites after
    it have this one in common, with all that was learnt of its values."""
    common: tuple[str, ...]
    """The names of the rewrites up to there: of one network, they name `settled`."""

    def finished(self, settled: Graph) -> Graph:
        """`settled` with other weights, and with the rewrites that follow it."""
        for rewrite in self.rewrites[len(self.common) :]:
            settled, _ = REWRITES[rewrite.name](settled)
        return settled


def lower(graph: Graph, options: Options, lowering: Lowering) -> Lowered:
    """The graph as `options` want it."""
    applied: list[Rewrite] = []
    settled, common = graph, 0
    for name, rewrite in REWRITES.items():
        use = lowering.get(name)
        if use is not None and use.applies(options):
            graph, places = rewrite(graph)
            if places:
                applied.append(Rewrite(name=name, places=places))
                if name not in KEEP_VALUES:
                    settled, common = graph, len(applied)
    names = tuple(rewrite.name for rewrite in applied[:common])
    return Lowered(graph, tuple(applied), settled, names)
