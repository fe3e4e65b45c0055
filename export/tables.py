"""What an export tells a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from shufflenet_deploy.export.cost import Cost
from shufflenet_deploy.export.making import Analysis
from shufflenet_deploy.export.quantisation.analysis import LayerCost
from shufflenet_deploy.runtime.artifact import Artifact

NOT_RUN = "not run here"
"""What stands in place of a figure that takes an engine which this machine does not have."""


def artifacts_table(artifacts: Sequence[Artifact]) -> Table:
    """A row for each artifact: its size, and how far it is from the network.

    Of int8 that is the float model that was quantised; what came after is `costs_table`'s.
    """
    table = _table("artifact", "MB", "M mult-adds", "float difference", "engine says")
    for artifact in artifacts:
        manifest = artifact.manifest
        verification = manifest.verification
        table.add_row(
            str(artifact.path),
            f"{manifest.size_bytes / 1e6:.1f}",
            f"{manifest.multiply_adds / 1e6:.1f}",
            NOT_RUN if verification is None else f"{verification.difference:.1e}",
            _listed(manifest.remarks),
        )
    return table


def costs_table(costs: Sequence[Cost]) -> Table:
    """Two rows for each format: fp32, and int8 with what it cost."""
    table = _table("", "MB", "SQNR dB", "agreement", "time here", "engine says")
    data = next((cost.data for cost in costs if cost.data), None)
    if data:
        for heading in (f"top-1 {data}", "95% interval", "McNemar p"):
            table.add_column(heading, justify="right")
    for cost in costs:
        table.add_row(*_full(cost), *_answers(cost, 0))
        table.add_row(*_small(cost), *_answers(cost, 1))
    return table


def layers_tables(analyses: Sequence[Analysis]) -> list[tuple[str, Table]]:
    """A row for each layer of int8, the costliest first; with a title that names the artifacts.

    Artifacts that share the layers have one table.
    """
    tables = []
    for layers, names in _shared(analyses):
        table = _table("layer", "weights dB", "output dB", "beyond range", "range", "kind")
        title = f"{', '.join(names)}: what is left with one layer alone in 8 bits"
        table.columns[-1].justify = "left"
        for layer in layers:
            low, high = layer.range
            table.add_row(
                layer.name,
                _decibels(layer.weights_db),
                _decibels(layer.activation_db),
                f"{layer.saturated:.2%}",
                f"{low:.3g} to {high:.3g}",
                layer.kind,
            )
        tables.append((title, table))
    return tables


def _shared(analyses: Sequence[Analysis]) -> list[tuple[Sequence[LayerCost], list[str]]]:
    """The artifacts' names by the layers that they have in common."""
    shared: list[tuple[Sequence[LayerCost], list[str]]] = []
    for analysis in analyses:
        for layers, names in shared:
            if layers is analysis.layers:
                names.append(analysis.artifact)
                break
        else:
            shared.append((analysis.layers, [analysis.artifact]))
    return shared


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _full(cost: Cost) -> tuple[str, ...]:
    size = f"{cost.size_bytes[0] / 1e6:.2f}"
    return (f"{cost.format} fp32", size, "-", "-", "1.00", _listed(cost.remarks[0]))


def _small(cost: Cost) -> tuple[str, ...]:
    ratio = cost.latency_ratio
    return (
        f"{cost.format} int8",
        f"{cost.size_bytes[1] / 1e6:.2f}",
        NOT_RUN if cost.sqnr_db is None else f"{cost.sqnr_db:.1f}",
        "-" if cost.agreement is None else f"{cost.agreement:.0%} of {cost.held_out}",
        "other CPU" if ratio is None else f"{ratio:.2f}",
        _listed(cost.remarks[1]),
    )


def _answers(cost: Cost, index: int) -> tuple[str, ...]:
    """The cells of the columns on right answers, of fp32 (0) or int8 (1)."""
    if not cost.data:
        return ()
    if not cost.accuracy:
        return ("-", "-", "-")
    low, high = cost.accuracy.intervals[index]
    p = f"{cost.accuracy.mcnemar_p:.2g}" if index else "-"
    return (f"{cost.accuracy.top1[index]:.1%}", f"{low:.1%} to {high:.1%}", p)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _listed(remarks: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in remarks.items()) or "-"
