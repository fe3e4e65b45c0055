"""The inference engines: one row each, and the one shape that their sessions have.

An engine is imported when it is first needed: a device has only those that it uses.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.formats import format_of
from shufflenet_deploy.runtime.profiling.trace import Trace


class Session(Protocol):
    """A model loaded into an engine, with a set number of threads."""

    @property
    def engine(self) -> str:
        """The engine's name, such as ``onnxruntime``."""

    @property
    def engine_version(self) -> str:
        """The engine's version."""

    @property
    def delegate_partitions(self) -> int | None:
        """Pieces that LiteRT's XNNPACK delegate runs; None for an engine without delegates."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes: at least one."""

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (N, ...) in the model's own layout -> logits (N, classes), for any N."""


class Profiler(Protocol):
    """A model loaded into an engine that records its runs."""

    def run(self, images: NDArray[Any]) -> object:
        """One run."""

    def record(self) -> None:
        """Called after each run, when nothing is timed: what has to be kept of it is kept."""

    def finish(self) -> Trace:
        """End the session; what it recorded, of all runs in their order."""

    def close(self) -> None:
        """Free what the session holds, finished or not."""


Opener = Callable[[Path, int], Session]
"""A file and a number of threads -> a session; `InferenceError` where the engine refuses it."""
ProfilerOpener = Callable[[Path, int], Profiler]
"""The same, for a session that records its runs."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A row of `ENGINES`. Its modules are imported when it is first opened."""

    name: str
    """What ``--engine`` and results call it."""
    title: str
    """How its makers write it."""
    distributions: tuple[str, ...]
    """The Python distributions of which any one brings it, the best first; none where it is this
    project's own, whose version it then has."""
    open: Callable[[], Opener]
    """Imports it and returns what opens its models; ImportError where it is not installed."""
    profile: Callable[[], ProfilerOpener] | None = None
    """The same for its profiler; None where it offers none."""
    machines: tuple[str, ...] = ()
    """The machines on which it runs, as `platform.machine` names them; none where on any."""


def _onnxruntime() -> Opener:
    from shufflenet_deploy.runtime.engines.onnxruntime import OnnxRuntimeSession

    return OnnxRuntimeSession


def _onnxruntime_profiler() -> ProfilerOpener:
    from shufflenet_deploy.runtime.engines.onnxruntime_profiler import OnnxRuntimeProfiler

    return OnnxRuntimeProfiler


def _litert() -> Opener:
    from shufflenet_deploy.runtime.engines.litert import LiteRTSession

    return LiteRTSession


def _litert_profiler() -> ProfilerOpener:
    from shufflenet_deploy.runtime.engines.litert_profiler import LiteRTProfiler

    return LiteRTProfiler


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            name="onnxruntime",
            title="ONNX Runtime",
            distributions=("onnxruntime",),
            open=_onnxruntime,
            profile=_onnxruntime_profiler,
        ),
        Engine(
            name="litert",
            title="LiteRT",
            distributions=("ai-edge-litert", "tflite-runtime"),
            open=_litert,
            profile=_litert_profiler,
        ),
    )
}
"""By name."""


def engine_for(path: Path, name: str | None = None) -> Engine:
    """The engine called `name` for the artifact in `path`, by default the first of its format.

    Raises `InferenceError` (usage) where there is no such engine, or it does not run the format.
    """
    format_ = format_of(path)
    if name is None:
        return ENGINES[format_.engines[0]]
    if name not in format_.engines:
        raise InferenceError(
            f"no engine {name!r} runs {path.name}: choose from {', '.join(format_.engines)}",
            usage=True,
        )
    return ENGINES[name]


def opener_for(path: Path, name: str | None = None) -> Opener:
    """Import the engine for `path`, see `engine_for`, and return what opens such files.

    Raises `InferenceError` where there is no engine for it or the engine is not installed.
    """
    engine = engine_for(path, name)
    try:
        return engine.open()
    except ImportError as error:
        raise InferenceError(
            f"{engine.title} is not installed ({error}): {_remedy(engine)}"
        ) from None


def profiler_for(path: Path, name: str | None = None) -> ProfilerOpener:
    """Import the profiler of the engine for `path`; else as `opener_for`.

    Raises `InferenceError` (usage) where the engine offers none.
    """
    engine = engine_for(path, name)
    if engine.profile is None:
        raise InferenceError(f"{engine.title}, which runs {path.name}, has no profiler", usage=True)
    try:
        return engine.profile()
    except ImportError as error:
        raise InferenceError(
            f"profiling {path.name} needs {engine.title} ({error}): {_remedy(engine)}"
        ) from None


def why_not_here(path: Path, name: str | None = None) -> str | None:
    """Why this machine cannot run the artifact in `path`; None where it has what that takes.

    Its engine (see `engine_for`) is not for such machines, or it is not installed, as where there
    is no wheel for this one.
    """
    engine = engine_for(path, name)
    if engine.machines and platform.machine() not in engine.machines:
        return f"{engine.title} does not run on {platform.machine()}"
    try:
        engine.open()
    except ImportError as error:
        return f"{engine.title} is not installed ({error})"
    return None


def open_session(path: Path, threads: int = 1, engine: str | None = None) -> Session:
    """Load the model in `path` into the engine called `engine`, by default its format's first.

    Raises `InferenceError` where there is no such engine, or it does not take the file.
    """
    return opener_for(path, engine)(path, threads)


def _remedy(engine: Engine) -> str:
    if not engine.distributions:
        return "install shufflenet-deploy again"
    return f"pip install {engine.distributions[0]}"
