"""What the tests of bench make their artifacts, results and devices from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.measure.plan import plan
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import (
    Block,
    FirstUse,
    Model,
    Parameters,
    Probe,
    Results,
    Target,
    Timed,
    TimedModel,
)
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.manifest import (
    File,
    Footprint,
    Manifest,
    Preprocessing,
    SelfCheck,
    Tensor,
    Verification,
    Weights,
    manifest_path,
    write_manifest,
)
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import (
    Answer,
    Burst,
    Canary,
    ModelAnswer,
    Progress,
    Skipped,
    Spec,
)

HALF = Options(network="shufflenet-v1", groups=3, scale=0.5, input_size=(224, 224), format="onnx")
ENVIRONMENT = Environment(
    board=None,
    processor="a processor",
    architecture="aarch64",
    cores=4,
    kernel="6.12.0",
    total_memory_bytes=4_000_000_000,
    maximum_mhz={},
    python_version="3.11.9",
    package_versions={"numpy": "2.0.0", "tflite-runtime": None},
)
TARGET = Target(
    board="local",
    kind="local",
    expected=(),
    latency=True,
    published_peak_gflops=None,
    published_peak_source=None,
)


def a_state(seconds: float = 0.0) -> State:
    """The state of a machine without sensors."""
    return State(
        seconds=seconds,
        governors={},
        frequencies_mhz={},
        temperatures_c={},
        throttled=None,
        load_average=None,
        available_memory_bytes=None,
        busy_seconds=None,
        own_seconds=seconds,
    )


def a_manifest(options: Options, content: bytes) -> Manifest:
    """A manifest that vouches for `content`, which need not be a network."""
    return Manifest(
        files=(
            File(
                name=options.file_name,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            ),
        ),
        options=options,
        weights=Weights(origin="random", seed=0, sha256="0" * 64),
        multiply_adds=38_000_000,
        parameters=1_000_000,
        rounded_widths={},
        input=Tensor(name="images", shape=(-1, 3, 224, 224), layout="NCHW", dtype="float32"),
        output=Tensor(name="logits", shape=(-1, 1000), layout="NC", dtype="float32"),
        preprocessing=Preprocessing(crop=(224, 224)),
        labels=None,
        rewrites=(),
        simplification=None,
        quantisation=None,
        calibration=None,
        verification=Verification(
            engine="e", engine_version="1", inputs=8, seed=0, difference=0.0, tolerance=1e-4
        ),
        self_check=SelfCheck(seed=0, logits=(0.0,), deviation=1.0, tolerance=1e-3),
        remarks={},
        footprint=Footprint(load_time_ms=1.0, peak_memory_bytes=None),
        tool_versions={},
    )


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let each process of the tests measure: on one machine only one may, by a lock in there."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def half() -> Options:
    """The options of ShuffleNet 0.5x for 224x224 as ONNX."""
    return HALF


WriteArtifact = Callable[[Path, Options], Artifact]


@pytest.fixture(scope="session")
def write_artifact() -> WriteArtifact:
    """Writes a file with the name and the manifest of an artifact, and other content."""

    def write(folder: Path, options: Options) -> Artifact:
        path = folder / options.file_name
        content = options.file_name.encode()
        path.write_bytes(content)
        write_manifest(manifest_path(path), a_manifest(options, content))
        return Artifact.open(path)

    return write


MakeModel = Callable[..., Model]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """Makes a model that was probed; options that are not named are those of `HALF`."""

    def make(
        network: str = "shufflenet-v1",
        scale: float | None = None,
        multiply_adds: int = 1_000_000,
        **options: object,
    ) -> Model:
        groups = options.pop("groups", 3 if network.startswith("shufflenet") else None)
        chosen = replace(HALF, network=network, groups=groups, scale=scale, **options)
        return Model(
            name=chosen.file_name,
            path=f"artifacts/{chosen.file_name}",
            sha256=hashlib.sha256(chosen.file_name.encode()).hexdigest(),
            format=chosen.format,
            engine={"onnx": "onnxruntime", "tflite": "litert"}[chosen.format],
            options=chosen,
            multiply_adds=multiply_adds,
            probe=Probe(
                engine={"onnx": "onnxruntime", "tflite": "litert"}[chosen.format],
                engine_version="1.2.3",
                remarks={},
                difference=0.0,
                peak_memory_bytes=78_000_000,
                first_use=FirstUse(load_ms=12.34, first_run_ms=5.6),
            ),
        )

    return make


MakeResults = Callable[..., Results]


@pytest.fixture(scope="session")
def make_results() -> MakeResults:
    """Makes results of models, their blocks planned, and timed by `times`.

    `times(process, round, member)` is milliseconds; the model's burst is three equal runs of it.
    """

    def make(
        *models: Model,
        times: Callable[[int, int, int], float] = lambda process, number, member: 1.0,
        processes: int = 5,
        rounds: int = 4,
        named: int = 0,
        **changes: object,
    ) -> Results:
        results = Results(
            created="2026-01-02T03:04:05+00:00",
            target=TARGET,
            environment=ENVIRONMENT,
            parameters=Parameters(),
            suite=None,
            models=models,
            blocks=tuple(plan(models, load_paper(), (1,), named)),
            ended="done",
        )
        runs = tuple(
            _timed(block, process, rounds, times)
            for process in range(processes)
            for block in results.blocks
        )
        return replace(replace(results, runs=runs), **changes)

    return make


def _timed(
    block: Block, process: int, rounds: int, times: Callable[[int, int, int], float]
) -> Timed:
    return Timed(
        block=block.id,
        process=process,
        start_seconds=float(process),
        stopped="rounds",
        states=(a_state(), a_state(1.0)),
        canary=Canary(start_ns=(100,), end_ns=(100,)),
        models=tuple(
            TimedModel(
                member=member,
                warm_up_ns=(1_000_000,),
                stable=True,
                bursts=tuple(
                    Burst(
                        round=number,
                        position=position,
                        cold_ns=round(times(process, number, member) * 2e6),
                        samples_ns=(round(times(process, number, member) * 1e6),) * 3,
                    )
                    for number in range(rounds)
                ),
            )
            for position, member in enumerate(block.members)
        ),
    )


@dataclass
class FakeDevice:
    """A `Device` on which every run takes 1 ms, and worker number `interrupt_at` is stopped.

    Workers are counted from 1; `interrupt_at` of a block leaves its first round. `scatter` is by
    how much the times of the second model grow from each process to the next, up to the fifth;
    `no_room` are files that do not fit the memory.
    """

    interrupt_at: int = 0
    wrong_file: bool = False
    scatter: float = 0.0
    no_room: tuple[str, ...] = ()
    specs: list[Spec] = field(default_factory=list)

    def put(self, path: Path) -> str:
        return f"/there/{path}"

    def close(self) -> None:
        pass

    def run(self, spec: Spec, report: Report) -> Answer:
        self.specs.append(spec)
        interrupted = len(self.specs) == self.interrupt_at
        report(Progress(stage="load", done=0, total=len(spec.artifacts)))
        rounds = range(min(spec.rounds, 1) if interrupted else spec.rounds)
        fitting = [path for path in spec.artifacts if not path.endswith(self.no_room or ("/",))]
        return Answer(
            threads=spec.threads,
            cores=None,
            stopped="interrupted" if interrupted else "rounds",
            environment=ENVIRONMENT,
            states=(a_state(), a_state(1.0)),
            canary=Canary(start_ns=(100,), end_ns=(100,)) if spec.canary else None,
            peak_multiply_adds_per_second=1e9 if spec.peak else None,
            skipped=tuple(
                Skipped(artifact=path, needed_bytes=900_000_000, available_bytes=500_000_000)
                for path in spec.artifacts
                if path not in fitting
            ),
            models=tuple(
                self._model(path, position, rounds, spec.seed)
                for position, path in enumerate(fitting)
            ),
        )

    def _model(self, path: str, position: int, rounds: range, seed: int) -> ModelAnswer:
        content = Path(path.removeprefix("/there/")).read_bytes()
        ms = 1.0 + position * self.scatter * (seed % 5)
        return ModelAnswer(
            artifact=path,
            sha256="other" if self.wrong_file else hashlib.sha256(content).hexdigest(),
            engine="fake",
            engine_version="1",
            remarks={"delegate_partitions": 1},
            load_ns=2_500_000,
            first_run_ns=1_500_000,
            difference=0.0,
            peak_memory_bytes=1000,
            warm_up_ns=(1_000_000,) * 3,
            stable=True,
            bursts=tuple(
                Burst(
                    round=number,
                    position=position,
                    cold_ns=2_000_000,
                    samples_ns=(round(ms * 1e6),) * 3,
                )
                for number in rounds
            ),
        )


@pytest.fixture(scope="session")
def make_device() -> type[FakeDevice]:
    """The class of a device without time, see there."""
    return FakeDevice
