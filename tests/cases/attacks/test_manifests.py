"""Manifests that parse and are wrong: one line, before anything is allocated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cases import Bench, reached
from shufflenet_deploy.runtime.manifest import manifest_path

Manifest = dict[str, Any]
DEEP = '{"version":1,"x":' + "[" * 100_000


def at(*path: str | int, value: object) -> Callable[[Manifest], str]:
    """The manifest with another value at `path`."""

    def change(manifest: Manifest) -> str:
        inner: Any = manifest
        for key in path[:-1]:
            inner = inner[key]
        reached(path[-1] in inner, f"a manifest has no {path} any more")
        inner[path[-1]] = value
        return json.dumps(manifest)

    return change


def size(height: int, width: int) -> Callable[[Manifest], str]:
    return at("options", "input_size", value=[height, width])


def test_the_manifest_as_it_was_is_read(bench: Bench, own_onnx: Path) -> None:
    bench.work(msgspec.json.encode({"artifacts": [str(own_onnx)], "rounds": 0})).require_success()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda manifest: DEEP, id="deep"),
        pytest.param(at("self_check", "seed", value=-1), id="seed -1"),
        pytest.param(at("self_check", "seed", value=2**40), id="seed 2^40"),
        pytest.param(size(-1, 5), id="size -1"),
        pytest.param(size(10**12, 10**12), id="size 10^12"),
        pytest.param(size(10**6, 10**6), id="size 10^6"),
        pytest.param(size(0, 0), id="size 0"),
        pytest.param(at("version", value=10**30), id="version 10^30"),
        pytest.param(at("files", 0, "size_bytes", value=-1), id="size_bytes -1"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(
    change: Callable[[Manifest], str], bench: Bench, own_onnx: Path
) -> None:
    manifest = manifest_path(own_onnx)
    manifest.write_text(change(json.loads(manifest.read_text())))
    spec = msgspec.json.encode({"artifacts": [str(own_onnx)], "rounds": 0})
    said = bench.work(spec, seconds=40.0)
    named = own_onnx.stem in said.stderr
    reached(named or "Traceback" in said.stderr, f"the manifest was not read: {said.stderr}")
    assert own_onnx.stem in said.require_one_line()
