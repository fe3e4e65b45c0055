"""All that is known of an artifact, as the manifest that lies beside it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from torch import nn

from shufflenet_deploy.export.formats import emitter_for
from shufflenet_deploy.export.graph.complexity import multiply_adds
from shufflenet_deploy.export.graph.graph import Graph, shapes
from shufflenet_deploy.export.making import Made
from shufflenet_deploy.export.source import Source
from shufflenet_deploy.runtime.artifact import file_paths
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.manifest import File, Manifest, Rewrite, Tensor
from shufflenet_deploy.runtime.options import Options

TOOLS = ("shufflenet-deploy", "torch", "numpy")
"""The distributions that make every artifact, beside those that its format names: of equal options
and versions, two artifacts are the same."""


def describe(
    path: Path,
    options: Options,
    source: Source,
    captured: Graph,
    graph: Graph,
    rewrites: tuple[Rewrite, ...],
    made: Made,
) -> Manifest:
    """The manifest of the artifact at `path`, but for its footprint.

    `captured` is the network's graph, and `graph` that with the normalisation that was asked for.
    """
    return Manifest(
        files=tuple(map(File.of, file_paths(path))),
        options=options,
        weights=source.weights,
        multiply_adds=multiply_adds(captured),
        parameters=parameters(source.network),
        rounded_widths=getattr(source.network, "rounded", {}),
        input=_input(graph, options),
        output=_output(graph, options),
        preprocessing=source.preprocessing,
        labels=source.labels,
        rewrites=rewrites,
        simplification=made.simplification,
        quantisation=made.quantisation,
        calibration=made.calibration,
        verification=made.verification,
        self_check=made.self_check,
        remarks=made.remarks,
        footprint=None,
        tool_versions=_tool_versions(options),
    )


def parameters(network: nn.Module) -> int:
    """Trainable numbers; BN's running statistics are not among them."""
    return sum(parameter.numel() for parameter in network.parameters())


def _input(graph: Graph, options: Options) -> Tensor:
    layout = FORMATS[options.format].layout
    channels, height, width = graph.input_shape
    shape = {"NCHW": (channels, height, width), "NHWC": (height, width, channels)}[layout]
    return Tensor(
        name=graph.input, shape=(_batch(options), *shape), layout=layout, dtype=options.io
    )


def _output(graph: Graph, options: Options) -> Tensor:
    (classes,) = shapes(graph)[graph.output]
    return Tensor(name="logits", shape=(_batch(options), classes), layout="NC", dtype="float32")


def _batch(options: Options) -> int:
    """The first dimension of a tensor's shape."""
    return 1 if FORMATS[options.format].fixed_batch else -1


def _tool_versions(options: Options) -> dict[str, str]:
    tools = (*TOOLS, *emitter_for(options.format).tools)
    return {"python": platform.python_version(), **{tool: version(tool) for tool in tools}}
