"""Instructions of each inference on emulated processors: ``counts.json``, and how it is made.

An emulated time is no latency, and there is none here. Counts repeat from run to run to some
hundredths of a percent, so they guard against changes for the worse where no ARM is at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from shufflenet_deploy.bench import documents
from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.documents import COUNTS, load
from shufflenet_deploy.bench.emulation.count import count
from shufflenet_deploy.bench.emulation.machine import Machine
from shufflenet_deploy.bench.emulation.processors import Processor, find_processor
from shufflenet_deploy.bench.emulation.qemu import find_qemu
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.inputs import placed, require_used
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import named
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.counting import Request

COUNTS_VERSION: Literal[1] = 1

Tell = Callable[[str], None]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One artifact on one processor."""

    artifact: str
    """The name of the artifact's file."""
    sha256: str
    options: Options | None
    """The options of the export; None for a file of another tool, which has no manifest."""
    multiply_adds: int | None
    engine: str
    engine_version: str
    cpu: str
    inputs: tuple[UsedInput, ...] = ()
    """What each input of a model without a manifest got."""
    difference: float | None
    """How far the self-check's logits are from the manifest's, see `SelfCheck`; None for a file
    without a manifest."""
    counted: Counted

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is a count of, whatever the versions."""
        return self.artifact, self.engine, self.cpu


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was counted, or up to where it was stopped."""

    kind: Literal["counts"] = "counts"
    version: Literal[1] = COUNTS_VERSION
    qemu: str
    counts: Literal["instructions", "cache"]
    """What was asked to be counted; ``cache`` counts instructions too."""
    entries: tuple[Entry, ...] = ()
    complete: bool = False


class CountPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be counted."""

    subjects: tuple[Subject, ...]
    cpus: tuple[str, ...]
    caches: bool
    inputs: tuple[GivenInput, ...] = ()
    """What the user said of inputs of models without a manifest."""
    jobs: int
    """How many artifacts are counted at once."""


def begin(plan: CountPlan) -> Counts:
    """Counts without entries. Raises `BenchError` for a processor that is not known."""
    for cpu in plan.cpus:
        find_processor(cpu)
    return Counts(qemu=find_qemu().version, counts="cache" if plan.caches else "instructions")


def go_on(earlier: Counts, begun: Counts, path: Path) -> Counts:
    """`earlier`, read from `path`, to be gone on with. Raises `BenchError` where it cannot be."""
    if (earlier.qemu, earlier.counts) != (begun.qemu, begun.counts):
        raise BenchError(
            f"{path} was counted by another QEMU or with other --counts, so --resume cannot go on "
            "with it: name another file with --out",
            usage=True,
        )
    return replace(earlier, complete=False)


def count_all(begun: Counts, plan: CountPlan, tell: Tell) -> Iterator[Counts]:
    """Count what `begun` lacks, and yield all that there is after each entry.

    Raises `BenchError` as `emulation.count.count` does. Nothing runs on after this has ended.
    """
    there = {(entry.sha256, entry.engine, entry.cpu): entry for entry in begun.entries}
    jobs = {
        key: (subject, find_processor(cpu))
        for subject in plan.subjects
        for cpu in plan.cpus
        if (key := (subject.sha256, subject.engine, cpu)) not in there
    }
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, plan.jobs)) as pool:
        running = [pool.submit(_entry, *job, plan, tell, stop) for job in jobs.values()]
        try:
            for done, future in enumerate(as_completed(running), start=1):
                entry = future.result()
                there[entry.sha256, entry.engine, entry.cpu] = entry
                tell(f"[{done}/{len(jobs)}] {entry.artifact} on {entry.cpu}")
                yield replace(begun, entries=_ordered(there, plan, begun))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    entries = _ordered(there, plan, begun)
    require_used(plan.inputs, [entry.inputs for entry in entries])
    yield replace(begun, entries=entries, complete=True)


def _ordered(
    there: dict[tuple[str, str, str], Entry], plan: CountPlan, begun: Counts
) -> tuple[Entry, ...]:
    """In the order of `plan`, and then what an earlier run had beside that.

    Files of equal bytes, as of a network in which `fast` rewrites nothing, are counted once.
    """
    entries = [
        _of(subject, there[key])
        for subject in plan.subjects
        for cpu in plan.cpus
        if (key := (subject.sha256, subject.engine, cpu)) in there
    ]
    keys = {entry.key for entry in entries}
    return (*entries, *(entry for entry in begun.entries if entry.key not in keys))


def _entry(
    subject: Subject, processor: Processor, plan: CountPlan, tell: Tell, stop: threading.Event
) -> Entry:
    machine = Machine(processor, (subject.engine,), tell)
    try:
        there = machine.place(subject.path)
        inputs = placed(plan.inputs, lambda path: machine.place(named(path)))
        request = Request(artifact=there, engine=subject.engine, inputs=inputs)
        figures = count(machine, there, plan.caches, stop, request)
    finally:
        machine.close()
    if figures.counting.sha256 != subject.sha256:
        raise BenchError(f"{subject.path} was replaced while it was being counted: count again")
    return Entry(
        artifact=subject.path.name,
        sha256=subject.sha256,
        options=None,
        multiply_adds=None,
        engine=figures.counting.engine,
        engine_version=figures.counting.engine_version,
        cpu=processor.name,
        inputs=figures.counting.inputs,
        difference=figures.counting.difference,
        counted=figures.counted,
    )


def _of(subject: Subject, entry: Entry) -> Entry:
    """`entry`, of a file with the bytes of `subject`, as one of `subject` itself."""
    manifest = subject.manifest
    return replace(
        entry,
        artifact=subject.path.name,
        options=manifest.options if manifest else None,
        multiply_adds=manifest.multiply_adds if manifest else None,
    )


def write(path: Path, counts: Counts) -> None:
    """Write `counts` to `path`, whole or not at all, an entry a line so that changes show."""
    rest = msgspec.json.encode(replace(counts, entries=()))
    lines = b",\n".join(map(msgspec.json.encode, counts.entries))
    documents.write(path, rest.replace(b'"entries":[]', b'"entries":[\n' + lines + b"]") + b"\n")


def read(path: Path) -> Counts:
    """Read counts. Raises `BenchError` as `documents.load` does."""
    return load(path, COUNTS, Counts, COUNTS_VERSION, "count again")
