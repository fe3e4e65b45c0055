"""How each format of `runtime.formats` is emitted: one row each.

A format's modules, and the packages that they need, are imported when it is first asked for:
onnxsim alone takes longer to import than all else that a TFLite export does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from shufflenet_deploy.export.formats.emitter import Emitter, Quantiser
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.rewrites import lowering
from shufflenet_deploy.export.rewrites.lowering import Lowered
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.options import Options


def _in(folder: str) -> Callable[[], Emitter]:
    """What imports the emitter of one of this folder's formats, when it is called."""

    def imported() -> Emitter:
        emitter: Emitter = import_module(f"{__name__}.{folder}.emitter").EMITTER
        return emitter

    return imported


EMITTERS: dict[str, Callable[[], Emitter]] = {
    "onnx": _in("onnx"),
    "tflite": _in("tflite"),
}
"""By the format's name; each row imports what emits it."""


def emitter_for(format_: str) -> Emitter:
    """How artifacts of the format called `format_` are made."""
    return EMITTERS[format_]()


def quantiser_for(format_: str) -> Quantiser:
    """How the format's int8 is made. Raises `ExportError` (usage) where there is none."""
    quantiser = emitter_for(format_).quantiser
    if quantiser is None:
        raise ExportError(f"{format_} has no int8: leave out --precision int8", usage=True)
    return quantiser


def require(formats: Iterable[str], precisions: Iterable[str]) -> None:
    """Raise `ExportError` (usage) where one of `formats` is not made in one of `precisions`."""
    if "int8" in precisions:
        for format_ in formats:
            quantiser_for(format_)


def lower(graph: Graph, options: Options) -> Lowered:
    """The graph as `options` want it, with the rewrites that had something to do."""
    return lowering.lower(graph, options, emitter_for(options.format).lowering)
