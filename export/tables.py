"""What an export tells a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from shufflenet_deploy.export.cost import Cost
from shufflenet_deploy.runtime.artifact import Artifact

NOT_RUN = "not run here"
"""What stands in place of a figure that takes an engine which this machine does not have."""


def artifacts_table(artifacts: Sequence[Artifact]) -> Table:
    """A row for each artifact: its size, and how far its float model is from the network."""
    table = _table("artifact", "MB", "M mult-adds", "difference", "engine says")
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
    data = next((cost.data for cost in costs if cost.data), None)
    table = _table("", "MB", "SQNR dB", "time here", "engine says", f"top-1 {data or ''}".strip())
    for cost in costs:
        ratio = cost.latency_ratio
        figures = (("fp32", "-", "1.00"), (
            "int8",
            NOT_RUN if cost.sqnr_db is None else f"{cost.sqnr_db:.1f}",
            "other CPU" if ratio is None else f"{ratio:.2f}",
        ))  # fmt: skip
        for index, (precision, sqnr, time) in enumerate(figures):
            table.add_row(
                f"{cost.format} {precision}",
                f"{cost.size_bytes[index] / 1e6:.2f}",
                sqnr,
                time,
                _listed(cost.remarks[index]),
                f"{cost.top1[index]:.1%}" if cost.top1 else "-",
            )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _listed(remarks: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in remarks.items()) or "-"
