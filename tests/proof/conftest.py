"""The copy of this project that has one more format and two more engines, and what it exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extended_copy import ExtendedCopy, extended_copy, run_folder
from shufflenet_deploy.bench.provision.cache import locked

DIGITS = Path(__file__).parents[1] / "data/digits-shufflenet-v1-g3-x0.25.pth"
MakeOnce = Callable[..., Path]


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> ExtendedCopy:
    """The copy; all processes of a run of the tests have the same."""
    return extended_copy(run_folder(tmp_path_factory))


def _exported(copy: ExtendedCopy, folder: str, *words: str | Path) -> Path:
    """The folder that the copy's command exports to, which it does once."""
    out = copy.folder / folder
    with locked(copy.folder):
        if not out.exists():
            copy.done("shufflenet-export", *words, "--out", out)
    return out


@pytest.fixture(scope="session")
def plainnet(copy: ExtendedCopy) -> Path:
    """A small network as plainnet, with random weights."""
    words = ("--format", "plainnet", "--scale", "0.25", "--input-size", "32")
    (artifact,) = _exported(copy, "small", *words).glob("*.plainnet")
    return artifact


@pytest.fixture(scope="session")
def digits(copy: ExtendedCopy) -> tuple[Path, Path]:
    """The network that knows digits, as plainnet and as ONNX."""
    words = ("--format", "plainnet", "--format", "onnx", "--weights", DIGITS)
    out = _exported(copy, "digits", *words)
    (first,), (second,) = out.glob("*.plainnet"), out.glob("*.onnx")
    return first, second
