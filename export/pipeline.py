"""The way from a network to its artifacts, step by step. Read this file first.

source -> capture -> Graph -> rewrites -> emit, simplify, quantise -> verify -> artifact, manifest
"""

from __future__ import annotations

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
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.calibration import CalibrationSet, from_folder, from_noise
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import FORMATS, Emitted
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.rewrites import REWRITES, kind
from shufflenet_deploy.export.rewrites.pixels import with_normalisation
from shufflenet_deploy.export.source import Source, open_source
from shufflenet_deploy.export.verify import (
    Reference,
    quantised_self_check,
    quantised_sqnr_db,
    reference,
    self_check,
    verify,
)
from shufflenet_deploy.models.complexity import multiply_adds, parameters
from shufflenet_deploy.runtime.artifact import (
    Artifact,
    File,
    Footprint,
    Manifest,
    Options,
    Quantisation,
    Rewrite,
    Tensor,
    Verification,
    files,
    manifest_path,
    write_manifest,
)
from shufflenet_deploy.runtime.engines import open_session
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.preprocess import as_input
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

JUDGED = 32
"""Calibration images on which the SQNR of int8 is measured, at most."""

Report = Callable[[str], None]
"""Takes a line that says what is being done."""


@dataclass(frozen=True)
class _Prepared:
    """What all artifacts of one network share."""

    source: Source
    graph: Graph
    wanted: Reference
    calibration: CalibrationSet | None
    calibrated: Reference | None
    """Some of the calibration's images and what the network says of them: int8 is judged on
    images that are like those of its use."""


def export(request: Request, report: Report) -> list[Artifact]:
    """Make every artifact of `request`, each verified; those that are done stay if one fails.

    Raises `ExportError` where one cannot be made, is not what the network is, or cannot be
    written; nothing of that one is left behind.
    """
    artifacts = []
    with _folder(request.out) as staging:  # first, so that a folder that is no good costs nothing
        report(f"building the network, weights: {request.weights}")
        source = open_source(request)
        report("capturing the network")
        graph = capture(source.network, source.variant.input_size)
        report("running the network on the verification's images")
        wanted = reference(source.network, source.preprocessing)
        calibration = _calibration(request, source, report)
        calibrated = None
        if calibration is not None:
            some = calibration.pixels[:JUDGED]
            calibrated = reference(source.network, source.preprocessing, some)
        prepared = _Prepared(source, graph, wanted, calibration, calibrated)
        for options in request.artifacts(source.variant, source.tag):
            report(f"making {options.file_name}")
            staged = staging / options.file_name
            _make(staged, options, prepared)
            artifacts.append(_publish(staged, request.out))
    return artifacts


def lower(graph: Graph, options: Options) -> tuple[Graph, tuple[Rewrite, ...]]:
    """The graph as `options` want it, and the rewrites that found something to do."""
    applied = []
    wanted = kind(options.format, options.precision, options.target)
    for rewrite in REWRITES:
        chosen = rewrite.needed if options.lowering == "plain" else rewrite.kinds
        if wanted in chosen:
            graph, places = rewrite.apply(graph)
            if places:
                applied.append(Rewrite(name=rewrite.name, places=places))
    return graph, tuple(applied)


def _calibration(request: Request, source: Source, report: Report) -> CalibrationSet | None:
    if "int8" not in request.precisions:
        return None
    if request.calibration is None:
        report("calibrating with seeded noise, which is right for random weights alone")
        return from_noise(source.preprocessing)
    report(f"reading the calibration's images from {request.calibration}")
    return from_folder(request.calibration, request.samples, 0, source.preprocessing, report)


def _make(path: Path, options: Options, prepared: _Prepared) -> None:
    """Write the artifact and its manifest to `path`, verified and weighed."""
    format_ = FORMATS[options.format]
    graph = prepared.graph
    if options.io != "float32":
        graph = with_normalisation(graph, prepared.source.preprocessing, options.io)
    graph, rewrites = lower(graph, options)
    calibration = prepared.calibration
    inputs = calibration.inputs(options.io, format_.layout) if calibration else ()
    emitted = format_.emit(graph, options, inputs)
    path.write_bytes(emitted.data)
    manifest = _manifest(path, options, prepared, emitted, rewrites)
    write_manifest(manifest_path(path), manifest)
    weighed = msgspec.structs.replace(manifest, footprint=_footprint(path))
    write_manifest(manifest_path(path), weighed)


