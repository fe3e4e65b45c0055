"""The way from a network to its artifacts, step by step. Read this file first.

source -> capture -> Graph -> rewrites -> emit, quantise, verify (`making`) -> artifact, manifest
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch

from shufflenet_deploy.export import formats
from shufflenet_deploy.export.calibration import CalibrationSet, from_noise, from_source
from shufflenet_deploy.export.capture.capture import capture, capture_rounded
from shufflenet_deploy.export.gate import Gate, unlike_training
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.making import Analysed, FloatMaker, Int8Maker, Maker
from shufflenet_deploy.export.manifest import describe
from shufflenet_deploy.export.request import RANDOM, TARGETS, Request
from shufflenet_deploy.export.rewrites.pixels import with_normalisation
from shufflenet_deploy.export.source import Source, open_source
from shufflenet_deploy.export.staging import publish, require_replaceable, staging
from shufflenet_deploy.export.verify import reference
from shufflenet_deploy.models.networks.activations import rounded_activations
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.unlikeness import spread_difference
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import why_not_here
from shufflenet_deploy.runtime.errors import ExportError, ProcessError
from shufflenet_deploy.runtime.manifest import Footprint, manifest_path, write_manifest
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.client import run_worker
from shufflenet_deploy.runtime.worker.spec import Spec

Report = Callable[[str], None]
"""A function that takes a line that says what is being done."""

Weigh = Callable[[Artifact, Artifact], None]
"""A function that takes an fp32 artifact and the int8 one made of the same network; what it raises
keeps the second from being published."""


SPREAD_IMAGES = 16
"""How many images tell whether they are unlike training's."""


def export(
    request: Request,
    report: Report,
    weigh: Weigh | None = None,
    analysed: Analysed | None = None,
) -> list[Artifact]:
    """Make every artifact of `request`, each verified; those that are done stay if one fails.

    `weigh` gets each int8 artifact beside its fp32 one, made for that where it was not asked for,
    before the int8 one is published. `analysed` gets what each layer of an int8 artifact costs,
    also where that one is refused then. Raises `ExportError` where one cannot be made, is not what
    the network is, or cannot be written, and whatever `weigh` raises; nothing of that one is left
    behind.
    """
    formats.require(request.formats, request.precisions)
    artifacts = []
    with staging(request.out) as folder:  # first, so that a folder that is no good costs nothing
        report(f"building the network, weights: {request.weights}")
        source = open_source(request)
        wanted = request.artifacts(source.variant, source.tag)
        for options in wanted:
            require_replaceable(request.out / options.file_name)
        for line in source.remarks:
            report(line)
        report("capturing the network")
        graph, trained = _captured(source)
        report("running the network on the verification's images")
        makers = _makers(request, source, trained, report, analysed)
        fp32: dict[str, Artifact] = {}
        for options in wanted:
            report(f"making {options.file_name}")
            remark = formats.emitter_for(options.format).half_saves
            if options.precision == "fp16" and remark:
                report(remark)
            path = folder / options.file_name
            _make(path, options, source, graph, makers[options.precision])
            if options.precision == "int8" and weigh:
                if options.format not in fp32:
                    report("making fp32 to compare with")
                    full = msgspec.structs.replace(options, precision="fp32", target=TARGETS[0])
                    beside = folder / f"beside-{full.file_name}"
                    _make(beside, full, source, graph, FloatMaker(makers["int8"].reference))
                    fp32[options.format] = Artifact.open(beside)
                report("comparing int8 with fp32")
                weigh(fp32[options.format], Artifact.open(path))
            artifacts.append(publish(path, request.out))
            if options.precision == "fp32":
                fp32[options.format] = artifacts[-1]
    return artifacts


def _captured(source: Source) -> tuple[Graph, Ranges | None]:
    """The network as a graph, and the ranges of its values where it was trained with some."""
    if source.ranges is None:
        return capture(source.network, source.variant.input_size), None
    with rounded_activations(source.network, source.ranges):
        return capture_rounded(source.network, source.variant.input_size)


