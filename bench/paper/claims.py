"""The paper's figures and claims about time, read from ``claims.toml`` and ``published.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.paper.speedup import Point, speedup_per_fourfold
from shufflenet_deploy.runtime.errors import BenchError

PAPER = "arXiv 1707.01083"
ERRORS_SIZE = (224, 224)
"""Height and width in pixels of the input at which the published errors were measured."""

Size = tuple[int, int]
"""Height and width of an input, in pixels."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network of table 8."""

    network: Network
    multiply_adds_m: float
    """Multiply-adds of one image at 224x224, in millions."""
    latency_ms: dict[str, float]
    """Input size as height x width, such as ``480x640`` -> time of one image in milliseconds."""


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


class PublishedError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a network was wrong, as the paper has it."""

    network: Network
    top1_error_percent: float
    place: str


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence of the paper that times of `networks` can be held against."""

    id: str
    title: str
    statement: str
    place: str
    statistic: Literal["ratio", "speedup_per_fourfold", "fastest_rival"]
    networks: tuple[Network, ...]
    """The networks whose times enter the statistic, in the order in which it takes them."""
    input_sizes: tuple[Size, ...]
    """The input sizes at which the paper makes the claim."""
    says: str
    low: float
    """The lower end of the band in which the claim holds."""
    high: float | None = None
    """The upper end of the band in which the claim holds; None where the band has none."""
    better: Literal["higher", "lower"]
    """The side of the band on which a device does better than the paper says."""


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """All of the paper's figures that are used here."""

    table: Table
    claims: tuple[Claim, ...]
    errors: tuple[PublishedError, ...]

    def claim(self, id: str) -> Claim:
        """The claim of that id. Raises `BenchError` where there is none."""
        for claim in self.claims:
            if claim.id == id:
                return claim
        known = ", ".join(claim.id for claim in self.claims)
        raise BenchError(f"there is no claim {id!r}, of which results tell: known are {known}")

    def error(self, network: Network) -> PublishedError | None:
        """The published error of `network`, if there is one."""
        return next((error for error in self.errors if error.network == network), None)

    def value(self, claim: Claim, points: Sequence[Point]) -> float:
        """The claim's statistic of its networks' multiply-adds and times, in their order."""
        if claim.statistic == "fastest_rival":
            rivals = self._rivals(claim)
            return min(points[rival][1] for rival in rivals) / points[0][1]
        return _STATISTICS[claim.statistic](points)

    def theoretical(self, claim: Claim, multiply_adds: Sequence[float]) -> float:
        """The same statistic if time were proportional to multiply-adds."""
        return self.value(claim, [(count, count) for count in multiply_adds])

    def table_value(self, claim: Claim, size: Size) -> float | None:
        """The same statistic on the paper's own table, where that has all the networks."""
        points = [self.table.point(network, size) for network in claim.networks]
        known = [point for point in points if point is not None]
        return self.value(claim, known) if len(known) == len(points) else None

    def _rivals(self, claim: Claim) -> list[int]:
        """Indices of the claim's networks whose published error is below the first's."""
        first, *others = (self.error(network) for network in claim.networks)
        assert first is not None
        return [
            index
            for index, other in enumerate(others, start=1)
            if other is not None and other.top1_error_percent < first.top1_error_percent
        ]


@cache
def load_paper() -> Paper:
    """Read ``claims.toml`` and ``published.toml``."""
    return msgspec.convert(_read("claims.toml") | _read("published.toml"), type=Paper)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("shufflenet_deploy.bench.paper").joinpath(name).read_text())


def _ratio(points: Sequence[Point]) -> float:
    """Times of the first network / the second."""
    (_, first), (_, second) = points
    return first / second


_STATISTICS: dict[str, Callable[[Sequence[Point]], float]] = {
    "ratio": _ratio,
    "speedup_per_fourfold": speedup_per_fourfold,
}
