"""The runtime where a device has it: in environments without torch and onnx, from the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import msgspec
import pytest
from packaging.requirements import Requirement

from shufflenet_deploy.runtime.manifest import manifest_path, read_manifest
from shufflenet_deploy.runtime.worker.spec import Answer, Spec
from waiting import HANG_SECONDS

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("bench", "export", "models", "runtime")


class Environment:
    """A virtual environment without pip, to be filled with links and the project."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.python = folder / "bin" / "python"
        (self.packages,) = folder.glob("lib/python*/site-packages")

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run its Python isolated (-I): neither the folder nor the variables of this one."""
        return subprocess.run(
            [self.python, "-I", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=HANG_SECONDS,
        )

    def link(self, installed: Distribution) -> None:
        """Take what `installed` has in this process's site-packages, and no more."""
        for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            link = self.packages / name
            if not link.is_symlink():
                link.symlink_to(Path(str(installed.locate_file(name))))


@pytest.fixture(scope="session")
def device(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What ``pip install shufflenet-deploy`` without extras brings."""
    environment = Environment(tmp_path_factory.mktemp("device"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(environment.packages)
    (metadata,) = environment.packages.glob("shufflenet_deploy-*.dist-info")
    wanted: list[Distribution] = [Distribution.at(metadata)]
    linked = set[str]()
    while wanted:
        for requirement in map(Requirement, wanted.pop().requires or ()):
            needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if needed and requirement.name not in linked:
                linked.add(requirement.name)
                environment.link(distribution(requirement.name))
                wanted.append(distribution(requirement.name))
    return environment


def test_the_wheel_holds_the_four_folders_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist()}
    code = {path for path in packed if path.parts[0] == "shufflenet_deploy"}
    assert {path.parts[0] for path in packed - code} == {"shufflenet_deploy-0.1.0.dist-info"}
    assert code == {
        Path("shufflenet_deploy", path.relative_to(_ROOT))
        for folder in _FOLDERS
        for path in (_ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("module", ["torch", "onnx", "onnxsim", "pytest"])
def test_a_device_does_without(device: Environment, module: str) -> None:
    absent = device.run("-c", f"import {module}")
    assert f"No module named '{module}'".encode() in absent.stderr


def test_a_device_runs_what_is_in_the_wheel(device: Environment) -> None:
    where = device.run("-c", "import shufflenet_deploy.runtime as r; print(r.__file__)").stdout
    assert where.decode().startswith(str(device.packages))


def test_a_device_measures(device: Environment, tiny_artifacts: Path) -> None:
    paths = sorted(str(path) for path in tiny_artifacts.iterdir() if path.suffix != ".json")
    spec = Spec(artifacts=tuple(paths), rounds=2)
    worker = device.run("-m", "shufflenet_deploy.runtime", stdin=msgspec.json.encode(spec))
    assert worker.returncode == 0, worker.stderr.decode()
    answer = msgspec.json.decode(worker.stdout, type=Answer)
    assert [model.artifact for model in answer.models] == paths
    assert [len(model.bursts) for model in answer.models] == [2] * 4


def test_a_device_reads_manifests(device: Environment, artifact: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shufflenet_deploy.runtime.artifact import Artifact\n"
        "print(Artifact.open(Path(sys.argv[1])).manifest.multiply_adds)\n"
    )
    printed = device.run("-c", program, str(artifact))
    assert int(printed.stdout) == read_manifest(manifest_path(artifact)).multiply_adds


@pytest.mark.parametrize("words", [["export"], ["bench", "run"]], ids=" ".join)
def test_every_command_has_its_help_on_a_device(device: Environment, words: list[str]) -> None:
    package, *command = words
    shown = device.run("-m", f"shufflenet_deploy.{package}", *command, "--help")
    assert shown.returncode == 0, shown.stderr.decode()
    assert b"--out" in shown.stdout
    assert shown.stderr == b""


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_exporting_on_a_device_says_what_is_missing(
    device: Environment, tmp_path: Path, format_: str
) -> None:
    out = tmp_path / "artifacts"
    refused = device.run("-m", "shufflenet_deploy.export", "--format", format_, "--out", str(out))
    assert refused.returncode == 1
    assert refused.stdout == b""
    *progress, line = refused.stderr.decode().splitlines()
    assert progress == ["loading PyTorch"]
    assert line == (
        "error: exporting needs torch, which is not installed: "
        "pip install 'shufflenet-deploy[export]'"
    )
    assert not out.exists()


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with tflite-runtime and neither LiteRT nor ONNX Runtime."""
    environment = Environment(tmp_path_factory.mktemp("older"))
    packages = ["tflite-runtime==2.14.0", "numpy<2", "msgspec"]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment.python, "install", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        pytest.skip(f"pip install {' '.join(packages)}: {installed.stderr.strip()[-500:]}")
    (environment.packages / "project.pth").write_text(f"{_ROOT / 'src'}\n")
    return environment


_up_to_3_11 = pytest.mark.xfail(
    sys.version_info >= (3, 12),
    reason="tflite-runtime's last release is for Python 3.11 at most",
    run=False,
)


@pytest.mark.network
@_up_to_3_11
def test_tflite_runtime_measures_where_it_alone_is_installed(
    older: Environment, tiny_artifacts: Path
) -> None:
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    spec = Spec(artifacts=(str(path),), rounds=2)
    worker = older.run("-m", "shufflenet_deploy.runtime", stdin=msgspec.json.encode(spec))
    assert worker.returncode == 0, worker.stderr.decode()
    (model,) = msgspec.json.decode(worker.stdout, type=Answer).models
    assert (model.engine, model.engine_version) == ("tflite-runtime", "2.14.0")
    assert model.remarks == {"delegate_partitions": 1}
    assert model.difference is not None
    assert model.difference <= read_manifest(manifest_path(path)).self_check.tolerance
    assert len(model.bursts) == 2


@pytest.mark.network
@_up_to_3_11
def test_onnx_artifacts_are_refused_where_onnx_runtime_really_is_missing(
    older: Environment, tiny_artifacts: Path
) -> None:
    spec = Spec(artifacts=tuple(str(path) for path in tiny_artifacts.glob("*.onnx")))
    worker = older.run("-m", "shufflenet_deploy.runtime", stdin=msgspec.json.encode(spec))
    assert worker.returncode == 1
    assert worker.stdout == b""
    assert worker.stderr.decode().splitlines()[-1] == (
        "error: ONNX Runtime is not installed (No module named 'onnxruntime'): "
        "pip install onnxruntime"
    )