def _makers(
    request: Request,
    source: Source,
    trained: Ranges | None,
    report: Report,
    analysed: Analysed | None,
) -> dict[str, Maker]:
    """Precision -> the way in which it is made, of those that `request` asks for."""
    seeded = reference(source.network, source.preprocessing)
    calibration = _calibration(request, source, report) if _calibrates(request) else None
    photographs = calibration if request.calibration else None
    makers: dict[str, Maker] = {
        precision: FloatMaker(seeded, photographs) for precision in request.precisions
    }
    if "int8" in request.precisions:
        assert calibration is not None
        judged = reference(source.network, source.preprocessing, calibration.held_out)
        is_judged = request.weights != RANDOM and request.calibration is not None
        gate = Gate(request.min_agreement if is_judged else None)
        spread = _spread(source, calibration) if is_judged else None
        if warning := unlike_training(calibration.record.source, spread):
            report(f"warning: {warning}")
        makers["int8"] = Int8Maker(
            seeded, calibration, judged, gate, report, trained, spread, analysed
        )
    return makers


def _calibrates(request: Request) -> bool:
    """Whether there is something to do with the calibration's images: float16 has to bear them."""
    return "int8" in request.precisions or (
        "fp16" in request.precisions and request.calibration is not None
    )


def _calibration(request: Request, source: Source, report: Report) -> CalibrationSet:
    if request.calibration is None:
        report(
            "calibrating with seeded noise, which is right for random weights alone"
            if source.ranges is None
            else "int8 has the ranges that it was trained with; --calibration FOLDER|digits would "
            "tell what it keeps of real images"
        )
        return from_noise(source.preprocessing)
    report(f"reading the calibration's images from {request.calibration}")
    samples = request.samples if source.ranges is None else 0
    return from_source(request.calibration, samples, 0, source.preprocessing, report)


def _spread(source: Source, calibration: CalibrationSet) -> float | None:
    """How unlike training's the images are; None where training with 8 bits left no record."""
    if source.ranges is not None:
        return None
    images = calibration.held_out_inputs("float32")
    several = np.concatenate([images[index] for index in range(min(len(images), SPREAD_IMAGES))])
    return spread_difference(source.network, [torch.from_numpy(several)])


def _make(path: Path, options: Options, source: Source, graph: Graph, maker: Maker) -> None:
    """Write the artifact and its manifest to `path`, verified and weighed."""
    captured = graph
    if options.io != "float32":
        graph = with_normalisation(graph, source.preprocessing, options.io)
    lowered = formats.lower(graph, options)
    made = maker.make(path, lowered, options)
    manifest = describe(path, options, source, captured, graph, lowered.rewrites, made)
    write_manifest(manifest_path(path), manifest)
    weighed = msgspec.structs.replace(manifest, footprint=_footprint(path))
    write_manifest(manifest_path(path), weighed)


def _footprint(path: Path) -> Footprint | None:
    """Load and run the artifact once in a process of its own, as a device would.

    That process checks the manifest, the hash and one image's logits by itself. None where this
    machine cannot run it.
    """
    if why_not_here(path):
        return None
    try:
        answer = run_worker(Spec(artifacts=(str(path),), rounds=0))
    except ProcessError as error:
        raise ExportError(
            f"{path.name} does not run in a process of its own: {error}", usage=error.usage
        ) from None
    if answer.skipped:
        raise ExportError(
            f"{path.name} cannot be tried: it needs about "
            f"{answer.skipped[0].needed_bytes / 1e6:.0f} MB of memory where "
            f"{answer.skipped[0].available_bytes / 1e6:.0f} MB are available; stop what else runs"
        )
    (model,) = answer.models
    return Footprint(load_time_ms=model.load_ns / 1e6, peak_memory_bytes=model.peak_memory_bytes)
