"""What the tests of bench make their artifacts, results and devices from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.devices import Report
from shufflenet_deploy.bench.environment import Environment
from shufflenet_deploy.bench.results import Model, Parameters, Probe, Results
from shufflenet_deploy.runtime.artifact import (
    Artifact,
    Footprint,
    Manifest,
    Options,
    Preprocessing,
    SelfCheck,
    Tensor,
    Verification,
    Weights,
    manifest_path,
    write_manifest,
)
from shufflenet_deploy.runtime.spec import Answer, Burst, ModelAnswer, Progress, Spec

HALF = Options(network="shufflenet-v1", groups=3, scale=0.5, input_size=(224, 224), format="onnx")
ENVIRONMENT = Environment(
    board=None,
    processor="a processor",
    architecture="aarch64",
    cores=4,
    kernel="6.12.0",
    total_memory_bytes=4_000_000_000,
    governor=None,
    temperature_c=None,
    load_average=None,
    python_version="3.11.9",
    package_versions={"numpy": "2.0.0", "tflite-runtime": None},
)


def a_manifest(options: Options, content: bytes) -> Manifest:
    """A manifest that vouches for `content`, which need not be a network."""
    return Manifest(
        file_name=options.file_name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
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
        delegate_partitions=None,
        footprint=Footprint(load_time_ms=1.0, peak_memory_bytes=None),
        tool_versions={},
    )


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
    """Makes a measured model; `rounds` maps a round's number to its samples in ns."""

    def make(
        network: str,
        scale: float | None = None,
        rounds: Mapping[int, Sequence[int]] | None = None,
        multiply_adds: int = 1_000_000,
        **options: object,
    ) -> Model:
        groups = 3 if network == "shufflenet-v1" else None
        chosen = replace(HALF, network=network, groups=groups, scale=scale, **options)
        return Model(
            name=chosen.file_name,
            path=f"artifacts/{chosen.file_name}",
            sha256=hashlib.sha256(chosen.file_name.encode()).hexdigest(),
            options=chosen,
            multiply_adds=multiply_adds,
            probe=Probe(
                engine={"onnx": "onnxruntime", "tflite": "litert"}[chosen.format],
                engine_version="1.2.3",
                delegate_partitions=None,
                load_time_ms=12.34,
                first_run_ms=5.6,
                peak_memory_bytes=78_000_000,
            ),
            bursts=tuple(
                Burst(round=number, position=0, cold_ns=None, samples_ns=tuple(samples))
                for number, samples in (rounds or {}).items()
            ),
        )

    return make


MakeResults = Callable[..., Results]


@pytest.fixture(scope="session")
def make_results() -> MakeResults:
    """Makes complete results of models."""

    def make(*models: Model) -> Results:
        return Results(
            created="2026-01-02T03:04:05+00:00",
            device="local",
            environment=ENVIRONMENT,
            parameters=Parameters(),
            complete=True,
            models=models,
        )

    return make


@dataclass
class FakeDevice:
    """A `Device` on which every run takes 1 ms, and worker number `interrupt_at` is stopped.

    Workers are counted from 1; `interrupt_at` of a block leaves its first round.
    """

    interrupt_at: int = 0
    wrong_file: bool = False
    kind: str = "fake"
    specs: list[Spec] = field(default_factory=list)

    def put(self, artifact: Artifact) -> str:
        return f"/there/{artifact.path}"

    def environment(self) -> Environment:
        return ENVIRONMENT

    def run(self, spec: Spec, report: Report) -> Answer:
        self.specs.append(spec)
        interrupted = len(self.specs) == self.interrupt_at
        report(Progress(stage="load", done=0, total=len(spec.artifacts)))
        rounds = range(min(spec.rounds, 1) if interrupted else spec.rounds)
        return Answer(
            threads=spec.threads,
            interrupted=interrupted,
            models=tuple(
                self._model(path, position, rounds) for position, path in enumerate(spec.artifacts)
            ),
        )

    def _model(self, path: str, position: int, rounds: range) -> ModelAnswer:
        content = Path(path.removeprefix("/there/")).read_bytes()
        return ModelAnswer(
            artifact=path,
            sha256="other" if self.wrong_file else hashlib.sha256(content).hexdigest(),
            engine="fake",
            engine_version="1",
            delegate_partitions=1,
            load_ns=2_500_000,
            first_run_ns=1_500_000,
            difference=0.0,
            peak_memory_bytes=1000,
            bursts=tuple(
                Burst(round=number, position=position, cold_ns=2, samples_ns=(1_000_000,) * 3)
                for number in rounds
            ),
        )


@pytest.fixture
def make_device() -> type[FakeDevice]:
    """The class of a device without time, see there."""
    return FakeDevice
