"""The way from a network to its artifacts, step by step. Read this file first.

network -> capture -> Graph -> rewrites -> emit -> simplify -> verify -> artifact and manifest
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import torch
from torch import nn

from shufflenet_deploy.export import ExportError
from shufflenet_deploy.export.capture import capture
from shufflenet_deploy.export.graph import Graph
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.rewrites import REWRITES
from shufflenet_deploy.export.verify import Reference, reference, self_check, verify
from shufflenet_deploy.models import Variant, build
from shufflenet_deploy.models.complexity import multiply_adds, parameters
from shufflenet_deploy.models.random_weights import randomise
from shufflenet_deploy.runtime.artifact import (
    Artifact,
    Footprint,
    Manifest,
    Options,
    Preprocessing,
    Rewrite,
    Simplification,
    Tensor,
    Weights,
    manifest_path,
    write_manifest,
)
from shufflenet_deploy.runtime.files import sha256
from shufflenet_deploy.runtime.seeded import seeded_images, to_layout
from shufflenet_deploy.runtime.session import open_session
from shufflenet_deploy.runtime.spec import Answer, Spec

WEIGHTS_SEED = 0
STATISTICS_SEED = 1000
"""Of the images that random networks' BN statistics are estimated on; not those of verify."""

Report = Callable[[str], None]
"""Takes a line that says what is being done."""


@dataclass(frozen=True)
class Format:
    """A row of `FORMATS`: how a graph becomes a file, and the layout of its input."""

    emit: Callable[[Graph], tuple[bytes, Simplification | None]]
    layout: str


def _emit_onnx(graph: Graph) -> tuple[bytes, Simplification]:
    # Here, because importing onnxsim takes longer than all else that a TFLite export does.
    from shufflenet_deploy.export import to_onnx
    from shufflenet_deploy.export.simplify import simplify

    model, record = simplify(to_onnx.emit(graph), graph.input_shape)
    return model.SerializeToString(), record


def _emit_tflite(graph: Graph) -> tuple[bytes, None]:
    from shufflenet_deploy.export import to_tflite

    return to_tflite.emit(graph), None


FORMATS: dict[str, Format] = {
    "onnx": Format(_emit_onnx, "NCHW"),
    "tflite": Format(_emit_tflite, "NHWC"),
}


def export(request: Request, report: Report) -> list[Artifact]:
    """Make every artifact of `request`, each verified; those that are done stay if one fails.

    Raises `ExportError` where one cannot be made, is not what the network is, or cannot be
    written; nothing of that one is left behind.
    """
    variant = request.variant
    artifacts = []
    with _folder(request.out) as staging:  # first, so that a folder that is no good costs nothing
        report(f"building {variant.network} with seeded random weights")
        network = random_network(variant)
        report("capturing the network")
        graph = capture(network, variant.input_size)
        report("running the network on the verification's images")
        wanted = reference(network, variant.input_size)
        for options in request.artifacts:
            report(f"making {options.file_name}")
            staged = staging / options.file_name
            _make(staged, options, network, graph, wanted)
            artifacts.append(_publish(staged, request.out))
    return artifacts


def random_network(variant: Variant) -> nn.Module:
    """The network with seeded weights, which do not depend on the input's size."""
    network = build(variant)
    images = seeded_images(8, (224, 224), STATISTICS_SEED)
    randomise(network, torch.from_numpy(to_layout(images, "NCHW")), WEIGHTS_SEED)
    return network


def lower(graph: Graph, options: Options) -> tuple[Graph, tuple[Rewrite, ...]]:
    """The graph as `options` want it, and the rewrites that found something to do."""
    if options.lowering == "plain":
        return graph, ()
    applied = []
    for rewrite in REWRITES:
        if options.format in rewrite.formats:
            graph, places = rewrite.apply(graph)
            if places:
                applied.append(Rewrite(name=rewrite.name, places=places))
    return graph, tuple(applied)


def _make(
    path: Path, options: Options, network: nn.Module, graph: Graph, wanted: Reference
) -> None:
    """Write the artifact and its manifest to `path`, verified and weighed."""
    format_ = FORMATS[options.format]
    lowered, rewrites = lower(graph, options)
    data, simplification = format_.emit(lowered)
    path.write_bytes(data)

    session = open_session(path)
    partitions = session.delegate_partitions  # before a batch of another size changes the plan
    verification = verify(session, format_.layout, options.precision, wanted)
    del session

    channels, height, width = graph.input_shape
    shape = {"NCHW": (channels, height, width), "NHWC": (height, width, channels)}[format_.layout]
    manifest = Manifest(
        file_name=options.file_name,
        sha256=sha256(path),
        size_bytes=len(data),
        options=options,
        weights=Weights(origin="random", seed=WEIGHTS_SEED, sha256=_weights_sha256(network)),
        multiply_adds=multiply_adds(network, options.input_size),
        parameters=parameters(network),
        rounded_widths=getattr(network, "rounded", {}),
        input=Tensor(name=graph.input, shape=(-1, *shape), layout=format_.layout, dtype="float32"),
        output=Tensor(
            name="logits", shape=(-1, wanted.logits.shape[1]), layout="NC", dtype="float32"
        ),
        preprocessing=Preprocessing(crop=options.input_size),
        labels=None,
        rewrites=rewrites,
        simplification=simplification,
        verification=verification,
        self_check=self_check(options.precision, wanted),
        delegate_partitions=partitions,
        footprint=None,
        tool_versions=_tool_versions(),
    )
    write_manifest(manifest_path(path), manifest)
    weighed = msgspec.structs.replace(manifest, footprint=_footprint(path))
    write_manifest(manifest_path(path), weighed)


def _footprint(path: Path) -> Footprint:
    """Load and run the artifact once in a process of its own, as a device would.

    That process checks the manifest, the hash and one image's logits by itself.
    """
    spec = Spec(artifacts=(str(path),), rounds=0, warm_up=0)
    worker = subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.runtime"],
        input=msgspec.json.encode(spec),
        capture_output=True,
        check=False,
    )
    if worker.returncode != 0:
        *_, reason = worker.stderr.decode(errors="replace").splitlines() or ["no reason given"]
        raise ExportError(
            f"{path.name} does not run in a process of its own "
            f"(exit {worker.returncode}): {reason.removeprefix('error: ')}"
        )
    (model,) = msgspec.json.decode(worker.stdout, type=Answer).models
    return Footprint(load_time_ms=model.load_ns / 1e6, peak_memory_bytes=model.peak_memory_bytes)


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Make the output folder, yield a hidden one inside it to work in, and remove that again."""
    staging = out / f".export-{os.getpid()}"
    was_there = out.exists()
    try:
        staging.mkdir(parents=True)
        yield staging
    except OSError as error:
        raise ExportError(
            f"cannot write to {out}: {error.strerror}; make room there or choose another --out"
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not was_there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _publish(staged: Path, out: Path) -> Artifact:
    """Move a finished artifact and its manifest to their place; a rename cannot fail halfway."""
    path = out / staged.name
    staged.replace(path)
    manifest_path(staged).replace(manifest_path(path))
    return Artifact.open(path)


def _weights_sha256(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _tool_versions() -> dict[str, str]:
    tools = ("shufflenet-deploy", "torch", "onnx", "onnxsim", "flatbuffers", "numpy")
    return {"python": platform.python_version(), **{tool: version(tool) for tool in tools}}
