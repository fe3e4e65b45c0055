"""Load a model, run it once, and check that it computes what it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.artifact import Artifact, has_manifest, model_bytes, model_sha256
from shufflenet_deploy.runtime.engines import Session, opener_for
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.engines.inputs import MAKING_BYTES, check_finite, seeded_inputs
from shufflenet_deploy.runtime.engines.reasons import reason
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.machine.memory import needed_bytes, peak_memory_bytes
from shufflenet_deploy.runtime.manifest import Manifest
from shufflenet_deploy.runtime.preprocess import network_input
from shufflenet_deploy.runtime.seeded import Floats, seeded_pixels
from shufflenet_deploy.runtime.worker.spec import Skipped

_PIXEL_BYTES = 3 * MAKING_BYTES
"""How much each pixel of the seeded image takes while it is made."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to be timed, and what loading it cost."""

    path: Path
    manifest: Manifest | None
    sha256: str
    engine: str | None
    """The name of the engine that was asked for; None takes the format's first."""
    session: Session
    arrays: tuple[NDArray[Any], ...]
    """One for each input of the model."""
    inputs: tuple[UsedInput, ...]
    """What these are; none for a file with a manifest, which says it."""
    load_ns: int
    first_run_ns: int
    difference: float | None
    peak_memory_bytes: int | None

    def run(self) -> object:
        """One inference."""
        return self.session.run(*self.arrays)


def load(
    path: Path,
    threads: int,
    clock: ClockNs,
    available_bytes: Callable[[], int | None],
    engine: str | None = None,
    *,
    strict: bool = True,
    given: Sequence[GivenInput] = (),
) -> Loaded | Skipped:
    """Load the model in `path` into the engine called `engine`, by default its format's first.

    It is left out where it needs more memory than is available.

    With a manifest it is checked against that; without one, as other tools leave it, it gets
    inputs by its own description and what is `given`, and must answer finite numbers. Raises
    `InferenceError` for a file that is not what its manifest says, that no engine runs, or that
    computes something else here than where it was exported, the latter only where it is `strict`.
    """
    manifest = _manifest(path)
    # Opening has checked the manifest's sizes: only of other tools' models are files looked for.
    size = manifest.size_bytes if manifest else model_bytes(path)
    needed = needed_bytes(size, manifest.footprint if manifest else None)
    available = available_bytes()
    if available is not None and needed > available:
        return Skipped(artifact=str(path), needed_bytes=needed, available_bytes=available)
    opener = opener_for(path, engine)  # imports the engine, which is not part of loading a model
    start = clock()
    session = opener(path, threads)
    load_ns = clock() - start
    arrays, inputs = _inputs(path, manifest, session, given, available)
    start = clock()
    try:
        output = session.run(*arrays)
    except Exception as error:  # noqa: BLE001 - engines' exceptions share no other base
        raise InferenceError(
            f"{path} does not run on {session.engine}{_tried(inputs)}: {reason(error)}"
        ) from None
    first_run_ns = clock() - start
    if manifest is None:
        check_finite(path, output)
    return Loaded(
        path=path,
        manifest=manifest,
        sha256=manifest.sha256 if manifest else model_sha256(path),
        engine=engine,
        session=session,
        arrays=arrays,
        inputs=inputs,
        load_ns=load_ns,
        first_run_ns=first_run_ns,
        difference=self_check(manifest, output, strict) if manifest else None,
        peak_memory_bytes=peak_memory_bytes(),
    )


def _manifest(path: Path) -> Manifest | None:
    """The manifest that vouches for `path`; None for a file that has none beside it."""
    if path.is_file() and not has_manifest(path):
        return None
    return Artifact.open(path).manifest


def _inputs(
    path: Path,
    manifest: Manifest | None,
    session: Session,
    given: Sequence[GivenInput],
    available_bytes: int | None,
) -> tuple[tuple[NDArray[Any], ...], tuple[UsedInput, ...]]:
    if manifest is None:
        made = seeded_inputs(path, session.inputs, given, available_bytes=available_bytes)
        return tuple(one.array for one in made), tuple(one.used for one in made)
    height, width = manifest.options.input_size
    if available_bytes is not None and height * width * _PIXEL_BYTES > available_bytes:
        raise InferenceError(
            f"{path} takes images of {height}x{width} by its manifest, for which "
            f"{available_bytes / 1e6:.0f} MB of available memory are not enough"
        )
    try:
        pixels = seeded_pixels(1, (height, width), manifest.self_check.seed)
        return (network_input(pixels, manifest),), ()
    except MemoryError:
        raise InferenceError(
            f"{path} takes images of {height}x{width} by its manifest, for which there is no memory"
        ) from None


def _tried(inputs: Sequence[UsedInput]) -> str:
    """Which inputs a model does not take, where they were chosen for want of a manifest."""
    words = [f"{one.name} {'x'.join(map(str, one.shape))} ({one.values})" for one in inputs]
    return f" with {', '.join(words)}; see --shape, --range and --input" if words else ""


def self_check(manifest: Manifest, logits: Floats, strict: bool = True) -> float:
    """The difference of `logits` (1, classes) from the manifest's, as `SelfCheck` defines it.

    Raises `InferenceError` where it is beyond the manifest's tolerance, if `strict`.
    """
    check = manifest.self_check
    if logits.shape != (1, len(check.logits)):
        raise InferenceError(
            f"{manifest.file_name} answers {logits.shape} where its manifest has "
            f"{len(check.logits)} logits: export the network again"
        )
    difference = float(np.abs(logits[0] - np.asarray(check.logits)).max() / check.deviation)
    if strict and not difference <= check.tolerance:  # so written, a NaN fails too
        raise InferenceError(
            f"{manifest.file_name} computes something else here than where it was exported: its "
            f"logits differ by {difference:.1e}, allowed is {check.tolerance:.0e}; "
            "a time of it would mean nothing"
        )
    return difference
