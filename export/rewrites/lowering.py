"""Which rewrites an artifact gets: a format's own table, applied in the common order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.request import PRECISIONS, TARGETS
from shufflenet_deploy.export.rewrites import REWRITES
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


def lower(graph: Graph, options: Options, lowering: Lowering) -> tuple[Graph, tuple[Rewrite, ...]]:
    """The graph as `options` want it, and the rewrites that had something to do."""
    applied = []
    for name, rewrite in REWRITES.items():
        use = lowering.get(name)
        if use is not None and use.applies(options):
            graph, places = rewrite(graph)
            if places:
                applied.append(Rewrite(name=name, places=places))
    return graph, tuple(applied)
