"""The paper's figures and claims about time, read from ``claims.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Literal

import msgspec

from shufflenet_deploy.bench.statistics import Point, speedup_per_fourfold
from shufflenet_deploy.bench.suites import Network

Size = tuple[int, int]
"""Height and width of an input, in pixels."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network of table 8."""

    network: Network
    multiply_adds_m: float
    """Millions."""
    latency_ms: dict[str, float]
    """Height x width -> time of one image."""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper's table 8: times that its authors measured."""

    place: str
    device: str
    rows: tuple[Row, ...]

    def point(self, network: Network, size: Size) -> Point | None:
        """Multiply-adds and time of `network` at `size`, where the table has it.

        The multiply-adds are in millions and those of 224x224 at every size, as printed: only
        their ratio between networks enters a statistic.
        """
        height, width = size
        for row in self.rows:
            if row.network == network and f"{height}x{width}" in row.latency_ms:
                return row.multiply_adds_m, row.latency_ms[f"{height}x{width}"]
        return None


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence of the paper that times of `networks` can be held against."""

    id: str
    title: str
    statement: str
    place: str
    statistic: Literal["ratio", "speedup_per_fourfold"]
    networks: tuple[Network, ...]
    """In the order in which the statistic takes them."""
    says: float
    theoretical: float
    """What it would be if time were proportional to multiply-adds."""

    def value(self, points: Sequence[Point]) -> float:
        """The claim's statistic of its networks' multiply-adds and times."""
        return _STATISTICS[self.statistic](points)


class Paper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of ``claims.toml``."""

    table: Table
    claims: tuple[Claim, ...]

    def table_value(self, claim: Claim, size: Size) -> float | None:
        """The same statistic on the paper's own table, where that has all the networks."""
        points = [self.table.point(network, size) for network in claim.networks]
        known = [point for point in points if point is not None]
        return claim.value(known) if len(known) == len(points) else None


def load_paper() -> Paper:
    """Read ``claims.toml``."""
    text = files("shufflenet_deploy.bench").joinpath("claims.toml").read_text()
    return msgspec.convert(tomllib.loads(text), type=Paper)


def _ratio(points: Sequence[Point]) -> float:
    """The first network's time by the second's."""
    (_, first), (_, second) = points
    return first / second


_STATISTICS: dict[str, Callable[[Sequence[Point]], float]] = {
    "ratio": _ratio,
    "speedup_per_fourfold": speedup_per_fourfold,
}
