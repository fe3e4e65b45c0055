"""Formats of several files, of one image at a time, without int8: made like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import EMITTERS, emitter_for, lower
from shufflenet_deploy.export.formats.emitter import Emitted, Emitter
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.making import FloatMaker
from shufflenet_deploy.export.manifest import describe
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.source import open_source
from shufflenet_deploy.export.staging import publish, staging
from shufflenet_deploy.export.verify import reference
from shufflenet_deploy.runtime.engines import ENGINES, NO_REMARKS, Engine
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.formats import FORMATS, Format
from shufflenet_deploy.runtime.manifest import manifest_path, write_manifest
from shufflenet_deploy.runtime.options import Options


class _Joined:
    """ONNX Runtime on a model that was cut in two, and that takes one image."""

    engine = "joined"
    engine_version = "1"
    remarks = NO_REMARKS
    inputs: tuple[Input, ...] = ()

    def __init__(self, path: Path, threads: int) -> None:
        halves = path.read_bytes(), path.with_suffix(".tail").read_bytes()
        self._session = onnxruntime.InferenceSession(
            b"".join(halves), providers=["CPUExecutionProvider"]
        )

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        (images,) = inputs
        assert len(images) == 1
        (logits,) = self._session.run(None, {"images": images})
        return np.asarray(logits)


def _halves(graph: Graph, options: Options) -> Emitted:
    (content,) = emitter_for("onnx").emit(graph, options).files
    return Emitted((content[:1000], content[1000:]))


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> Format:
    """A format of two files that takes one image at a time and has no int8."""
    format_ = Format(
        name="halves",
        files=(".head", ".tail"),
        layout="NCHW",
        engines=("joined",),
        fixed_batch=True,
    )
    engine = Engine(name="joined", title="Joined", distributions=(), open=lambda: _Joined)
    monkeypatch.setitem(FORMATS, "halves", format_)
    monkeypatch.setitem(ENGINES, "joined", engine)
    monkeypatch.setitem(EMITTERS, "halves", lambda: Emitter(emit=_halves, lowering={}))
    return format_


def _request(format_: Format, out: Path, **changes: Any) -> Request:
    return Request(
        **{"scale": 0.25, "input_size": (32, 32), "formats": (format_.name,), "out": out, **changes}
    )


def test_an_artifact_of_two_files_is_verified_and_described(halves: Format, tmp_path: Path) -> None:
    request = _request(halves, tmp_path)
    source = open_source(request)
    (options,) = request.artifacts(source.variant, source.tag)
    assert options.file_name == "shufflenet-v1-g3-x0.25-32x32-fp32.head"
    graph = capture(source.network, source.variant.input_size)
    lowered = lower(graph, options)
    with staging(tmp_path / "out") as folder:
        path = folder / options.file_name
        maker = FloatMaker(reference(source.network, source.preprocessing))
        made = maker.make(path, lowered, options)
        assert made.verification is not None
        assert made.verification.engine == "joined"
        assert made.verification.difference <= 1e-4
        manifest = describe(path, options, source, graph, graph, (), made)
        write_manifest(manifest_path(path), manifest)
        tail = path.with_suffix(".tail")
        assert set(folder.iterdir()) == {path, tail, manifest_path(path)}
        assert (path.stat().st_size, tail.stat().st_size > 0) == (1000, True)
    assert manifest.input.shape == (1, 3, 32, 32)
    assert manifest.output.shape == (1, 1000)


def test_all_files_are_published_and_only_together(halves: Format, tmp_path: Path) -> None:
    with staging(tmp_path / "out") as folder:
        names = ("net.head", "net.tail", "net.head.json")
        for name in names:
            (folder / name).write_text(name)
        with pytest.raises(Exception, match=r"net\.head"):  # no manifest, so it is not opened
            publish(folder / "net.head", tmp_path / "out")
        assert list(folder.iterdir()) == []
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(names)


def test_int8_of_a_format_without_it_is_wrong_usage(halves: Format, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ExportError, match="halves has no int8: leave out") as caught:
        pipeline.export(_request(halves, out, precisions=("fp32", "int8")), lambda line: None)
    assert caught.value.usage
    assert not out.exists()


def test_a_format_is_asked_for_by_the_name_in_its_row(halves: Format, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="choose from onnx, tflite, halves"):
        _request(halves, tmp_path, formats=("ncnn",))
