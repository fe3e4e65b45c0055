"""Suites of artifacts to measure together, read from ``suites.toml``."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from itertools import product

import msgspec

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.runtime.artifact import Options


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network as a suite or a claim names it, whatever its size and format."""

    name: str
    groups: int | None = None
    scale: float | None = None

    @staticmethod
    def of(options: Options) -> Network:
        """The network that an artifact was exported from."""
        return Network(name=options.network, groups=options.groups, scale=options.scale)


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every network at every size, in every format and precision."""

    description: str
    networks: tuple[Network, ...]
    input_sizes: tuple[tuple[int, int], ...]
    """Heights and widths in pixels."""
    formats: tuple[str, ...]
    precisions: tuple[str, ...]

    def options(self) -> tuple[Options, ...]:
        """The artifacts that the suite consists of, in the order of its tables."""
        return tuple(
            Options(
                network=network.name,
                groups=network.groups,
                scale=network.scale,
                input_size=input_size,
                format=format_,
                precision=precision,
            )
            for format_, precision, input_size, network in product(
                self.formats, self.precisions, self.input_sizes, self.networks
            )
        )


def load_suites() -> dict[str, Suite]:
    """All suites by name."""
    text = files("shufflenet_deploy.bench").joinpath("suites.toml").read_text()
    return msgspec.convert(tomllib.loads(text), type=dict[str, Suite])


def find_suite(name: str) -> Suite:
    """The suite called `name`. Raises `BenchError` where there is none."""
    suites = load_suites()
    if name not in suites:
        raise BenchError(f"unknown suite {name!r}: choose from {', '.join(suites)}", usage=True)
    return suites[name]
