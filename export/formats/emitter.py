"""What a format's folder offers: how its artifacts are made of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.rewrites.lowering import Lowering
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Simplification
from shufflenet_deploy.runtime.options import Options

PRODUCER = "shufflenet-deploy"
"""What models name as their producer, where their format has a place for that."""


@dataclass(frozen=True)
class Emitted:
    """A model's bytes, and what is to be told of how they were made."""

    files: tuple[bytes, ...]
    """The content of each file, in the order of the format's suffixes."""
    simplification: Simplification | None = None


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """How int8 is made: of a float model that is verified first."""

    emit: Callable[[Graph, Options], Emitted]
    """Makes the float model, whose input takes the numbers of ``--io`` as float32."""
    quantise: Callable[[Emitted, Graph, Options, Ranges], Emitted]
    """Makes that model int8, by the ranges of the graph's values, with an input of the type that
    ``--io`` asks for."""
    scheme: Callable[[Options], str]
    """Says how int8 is made, in the manifest's words."""
    depends_on_target: bool
    """Whether int8 for another processor is another artifact, which is of no use on this one."""


@dataclass(frozen=True, kw_only=True)
class Emitter:
    """How a format's artifacts are made. Each format's folder has one."""

    emit: Callable[[Graph, Options], Emitted]
    """Makes the artifact in fp32 or fp16; raises `ExportError` for what the format cannot do."""
    lowering: Lowering
    """The rewrites that the format's artifacts have."""
    tools: tuple[str, ...] = ()
    """The Python distributions that make the files, whose versions the manifest holds; none where
    this project writes them by itself."""
    half_saves: str | None = None
    """What is to be said of the format's fp16, where it does not do what people make it for."""
    quantiser: Quantiser | None = None
    """How the format's int8 is made; None where it has none."""


@contextmanager
def quantiser_errors(quantiser: str) -> Iterator[None]:
    """A quantiser's own exception as one line: it is not the user's fault, nor of use to them."""
    try:
        yield
    except (ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"{quantiser} does not take this network: {reason}") from error
