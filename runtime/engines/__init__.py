"""The inference engines: one row each, and the one shape that their sessions have.

An engine is imported when it is first needed: a device has only those that it uses. Nothing here
imports numpy, which would start its threads before a worker has told it how many.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files.kind import mistaken, start_of
from shufflenet_deploy.runtime.formats import FORMATS, Format, format_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shufflenet_deploy.runtime.engines.inputs import Input
    from shufflenet_deploy.runtime.profiling.trace import Trace

Remarks = Mapping[str, int | float | str]
"""What an engine alone says of a model that it has loaded: name -> number or text."""
NO_REMARKS: Remarks = MappingProxyType({})


class Session(Protocol):
    """A model loaded into an engine, with a set number of threads."""

    @property
    def engine(self) -> str:
        """The engine's name, such as ``onnxruntime``."""

    @property
    def engine_version(self) -> str:
        """The engine's version."""

    @property
    def remarks(self) -> Remarks:
        """What this engine alone says of the model; empty where it has nothing to say."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes: at least one."""

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """One array for each of `inputs` -> the first output.

        Of an artifact: images (N, ...) in its own layout -> logits (N, classes), for any N.
        """


class Profiler(Protocol):
    """A model loaded into an engine that records its runs."""

    def run(self, *inputs: NDArray[Any]) -> object:
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


class Doubt(NamedTuple):
    """Why an engine may have run a model on a slow path."""

    reason: str
    """What follows the model's name in a sentence: ``runs in 3 pieces``."""
    remedy: str


Judge = Callable[[str, Remarks, str | None], Doubt | None]
"""What the session called itself, its remarks, the model's precision -> a doubt, or none."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A row of `ENGINES`. Its modules are imported when something of them is first needed."""

    name: str
    """What ``--engine`` and results call it."""
    title: str
    """How its makers write it."""
    distributions: tuple[str, ...]
    """The Python distributions of which any one brings it, the best first; none where it is this
    project's own, whose version it then has (`project_version`)."""
    open: Callable[[], Opener]
    """Imports it and returns what opens its models; ImportError where it is not installed."""
    profile: Callable[[], ProfilerOpener] | None = None
    """The same for its profiler; None where it offers none."""
    machines: tuple[str, ...] = ()
    """The machines on which it runs, as `platform.machine` names them; none where on any."""
    doubt: Callable[[], Judge] | None = None
    """Imports what judges by the remarks of its sessions, without the engine itself; None where
    they tell nothing of its speed."""
    unneeded: tuple[str, ...] = ()
    """Patterns of the files in its wheel that no worker needs: they are not copied to a device."""
    native_runner: str | None = None
    """The program of its makers that times its models too, see `bench.measure.native`."""


def _at(module: str, name: str) -> Callable[[], Any]:
    """What imports `module`, one of this folder's, when it is called, and returns its `name`."""
    return lambda: getattr(import_module(f"{__name__}.{module}"), name)


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            name="onnxruntime",
            title="ONNX Runtime",
            distributions=("onnxruntime",),
            open=_at("onnxruntime", "OnnxRuntimeSession"),
            profile=_at("onnxruntime_profiler", "OnnxRuntimeProfiler"),
            unneeded=(
                "onnxruntime/capi/libonnxruntime.so*",  # a second copy, for programs in C
                # Tools for making models.
                *(f"onnxruntime/{name}/*" for name in ("tools", "transformers", "quantization")),
                *(f"onnxruntime/{name}/*" for name in ("backend", "datasets")),
            ),
        ),
        Engine(
            name="litert",
            title="LiteRT",
            distributions=("ai-edge-litert", "tflite-runtime"),
            open=_at("litert", "LiteRTSession"),
            profile=_at("litert_profiler", "LiteRTProfiler"),
            doubt=_at("litert_doubt", "doubt"),
            unneeded=(
                "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
                "ai_edge_litert/aot/*",
                "ai_edge_litert/tools/*",
                "ai_edge_litert/tflite/*",
            ),
            native_runner="benchmark_model",
        ),
    )
}
"""By name."""


def find_engine(name: str) -> Engine:
    """The engine called `name`. Raises `InferenceError` (usage) where there is none."""
    if name not in ENGINES:
        raise InferenceError(f"no engine {name!r}: choose from {', '.join(ENGINES)}", usage=True)
    return ENGINES[name]


def engines_of(format_: Format, names: Iterable[str] = ()) -> tuple[Engine, ...]:
    """Of the engines called `names` those that run `format_`; without names, its default."""
    chosen = tuple(dict.fromkeys(names)) or format_.engines[:1]
    return tuple(find_engine(name) for name in chosen if name in format_.engines)


def default_engines() -> tuple[Engine, ...]:
    """The default of every format, each once and in the order of the formats."""
    names = dict.fromkeys(format_.engines[0] for format_ in FORMATS.values())
    return tuple(ENGINES[name] for name in names)


def distributions() -> tuple[str, ...]:
    """All that bring an engine, in the order of the engines."""
    return tuple(dict.fromkeys(name for row in ENGINES.values() for name in row.distributions))


def project_version() -> str:
    """This project's version, which its own engines have."""
    from importlib.metadata import version

    return version(PROJECT)


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

    Raises `InferenceError` where there is no engine for it, the engine is not installed or the file
    is something else by its first bytes.
    """
    engine = engine_for(path, name)
    try:
        opener = engine.open()
    except ImportError as error:
        raise InferenceError(
            f"{engine.title} is not installed ({error}): {_remedy(engine)}"
        ) from None
    _require_model(path)
    return opener


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


def _require_model(path: Path) -> None:
    """Say what a file is that is no model: engines only say that it is none."""
    try:
        kind = mistaken(start_of(path))
    except OSError:
        return  # of which the engine tells
    if kind:
        raise InferenceError(f"an engine does not load {path}: it is no model but {kind}")


def _remedy(engine: Engine) -> str:
    if not engine.distributions:
        return "install shufflenet-deploy again"
    return f"pip install {engine.distributions[0]}"
