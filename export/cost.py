"""What int8 cost and what it gained: an int8 artifact beside its fp32 one."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.formats import quantiser_for
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import ExportError, ProcessError
from shufflenet_deploy.runtime.worker.client import EVALUATION, module_command, run, run_worker
from shufflenet_deploy.runtime.worker.spec import Spec

ROUNDS = 30

TARGETS = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "arm64", "arm64": "arm64"}
"""What `platform.machine` calls a machine -> the target of int8 that it is."""


@dataclass(frozen=True)
class Cost:
    """One format's int8 against its fp32."""

    format: str
    size_bytes: tuple[int, int]
    """The sizes of the fp32 and of the int8 artifact in bytes."""
    sqnr_db: float | None
    """The SQNR of int8 in dB, see `Quantisation`; None where it was not run."""
    latency_ratio: float | None
    """The times of int8 / fp32 on this machine; None where int8 was made for another one, whose
    kernels this one does not have, and where the two could not be run here."""
    remarks: tuple[dict[str, int | float | str], dict[str, int | float | str]]
    """What the engine alone says of the fp32 and of the int8 artifact."""
    top1: tuple[float, float] | None
    """The shares of right answers of fp32 and of int8; None where there was no data to ask, and
    where the two were not run here."""
    data: str | None


def costs(
    request: Request, artifacts: Sequence[Artifact], report: Callable[[str], None]
) -> list[Cost]:
    """What each int8 artifact of `artifacts`, made by `request`, cost.

    An fp32 artifact that was not asked for is made to compare with, and not kept.
    """
    of_precision: dict[str, dict[str, Artifact]] = {}
    for artifact in artifacts:
        options = artifact.manifest.options
        of_precision.setdefault(options.precision, {})[options.format] = artifact
    int8, fp32 = of_precision.get("int8", {}), of_precision.get("fp32", {})
    missing = tuple(format_ for format_ in int8 if format_ not in fp32)
    with TemporaryDirectory() as folder:
        if missing:
            report("making fp32 to compare with")
            asked = replace(
                request, precisions=("fp32",), formats=missing, data=None, out=Path(folder)
            )
            made = pipeline.export(asked, lambda line: None)
            fp32 |= {artifact.manifest.options.format: artifact for artifact in made}
        if int8:
            report("comparing int8 with fp32")
        return [compare(fp32[format_], small, request.data) for format_, small in int8.items()]


def compare(fp32: Artifact, int8: Artifact, data: str | None) -> Cost:
    """Time both here in alternation, and count their right answers on `data` where given.

    Each in processes of their own. Raises `ExportError` where one of these fails.
    """
    quantisation = int8.manifest.quantisation
    if quantisation is None:
        raise ValueError(f"{int8.path} is not in int8")
    options = int8.manifest.options
    is_for_here = (
        not quantiser_for(options.format).depends_on_target
        or TARGETS.get(platform.machine()) == options.target
    )
    was_run = int8.manifest.verification is not None
    return Cost(
        format=options.format,
        size_bytes=(fp32.manifest.size_bytes, int8.manifest.size_bytes),
        sqnr_db=quantisation.sqnr_db,
        latency_ratio=_latency_ratio(fp32, int8) if is_for_here and was_run else None,
        remarks=(fp32.manifest.remarks, int8.manifest.remarks),
        top1=_top1(fp32, int8, data) if data is not None and was_run else None,
        data=data,
    )


def _latency_ratio(fp32: Artifact, int8: Artifact) -> float | None:
    """The median over rounds of the ratio of their bursts' medians; None without the memory."""
    spec = Spec(artifacts=(str(int8.path), str(fp32.path)), rounds=ROUNDS)
    with _told():
        answer = run_worker(spec)
    if answer.skipped:
        return None
    small, full = ([median(burst.samples_ns) for burst in model.bursts] for model in answer.models)
    return median(a / b for a, b in zip(small, full, strict=True))


def _top1(fp32: Artifact, int8: Artifact, data: str) -> tuple[float, float]:
    """By shufflenet-eval, which this package meets only through files and processes."""
    words = (str(fp32.path), str(int8.path), "--data", data, "--json")
    with _told():
        said = run([*module_command(EVALUATION), *words], who="shufflenet-eval")
    report = json.loads(said)
    full, small = (row["top1"]["share"] for row in report["artifacts"])
    return full, small


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a process that failed as of what it was for."""
    try:
        yield
    except ProcessError as error:
        raise ExportError(f"comparing int8 with fp32 failed: {error}", usage=error.usage) from None
