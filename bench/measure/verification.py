"""Whether artifacts compute on a device what their manifests say, without timing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.devices.agent_client import WorkerFailedError
from shufflenet_deploy.bench.measure.records import no_room
from shufflenet_deploy.runtime.artifact import Artifact, has_manifest
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Spec

Verdict = Literal["same", "differs", "does not run"]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one artifact on the device."""

    artifact: str
    """The artifact's path on this machine."""
    verdict: Verdict
    engine: str | None
    """The name by which the engine that ran it calls itself; None where the artifact does not
    run."""
    engine_version: str | None
    difference: float | None
    """How far its logits are from the manifest's, see `SelfCheck`; None where it does not run, or
    computes what is no number."""
    tolerance: float
    """The largest difference of the logits that the manifest allows."""
    reason: str | None
    """Why the artifact does not run; None where it does."""


def check_manifests(paths: Sequence[Path]) -> None:
    """Refuse a file without a manifest, which says nothing of what it should compute."""
    for path in paths:
        if path.is_file() and not has_manifest(path):
            raise BenchError(
                f"{path} has no manifest, so nothing says what it should compute: copy "
                f"{manifest_path(path).name} along with it, or export it again",
                usage=True,
            )


def verify(
    device: Device, runs: Sequence[tuple[Artifact, str]], report: Report
) -> Iterator[Verified]:
    """Run artifacts on `device`, each on its engine in a worker of its own; judge the self-checks.

    One that fails there does not keep the others from being checked. Raises `BenchError` where
    the device itself fails, and KeyboardInterrupt.
    """
    for artifact, engine in runs:
        spec = Spec(
            artifacts=(device.put(artifact.path),),
            engines=(engine,),
            rounds=0,
            canary=False,
            strict=False,
        )
        try:
            answer = device.run(spec, report)
        except WorkerFailedError as error:
            yield _unrun(artifact, str(error))
            continue
        if answer.stopped == "interrupted":
            raise KeyboardInterrupt
        if answer.skipped:
            yield _unrun(artifact, no_room(answer))
            continue
        (model,) = answer.models
        tolerance = artifact.manifest.self_check.tolerance
        is_same = model.difference is not None and model.difference <= tolerance
        yield Verified(
            artifact=shown(str(artifact.path)),
            verdict="same" if is_same else "differs",
            engine=model.engine,
            engine_version=model.engine_version,
            difference=model.difference,
            tolerance=tolerance,
            reason=None,
        )


def _unrun(artifact: Artifact, reason: str) -> Verified:
    return Verified(
        artifact=shown(str(artifact.path)),
        verdict="does not run",
        engine=None,
        engine_version=None,
        difference=None,
        tolerance=artifact.manifest.self_check.tolerance,
        reason=reason,
    )
