from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator import require_emulator
from shufflenet_deploy.bench.__main__ import app
from shufflenet_deploy.bench.devices import Counter, open_device
from shufflenet_deploy.bench.devices.boards import find_board
from shufflenet_deploy.bench.devices.local import LocalDevice
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.results import Checked, read
from shufflenet_deploy.export.__main__ import app as export_app
from shufflenet_deploy.runtime.errors import BenchError

pytestmark = pytest.mark.network


@pytest.fixture(scope="module", autouse=True)
def _emulator() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        require_emulator(monkeypatch)
        yield


def test_a_measurement_leaves_instructions_and_no_time(
    tiny_artifacts: Path, tmp_path: Path
) -> None:
    paths = sorted(map(str, tiny_artifacts.glob("*x0.25*.tflite")))
    out = tmp_path / "results.json"
    words = [*paths, "--device", "emulated", "--cpu", "cortex-a53", "--counts", "cache"]
    ended = CliRunner().invoke(app, [*words, "--out", str(out)], catch_exceptions=False)
    assert ended.exit_code == 0
    results = read(out)
    assert results.ended == "done"
    assert not results.target.latency
    assert results.environment.processor == "Cortex-A53"
    assert all(isinstance(run, Checked) for run in results.runs)
    (probe,) = [model.probe for model in results.models]
    assert probe
    assert probe.first_use is None
    assert probe.difference is not None
    assert probe.counted
    assert probe.counted.cache
    assert probe.counted.cache.caches.source.endswith("BCM2837 for the sizes")
    figure = f"{probe.counted.instructions / 1e6:.2f}"
    assert "emulated: no latency" in ended.stdout
    assert figure in ended.stdout
    assert "_ns" not in out.read_text()


def test_only_an_emulator_counts() -> None:
    with open_device(find_board("emulated"), DeviceOptions(engines=("litert",))) as device:
        assert isinstance(device, Counter)
    assert not isinstance(LocalDevice(), Counter)


@pytest.mark.parametrize("options", [DeviceOptions(cpu="cortex-a72"), DeviceOptions(caches=True)])
def test_its_options_mean_nothing_to_a_real_one(options: DeviceOptions) -> None:
    with (
        pytest.raises(BenchError, match="means nothing to local") as raised,
        open_device(find_board("local"), options),
    ):
        pass
    assert raised.value.usage


def test_an_unknown_processor_is_wrong_usage() -> None:
    with (
        pytest.raises(BenchError, match="choose from cortex-a53") as raised,
        open_device(find_board("emulated"), DeviceOptions(cpu="m68k")),
    ):
        pass
    assert raised.value.usage


def test_artifacts_are_checked_there(tiny_artifacts: Path) -> None:
    paths = sorted(map(str, tiny_artifacts.glob("*x0.25*[ex]")))  # .tflite and .onnx
    words = ["verify", *paths, "--device", "emulated", "--cpu", "cortex-a53", "--json"]
    ended = CliRunner().invoke(app, words, catch_exceptions=False)
    assert ended.exit_code == 0
    document = json.loads(ended.stdout)
    assert document["device"] == "emulated"
    assert [row["engine"] for row in document["artifacts"]] == ["onnxruntime", "litert"]
    for row in document["artifacts"]:
        assert row["verdict"] == "same"
        assert 0 < row["difference"] <= row["tolerance"]


def test_fp16_is_computed_in_float16_where_the_processor_can(tmp_path: Path) -> None:
    exported = CliRunner().invoke(
        export_app,
        [
            *("--scale", "0.5", "--input-size", "64", "--format", "tflite"),
            *("--precision", "fp16", "--out", str(tmp_path)),
        ],
        catch_exceptions=False,
    )
    assert exported.exit_code == 0
    (path,) = map(str, tmp_path.glob("*.tflite"))
    out = tmp_path / "counts.json"
    words = ["counts", path, "--cpu", "cortex-a76", "--cpu", "cortex-a72", "--out", str(out)]
    ended = CliRunner().invoke(app, words, catch_exceptions=False)
    assert ended.exit_code == 0
    a76, a72 = json.loads(out.read_text())["entries"]
    assert (a76["cpu"], a72["cpu"]) == ("cortex-a76", "cortex-a72")
    # Its own rounding, and fewer instructions than where weights are widened.
    assert a72["difference"] != a76["difference"] < 0.1
    assert a76["counted"]["instructions"] < 0.95 * a72["counted"]["instructions"]