def _manifest(
    path: Path,
    options: Options,
    prepared: _Prepared,
    emitted: Emitted,
    rewrites: tuple[Rewrite, ...],
) -> Manifest:
    """Verify the artifact at `path` and say all that is known of it."""
    source, wanted, layout = prepared.source, prepared.wanted, FORMATS[options.format].layout
    session = open_session(path)
    partitions = session.delegate_partitions  # before a batch of another size changes the plan
    images = as_input(wanted.pixels, source.preprocessing, options.io, layout)
    quantisation = None
    if emitted.before is None:
        verification = verify(session, images, options.precision, wanted)
        check = self_check(options.precision, wanted)
    else:
        verification = _verify_float(path, emitted.before.data, images, wanted)
        check = quantised_self_check(session, images, wanted)
        assert prepared.calibrated is not None
        calibrated = as_input(prepared.calibrated.pixels, source.preprocessing, options.io, layout)
        quantisation = Quantisation(
            scheme=emitted.before.scheme,
            sqnr_db=quantised_sqnr_db(session, calibrated, prepared.calibrated),
        )
    channels, height, width = prepared.graph.input_shape
    shape = {"NCHW": (channels, height, width), "NHWC": (height, width, channels)}[layout]
    return Manifest(
        files=tuple(map(File.of, files(path))),
        options=options,
        weights=source.weights,
        multiply_adds=multiply_adds(source.network, options.input_size),
        parameters=parameters(source.network),
        rounded_widths=getattr(source.network, "rounded", {}),
        input=Tensor(
            name=prepared.graph.input, shape=(-1, *shape), layout=layout, dtype=options.io
        ),
        output=Tensor(
            name="logits", shape=(-1, wanted.logits.shape[1]), layout="NC", dtype="float32"
        ),
        preprocessing=source.preprocessing,
        labels=source.labels,
        rewrites=rewrites,
        simplification=emitted.simplification,
        quantisation=quantisation,
        calibration=prepared.calibration.record if quantisation and prepared.calibration else None,
        verification=verification,
        self_check=check,
        delegate_partitions=partitions,
        footprint=None,
        tool_versions=_tool_versions(),
    )


def _verify_float(path: Path, data: bytes, images: NDArray[Any], wanted: Reference) -> Verification:
    """Verify what was quantised: rewrites and emission are exact or they are wrong."""
    before = path.with_name(f"before-{path.name}")
    before.write_bytes(data)
    try:
        return verify(open_session(before), images.astype(np.float32), "fp32", wanted)
    finally:
        before.unlink()


def _footprint(path: Path) -> Footprint:
    """Load and run the artifact once in a process of its own, as a device would.

    That process checks the manifest, the hash and one image's logits by itself.
    """
    spec = Spec(artifacts=(str(path),), rounds=0)
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
    answer = msgspec.json.decode(worker.stdout, type=Answer)
    if answer.skipped:
        raise ExportError(
            f"{path.name} cannot be tried: it needs about "
            f"{answer.skipped[0].needed_bytes / 1e6:.0f} MB of memory where "
            f"{answer.skipped[0].available_bytes / 1e6:.0f} MB are available; stop what else runs"
        )
    (model,) = answer.models
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
    for file in (*files(staged), manifest_path(staged)):
        file.replace(out / file.name)
    return Artifact.open(path)


def _tool_versions() -> dict[str, str]:
    tools = (
        "shufflenet-deploy", "torch", "onnx", "onnxsim", "onnxruntime", "ai-edge-quantizer",
        "flatbuffers", "numpy",
    )  # fmt: skip
    return {"python": platform.python_version(), **{tool: version(tool) for tool in tools}}
