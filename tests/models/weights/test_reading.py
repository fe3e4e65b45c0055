"""Nothing in a file of weights is ever run, whatever it asks for."""

from __future__ import annotations

import collections
import io
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.runtime.errors import ModelsError

STATE = ShuffleNetV1(3, 0.25, num_classes=5).state_dict()


class _Calls:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class _Builds:
    """An object whose state would run something if its class were the real one."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return collections.Counter, (), {"x": _Calls(os.mkdir, self.folder)}


def _dangers(folder: str) -> dict[str, object]:
    return {
        "reduce": _Calls(os.mkdir, folder),
        "system": _Calls(os.system, f"mkdir {folder}"),
        "eval": _Calls(eval, f"__import__('os').mkdir({folder!r})"),
        "popen": _Calls(subprocess.Popen, ["mkdir", folder]),
        "nested": [{"a": ({"b": _Calls(os.mkdir, folder)},)}],
        "build": _Builds(folder),
        "getattr": _Calls(getattr, _Calls(__import__, "os"), "mkdir"),
        "torch": _Calls(torch.hub.load, "nobody/nothing", "model"),
        "keyed": {("key", 1): _Calls(os.mkdir, folder)},
    }


@pytest.mark.parametrize("name", _dangers(""))
@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run_and_the_weights_are_read(name: str, zipped: bool, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    content = {"state_dict": STATE, "beside": _dangers(str(ran))[name]}
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    network = load(path).network
    assert not ran.exists()
    assert network.output.weight.equal(STATE["output.weight"])


@pytest.mark.parametrize("name", _dangers(""))
def test_code_in_place_of_the_weights_is_refused_and_not_run(name: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    torch.save(_dangers(str(ran))[name], tmp_path / "weights.pth")
    with pytest.raises(ModelsError) as caught:
        load(tmp_path / "weights.pth")
    assert "\n" not in str(caught.value)
    assert not ran.exists()


GLOBAL_SYSTEM = b"cposix\nsystem\n"


@pytest.mark.parametrize(
    "opcodes",
    [
        GLOBAL_SYSTEM + b"(S'mkdir ran'\ntR.",  # REDUCE
        b"(S'mkdir ran'\niposix\nsystem\n.",  # INST
        b"(cposix\nsystem\nS'mkdir ran'\no.",  # OBJ
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\tmkdir ran\x85R.",  # STACK_GLOBAL
        b"\x80\x02cposix\nsystem\nX\x09\0\0\0mkdir ran\x85\x81.",  # NEWOBJ
        GLOBAL_SYSTEM + b"}S'x'\nI1\nsb.",  # BUILD
        b"\x80\x02\x82\x01.",  # EXT1
    ],
)
def test_no_opcode_runs_anything(
    opcodes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the pickle of a file of PyTorch's, whose other members are right."""
    monkeypatch.chdir(tmp_path)
    saved = io.BytesIO()
    torch.save({"x": torch.ones(1)}, saved)
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile("weights.pth", "w") as changed:
        for name in whole.namelist():
            data = opcodes if name.endswith("data.pkl") else whole.read(name)
            changed.writestr(name, data)
    with pytest.raises(ModelsError):
        load(Path("weights.pth"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.pth"]


def test_a_bare_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(pickle.dumps({"state_dict": {"a": 1}}))
    with pytest.raises(ModelsError, match="not a checkpoint of PyTorch"):
        load(tmp_path / "weights.pth")


def test_recursion_without_end_is_one_line(tmp_path: Path) -> None:
    content: Any = _Calls(os.getcwd)
    for _ in range(100):
        content = [content]
    torch.save({"state_dict": STATE, "deep": content}, tmp_path / "deep.pth")
    assert load(tmp_path / "deep.pth").classes == 5
