"""What int8 cost and what it gained: an int8 artifact beside its fp32 one."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from shufflenet_deploy.export.formats import quantiser_for
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import ExportError, ProcessError
from shufflenet_deploy.runtime.worker.client import EVALUATION, run, run_worker
from shufflenet_deploy.runtime.worker.isolation import module_command
from shufflenet_deploy.runtime.worker.spec import Spec

ROUNDS = 30

TARGETS = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "arm64", "arm64": "arm64"}
"""What `platform.machine` calls a machine -> the target of int8 that it is."""


@dataclass(frozen=True)
class Accuracy:
    """Right answers of fp32 and of int8 on the same labelled images."""

    images: int
    top1: tuple[float, float]
    """The shares of right answers."""
    intervals: tuple[tuple[float, float], tuple[float, float]]
    """Their 95% intervals, as shufflenet-eval has them."""
    agreement: float
    """The share of the images to which both give the same class."""
    mcnemar_p: float
    """The probability of so uneven a change of answers if none is better; see shufflenet-eval."""

    @property
    def drop(self) -> float:
        """Points of top-1 that int8 lost."""
        return 100 * (self.top1[0] - self.top1[1])


@dataclass(frozen=True)
class Cost:
    """One format's int8 against its fp32."""

    format: str
    size_bytes: tuple[int, int]
    """The sizes of the fp32 and of the int8 artifact in bytes."""
    sqnr_db: float | None
    """The SQNR of int8 in dB, see `Quantisation`; None where it was not run."""
    agreement: float | None
    """The share of the held-out images on which int8 agrees with fp32; None likewise."""
    held_out: int
    """How many images those are."""
    latency_ratio: float | None
    """The times of int8 / fp32 on this machine; None where int8 was made for another one, whose
    kernels this one does not have, and where the two could not be run here."""
    remarks: tuple[dict[str, int | float | str], dict[str, int | float | str]]
    """What the engine alone says of the fp32 and of the int8 artifact."""
    accuracy: Accuracy | None
    """None where there was no data to ask, and where the two were not run here."""
    data: str | None


@dataclass(frozen=True)
class Weighing:
    """What compares each int8 artifact with its fp32 one, before the first is published."""

    data: str | None
    """Labelled images: ``digits`` or a folder; None counts no answers."""
    max_drop: float
    """The most points of top-1 that int8 may lose on them."""
    costs: list[Cost] = field(default_factory=list)
    """Of those that were published, in their order."""

    def __call__(self, fp32: Artifact, int8: Artifact) -> None:
        """Compare; `ExportError` where int8 loses more than is allowed, or it cannot be told."""
        cost = compare(fp32, int8, self.data)
        if cost.accuracy and cost.accuracy.drop > self.max_drop:
            full, small = cost.accuracy.top1
            raise ExportError(
                f"{int8.path.name} gives {small:.1%} right answers on {self.data} and fp32 "
                f"{full:.1%}: {cost.accuracy.drop:.1f} points were lost and {self.max_drop:g} are "
                "allowed; calibrate with images like these, or allow it with --max-drop; nothing "
                "was written"
            )
        self.costs.append(cost)


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
        agreement=quantisation.agreement,
        held_out=int8.manifest.calibration.held_out if int8.manifest.calibration else 0,
        latency_ratio=_latency_ratio(fp32, int8) if is_for_here and was_run else None,
        remarks=(fp32.manifest.remarks, int8.manifest.remarks),
        accuracy=_accuracy(fp32, int8, data) if data is not None and was_run else None,
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


def _accuracy(fp32: Artifact, int8: Artifact, data: str) -> Accuracy:
    """By shufflenet-eval, which this package meets only through files and processes."""
    words = (str(fp32.path), str(int8.path), "--data", data, "--json")
    with _told():
        said = run([*module_command(EVALUATION), *words], who="shufflenet-eval")
    report = json.loads(said)
    full, small = (row["top1"] for row in report["artifacts"])
    against = report["artifacts"][1]["against_first"]
    return Accuracy(
        images=report["images"],
        top1=(full["share"], small["share"]),
        intervals=((full["low"], full["high"]), (small["low"], small["high"])),
        agreement=against["agreement"]["share"],
        mcnemar_p=against["mcnemar_p"],
    )


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a process that failed as of what it was for."""
    try:
        yield
    except ProcessError as error:
        raise ExportError(f"comparing int8 with fp32 failed: {error}", usage=error.usage) from None
