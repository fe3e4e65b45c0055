"""What the rewrites, int8 and our own emitters are worth: ``make bench``.

Pairs of artifacts of one network are measured in one run, in alternated bursts, in several
processes one after another. A ratio below 1 means that ours is faster. Absolute times are not
shown: on a shared machine they mean little.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import onnx
import torch
from rich.console import Console
from rich.table import Table

from shufflenet_deploy.bench.analysis.statistics import burst_medians, paired_ratio
from shufflenet_deploy.bench.analysis.wording import decimal, span
from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.cost import TARGETS
from shufflenet_deploy.export.formats.onnx.simplify import simplify
from shufflenet_deploy.export.request import LOWERINGS, Request
from shufflenet_deploy.export.source import random_network
from shufflenet_deploy.models.networks import variant
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.manifest import File, manifest_path, write_manifest
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

SCALES = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Pair:
    """Two artifacts of one network."""

    scale: float
    title: str
    ours: Path
    other: Path


def main() -> int:
    """Measure all pairs and print their ratios. With --check, exit 1 where one is above 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=5, help="worker processes a pair [5]")
    parser.add_argument("--rounds", type=int, default=40, help="rounds in each process [40]")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 1 where ours is slower than what it replaces",
    )
    options = parser.parse_args()

    table = Table(box=None, pad_edge=False, title="time of ours / time of the other, 1 thread")
    for heading in ("ShuffleNet g=3", "pair", "ratio", "lowest and highest process"):
        table.add_column(heading, justify="left" if heading == "pair" else "right")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for pair in [pair for scale in SCALES for pair in _pairs(scale, Path(folder))]:
            _say(f"measuring {pair.scale}x, {pair.title}")
            ratios = [_ratio(pair, options.rounds) for _ in range(options.processes)]
            if "int8 / fp32" not in pair.title:  # on some processors int8 gains nothing
                worst = max(worst, median(ratios))
            spread = span(min(ratios), max(ratios), 3)
            table.add_row(f"{pair.scale}x", pair.title, decimal(median(ratios), 3), spread)
    Console().print(table)
    return 1 if options.check and worst > 1 else 0


def _pairs(scale: float, folder: Path) -> Iterator[Pair]:
    _say(f"exporting {scale}x")
    made = {
        (lowering, artifact.manifest.options.format, artifact.manifest.options.precision): artifact
        for lowering in LOWERINGS
        for artifact in _export(scale, lowering, folder)
    }
    for precision in ("fp32", "int8"):
        for format_ in FORMATS:
            fast, plain = (made[lowering, format_, precision] for lowering in ("fast", "plain"))
            yield Pair(scale, f"{format_} {precision}: fast / plain", fast.path, plain.path)
    for format_ in FORMATS:
        int8, fp32 = (made["fast", format_, precision] for precision in ("int8", "fp32"))
        yield Pair(scale, f"{format_}: int8 / fp32", int8.path, fp32.path)
    ours = made["fast", "onnx", "fp32"]
    yield Pair(scale, "onnx: ours / torch.onnx+sim", ours.path, _by_torch(ours, folder))


def _export(scale: float, lowering: str, folder: Path) -> list[Artifact]:
    """Both precisions and formats; int8 for this machine, where another's must not be judged."""
    target = TARGETS.get(platform.machine(), "arm64")
    asked = Request(
        groups=3,
        scale=scale,
        precisions=("fp32", "int8"),
        lowering=lowering,
        target=target,
        out=folder,
    )
    return pipeline.export(asked, lambda line: None)


def _by_torch(ours: Artifact, folder: Path) -> Path:
    """The same network as torch.onnx.export and onnxsim make it, under a manifest of ours."""
    size = ours.manifest.options.input_size
    path = folder / f"torch-{ours.path.name}"
    torch.onnx.export(
        random_network(variant("shufflenet-v1", 3, ours.manifest.options.scale, size)),
        (torch.zeros(1, 3, *size),),
        str(path),
        external_data=False,
        verbose=False,
    )
    model, _ = simplify(onnx.load(path), (3, *size), compares=True)
    onnx.save(model, path)
    manifest = msgspec.structs.replace(
        ours.manifest,
        files=(File.of(path),),
    )
    write_manifest(manifest_path(path), manifest)
    return path


def _ratio(pair: Pair, rounds: int) -> float:
    """Median over the rounds of one process, of the times ours / the other's."""
    spec = Spec(artifacts=(str(pair.ours), str(pair.other)), rounds=rounds)
    worker = subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.runtime"],
        input=msgspec.json.encode(spec),
        capture_output=True,
        check=True,
    )
    ours, other = msgspec.json.decode(worker.stdout, type=Answer).models
    return paired_ratio(burst_medians(ours.bursts), burst_medians(other.bursts))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
