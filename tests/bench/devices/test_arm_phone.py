"""A phone over adb, end to end: the real command line, adb and adbd; an emulated processor.

What a real one has besides is told in `support/phone.py`. No time here means anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench_command import BenchCommand
from host_cache import shared_bundle
from phone import BIG_CORES, MODEL, THERMAL, AdbServer, Phone, adb_server, free_port, phone
from waiting import wait_until

pytestmark = pytest.mark.network

_BOARDS = """\
[pixel]
title = "Pixel 7"
kind = "adb"
host = "{serial}"
identity = ["Google Pixel 7"]

[galaxy]
title = "Galaxy S23"
kind = "adb"
host = "{serial}"
identity = ["samsung"]
"""
_RUNNER = """\
#!/system/bin/sh
echo "INFO: started as $*" >&2
case "$1" in --graph=/data/local/tmp/*.tflite) ;; *) exit 1 ;; esac
grep Cpus_allowed_list /proc/self/status >"${0%/*}/cores"
echo "INFO: count=9 first=5000 curr=4000 min=3900 max=5000 avg=4100 std=20 p5=1 median=4050 p95=3"
echo "INFO: Inference timings in us: Init: 700, First inference: 5000, Warmup (avg): 4100"
"""


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """What the host prepares once for all devices, so that no test has to wait for it."""
    shared_bundle("litert")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with adb_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def pixel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with phone(tmp_path_factory.mktemp("pixel")) as running:
        yield running


@pytest.fixture
def bench(pixel: Phone, server: AdbServer, tmp_path: Path) -> BenchCommand:
    boards = _BOARDS.format(serial=pixel.serial)
    return BenchCommand.with_boards(tmp_path, boards, server.variables)


@pytest.fixture(scope="module")
def artifact(tiny_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, whose name no shell may read."""
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    odd = tmp_path_factory.mktemp("own") / 'it\'s; a $HOME & `name` "here".tflite'
    shutil.copy(path, odd)
    shutil.copy(f"{path}.json", f"{odd}.json")
    return odd


def test_a_phone_is_measured(bench: BenchCommand, pixel: Phone, artifact: Path) -> None:
    first = bench.measure("pixel", [artifact])
    assert first.code == 0, first.stderr
    assert f"{pixel.serial} over adb: bundle, with a Python of its own" in first.stderr
    machine = first.results["environment"]
    assert (machine["board"], machine["processor"]) == (MODEL, "Cortex-A76")
    assert first.results["parameters"]["cores"] == list(BIG_CORES)
    (run,) = first.results["runs"]
    for state in run["states"]:
        assert state["temperatures_c"] == {"battery": 31.2}
        assert (state["thermal_status"], state["battery_ma"]) == (0, -251.0)
    (model,) = first.results["models"]
    assert model["name"] == artifact.name
    assert model["probe"]["difference"] < 1e-4
    assert "copying" not in bench.measure("pixel", [artifact]).stderr


def test_another_phone_than_asked_for_is_refused(bench: BenchCommand, artifact: Path) -> None:
    refused = bench.measure("galaxy", [artifact])
    assert (refused.code, refused.results) == (2, {})
    assert refused.last_line.startswith(
        f"error: the device calls itself {MODEL!r}, which is no Galaxy S23"
    )


def test_a_phone_that_grew_hot_is_warned_of(
    bench: BenchCommand, pixel: Phone, artifact: Path
) -> None:
    pixel.answer("dumpsys thermalservice", THERMAL.replace("Status: 0", "Status: 3", 1))
    try:
        hot = bench.measure("pixel", [artifact])
    finally:
        pixel.answer("dumpsys thermalservice", THERMAL)
    assert "thermal status was severe, in 1 of 1 run" in " ".join(hot.stdout.split())


def test_the_harness_of_litert_stands_apart(
    bench: BenchCommand, pixel: Phone, artifact: Path, tmp_path: Path
) -> None:
    runner = tmp_path / "benchmark model"
    runner.write_text(_RUNNER)
    measured = bench.measure("pixel", [artifact], "--native-runner", str(runner))
    assert measured.code == 0, measured.stderr
    assert {one["median_ms"] for one in measured.results["native"]} == {4.05}
    assert len(measured.results["runs"]) == 1
    assert "benchmark_model, another harness" in measured.stdout
    (cores,) = pixel.root.glob("parts/*/cores")
    assert cores.read_text().split() == ["Cpus_allowed_list:", "1"]


def test_a_harness_that_is_none_is_told(
    bench: BenchCommand, artifact: Path, tmp_path: Path
) -> None:
    runner = tmp_path / "something"
    runner.write_text("#!/system/bin/sh\necho hello\n")
    failed = bench.measure("pixel", [artifact], "--native-runner", str(runner))
    assert failed.code == 1
    assert failed.last_line.startswith("error: --native-runner does not print what")
    assert failed.results["ended"] == "done"


def test_no_phone_and_several(
    bench: BenchCommand, pixel: Phone, server: AdbServer, artifact: Path, tmp_path: Path
) -> None:
    nobody = replace(server, port=free_port())
    alone = BenchCommand(tmp_path, nobody.variables)
    try:
        none = alone.measure("android", [artifact])
        assert none.code == 1
        assert none.last_line.startswith("error: no device is attached: connect it by USB")
        with phone(tmp_path / "second") as second:
            for serial in (pixel.serial, second.serial):
                nobody.adb("connect", serial)
            several = alone.measure("android", [artifact])
            assert several.code == 2
            assert pixel.serial in several.last_line
            assert "ANDROID_SERIAL" in several.last_line
            probed = alone.run("devices", "--probe")
            assert "android: no answer: several devices" in probed.stdout
            chosen = BenchCommand(tmp_path, {**nobody.variables, "ANDROID_SERIAL": pixel.serial})
            assert f"android: {MODEL}" in chosen.run("devices", "--probe").stdout
    finally:
        nobody.adb("kill-server")


def test_a_phone_that_is_not_there(bench: BenchCommand, artifact: Path) -> None:
    gone = BenchCommand.with_boards(
        bench.folder, _BOARDS.format(serial=f"127.0.0.1:{free_port()}"), bench.variables
    ).measure("pixel", [artifact])
    assert gone.code == 1
    assert "is not attached" in gone.last_line


def test_the_server_of_adb_dies_in_a_block(
    bench: BenchCommand, server: AdbServer, pixel: Phone, artifact: Path
) -> None:
    process = bench.start(
        *bench.measuring("pixel", [artifact], "--processes", "2", "--rounds", "4000")
    )
    bench.await_samples(process)
    server.adb("kill-server")
    lost = bench.finish(process)
    assert lost.code == 1, lost.stderr
    assert "error: " in lost.last_line
    assert "--resume goes on with it" in lost.last_line
    assert lost.results["models"][0]["probe"]
    wait_until(lambda: not workers())

    resumed = bench.run(
        *bench.measuring("pixel", [artifact], "--processes", "1", "--rounds", "2", "--resume")
    )
    assert resumed.code == 0, resumed.stderr
    assert resumed.results["ended"] == "done"


def workers() -> list[str]:
    """What runs there of ours."""
    return [
        words
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if (words := _words(path))
        and "shufflenet_deploy.runtime" in words
        and "/data/local" in words
    ]


def _words(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
