"""Suites of artifacts to measure together, read from ``suites.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from itertools import product

import msgspec

from shufflenet_deploy.bench.paper.claims import ERRORS_SIZE, Paper, Size
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.options import Options


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What claims or published errors need, in every format and precision."""

    description: str
    claims: tuple[str, ...] = ()
    """Ids of the claims whose networks, at their input sizes, belong to the suite."""
    published: bool = False
    """Whether every network whose error is published belongs to the suite."""
    input_sizes: tuple[Size, ...] = ()
    """The input sizes to which those of the claims are limited; empty leaves all of them."""
    formats: tuple[str, ...] = ()
    """Formats of the suite's artifacts; empty takes every format."""
    precisions: tuple[str, ...]

    def options(self, paper: Paper) -> tuple[Options, ...]:
        """The artifacts that the suite consists of, each once, small networks' sizes first."""
        pairs = sorted(dict.fromkeys(self._networks(paper)), key=lambda pair: pair[0])
        return tuple(
            Options(
                network=network.name,
                groups=network.groups,
                scale=network.scale,
                input_size=size,
                format=format_,
                precision=precision,
            )
            for format_, precision, (size, network) in product(
                self.formats or tuple(FORMATS), self.precisions, pairs
            )
        )

    def _networks(self, paper: Paper) -> Iterator[tuple[Size, Network]]:
        for claim in paper.claims:
            if claim.id in self.claims:
                for size in claim.input_sizes:
                    if not self.input_sizes or size in self.input_sizes:
                        yield from ((size, network) for network in claim.networks)
        if self.published:
            yield from ((ERRORS_SIZE, error.network) for error in paper.errors)


def load_suites() -> dict[str, Suite]:
    """Read ``suites.toml``: name -> suite."""
    text = files("shufflenet_deploy.bench.paper").joinpath("suites.toml").read_text()
    return msgspec.convert(tomllib.loads(text), type=dict[str, Suite])


def find_suite(name: str) -> Suite:
    """The suite of that name. Raises `BenchError` where there is none."""
    suites = load_suites()
    if name not in suites:
        raise BenchError(f"unknown suite {name!r}: choose from {', '.join(suites)}", usage=True)
    return suites[name]
