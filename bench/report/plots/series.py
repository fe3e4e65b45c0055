"""How a network is drawn: equal in every plot, and told apart by shape as well as by colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.report.plots import Key


@dataclass(frozen=True)
class Series:
    """Networks that differ in their scale alone."""

    name: str
    colour: str
    marker: str


_KNOWN = {
    "shufflenet-v1-g3": ("series-1", "o"),
    "alexnet": ("series-2", "s"),
    "mobilenet-v1": ("series-3", "^"),
    "shufflenet-v1-se-g3": ("series-4", "D"),
    "shufflenet-v1-g1": ("series-5", "v"),
    "shufflenet-v1-g2": ("series-6", "P"),
    "shufflenet-v1-g4": ("series-7", "X"),
    "shufflenet-v1-g8": ("series-8", "p"),
}
_OTHERS = ("muted", "*")


def series_of(network: Network | None) -> Series:
    """The series of `network`; all that are not the paper's are one."""
    name = _name(network)
    colour, marker = _KNOWN.get(name, _OTHERS)
    return Series(name if name in _KNOWN else "others", colour, marker)


def keys(networks: Iterable[Network | None]) -> tuple[Key, ...]:
    """The legend of all series that occur."""
    present = {series_of(network) for network in networks}
    order = [*_KNOWN, "others"]
    return tuple(
        Key(series.colour, series.marker, series.name)
        for series in sorted(present, key=lambda series: order.index(series.name))
    )


def _name(network: Network | None) -> str:
    if network is None:
        return ""
    groups = "" if network.groups is None else f"-g{network.groups}"
    return f"{network.name}{groups}"
