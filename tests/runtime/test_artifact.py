"""An artifact's name, its manifest, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.artifact import (
    Artifact,
    copied_files,
    files,
    model_bytes,
    model_sha256,
)
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.formats import FORMATS, Format
from shufflenet_deploy.runtime.manifest import (
    MANIFEST_VERSION,
    File,
    manifest_path,
    read_manifest,
    write_manifest,
)
from shufflenet_deploy.runtime.options import Options

_SHUFFLENET = Options(
    network="shufflenet-v1", groups=3, scale=1.0, input_size=(224, 224), format="tflite"
)

_options = st.builds(
    Options,
    network=st.sampled_from(["shufflenet-v1", "alexnet", "mobilenet-v1"]),
    groups=st.sampled_from([None, 1, 2, 3, 4, 8]),
    scale=st.sampled_from([None, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]),
    input_size=st.tuples(st.integers(32, 99999), st.integers(32, 99999)),
    format=st.sampled_from(["onnx", "tflite"]),
    precision=st.sampled_from(["fp32", "fp16", "int8"]),
    lowering=st.sampled_from(["fast", "plain"]),
)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "shufflenet-v1-g3-x1.0-224x224-fp32.tflite"),
        ({"precision": "int8"}, "shufflenet-v1-g3-x1.0-224x224-int8.tflite"),
        ({"format": "onnx"}, "shufflenet-v1-g3-x1.0-224x224-fp32.onnx"),
        ({"lowering": "plain"}, "shufflenet-v1-g3-x1.0-224x224-fp32-plain.tflite"),
        ({"groups": 8, "scale": 0.25}, "shufflenet-v1-g8-x0.25-224x224-fp32.tflite"),
        ({"input_size": (480, 640)}, "shufflenet-v1-g3-x1.0-480x640-fp32.tflite"),
        (
            {"network": "mobilenet-v1", "groups": None, "scale": 0.5},
            "mobilenet-v1-x0.5-224x224-fp32.tflite",
        ),
        (
            {"network": "alexnet", "groups": None, "scale": None, "input_size": (227, 227)},
            "alexnet-227x227-fp32.tflite",
        ),
    ],
)
def test_the_name_tells_the_options_that_are_not_the_default(
    changes: dict[str, object], name: str
) -> None:
    assert msgspec.structs.replace(_SHUFFLENET, **changes).file_name == name


@given(first=_options, second=_options)
def test_other_options_have_another_name(first: Options, second: Options) -> None:
    assert (first.file_name == second.file_name) == (first == second)


_OTHER = {
    "network": "alexnet",
    "groups": 4,
    "scale": 2.0,
    "input_size": (224, 225),
    "format": "onnx",
    "precision": "fp16",
    "lowering": "plain",
    "target": "x86-64",
    "io": "uint8",
    "weights": "01234567",
}


@pytest.mark.parametrize("option", sorted(Options.__struct_fields__))
def test_each_option_alone_changes_the_name(option: str) -> None:
    changed = msgspec.structs.replace(_SHUFFLENET, **{option: _OTHER[option]})
    assert changed.file_name != _SHUFFLENET.file_name


def test_an_artifact_opens_with_its_manifest(artifact: Path) -> None:
    opened = Artifact.open(artifact)
    assert opened.path == artifact
    assert opened.manifest.file_name == opened.manifest.options.file_name == artifact.name
    assert len(opened.manifest.self_check.logits) == 1000


@given(
    labels=st.none() | st.lists(st.text(), max_size=3).map(tuple),
    widths=st.dictionaries(
        st.text(), st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9999))
    ),
    options=_options,
)
def test_a_manifest_reads_back_as_it_was_written(
    tiny_artifacts: Path,
    tmp_path_factory: pytest.TempPathFactory,
    labels: tuple[str, ...] | None,
    widths: dict[str, tuple[float, int]],
    options: Options,
) -> None:
    manifest = msgspec.structs.replace(
        read_manifest(next(tiny_artifacts.glob("*.json"))),
        labels=labels,
        rounded_widths=widths,
        options=options,
        footprint=None,
    )
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest


def _refusal(path: Path) -> str:
    with pytest.raises(InferenceError) as refused:
        Artifact.open(path)
    message = str(refused.value)
    assert "\n" not in message
    assert str(path) in message
    assert "export" in message or "copy" in message  # the remedy
    return message


def test_an_artifact_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(
        InferenceError, match=r"no artifact .*gone\.onnx: export it with"
    ) as refused:
        Artifact.open(tmp_path / "gone.onnx")
    assert refused.value.usage


def test_an_artifact_without_its_manifest_is_refused(copied: Path) -> None:
    manifest_path(copied).unlink()
    assert "cannot read the manifest" in _refusal(copied)
    assert "copy it along with the artifact" in _refusal(copied)


@pytest.mark.parametrize("part", [0, 0.5, 0.9999])
def test_a_truncated_artifact_is_refused(copied: Path, part: float) -> None:
    whole = copied.read_bytes()
    left = whole[: int(part * len(whole))]
    copied.write_bytes(left)
    assert f"has {len(left)} bytes where its manifest says {len(whole)}" in _refusal(copied)


@given(data=st.data())
def test_an_artifact_with_any_bit_altered_is_refused(
    tiny_artifacts: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    original = next(tiny_artifacts.glob("*x0.25*.onnx"))
    path = tmp_path_factory.getbasetemp() / original.name
    shutil.copy(manifest_path(original), manifest_path(path))
    altered = bytearray(original.read_bytes())
    place = data.draw(st.integers(0, len(altered) - 1))
    altered[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(altered)
    assert "SHA-256 differs" in _refusal(path)


@pytest.mark.parametrize("version", [0, MANIFEST_VERSION + 1, "1", None])
def test_a_manifest_of_another_version_is_refused(copied: Path, version: object) -> None:
    _rewrite(copied, version=version)
    message = _refusal(copied)
    assert f"is a manifest of version {version!r}" in message
    assert "export the network again" in message


def test_a_newer_manifest_is_told_by_its_version_not_by_its_new_fields(copied: Path) -> None:
    _rewrite(copied, version=MANIFEST_VERSION + 1, new_field=1)
    assert f"of version {MANIFEST_VERSION + 1}" in _refusal(copied)


def test_a_manifest_with_an_unknown_field_is_refused_by_name(copied: Path) -> None:
    _rewrite(copied, licence="MIT")
    assert "unknown field `licence`" in _refusal(copied)


def test_a_manifest_of_a_wrong_type_is_refused_by_name(copied: Path) -> None:
    _rewrite(copied, multiply_adds="many")
    assert "Expected `int`, got `str` - at `$.multiply_adds`" in _refusal(copied)


def _as_version_1(artifact: Path) -> None:
    """As version 1 had it: one file, whose facts were the manifest's own fields, and one remark."""
    path = manifest_path(artifact)
    manifest = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    (file,) = manifest.pop("files")
    old = {
        "file_name": file["name"],
        "sha256": file["sha256"],
        "size_bytes": file["size_bytes"],
        "delegate_partitions": manifest.pop("remarks").get("delegate_partitions"),
    }
    path.write_bytes(msgspec.json.encode({**manifest, **old, "version": 1}))


def test_a_manifest_of_version_1_is_still_read(copied: Path) -> None:
    now = Artifact.open(copied)
    _as_version_1(copied)
    assert Artifact.open(copied) == now


@pytest.mark.parametrize("field", ["file_name", "sha256", "size_bytes"])
def test_a_manifest_of_version_1_without_its_file_is_refused(copied: Path, field: str) -> None:
    _as_version_1(copied)
    path = manifest_path(copied)
    manifest = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    del manifest[field]
    path.write_bytes(msgspec.json.encode(manifest))
    assert "missing required field" in _refusal(copied)


def test_an_artifact_of_no_files_is_refused(copied: Path) -> None:
    _rewrite(copied, files=[])
    assert "at least one file" in _refusal(copied)


@pytest.fixture
def pair(copied: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An artifact of two files, which a format of the tests has."""
    monkeypatch.setitem(
        FORMATS,
        "pair",
        Format(name="pair", files=(".param", ".bin"), layout="NCHW", engines=("onnxruntime",)),
    )
    first, second = copied.with_name("net.param"), copied.with_name("net.bin")
    first.write_bytes(b"steps")
    second.write_bytes(b"weights")
    manifest = msgspec.structs.replace(
        read_manifest(manifest_path(copied)), files=(File.of(first), File.of(second))
    )
    write_manifest(manifest_path(first), manifest)
    return first, second


def test_an_artifact_of_two_files_is_checked_weighed_and_copied_whole(
    pair: tuple[Path, Path],
) -> None:
    first, second = pair
    opened = Artifact.open(first)
    assert files(first) == (first, second)
    assert copied_files(first) == (first, second, manifest_path(first))
    assert opened.manifest.size_bytes == model_bytes(first) == len(b"steps" + b"weights")
    assert opened.manifest.sha256 == model_sha256(first)
    assert opened.manifest.sha256 not in {file.sha256 for file in opened.manifest.files}


def test_under_another_name_it_is_the_same_artifact(pair: tuple[Path, Path]) -> None:
    before = Artifact.open(pair[0])
    for file in copied_files(pair[0]):
        file.rename(file.with_name(file.name.replace("net", "mine")))
    assert Artifact.open(pair[0].with_name("mine.param")).manifest == before.manifest


def test_an_artifact_that_lacks_one_of_its_files_is_refused_by_its_name(
    pair: tuple[Path, Path],
) -> None:
    pair[1].unlink()
    assert "needs net.bin beside it, which is missing" in _refusal(pair[0])
    with pytest.raises(InferenceError, match=r"needs net\.bin beside it"):
        model_bytes(pair[0])


def test_of_an_artifact_of_two_files_either_may_be_the_altered_one(
    pair: tuple[Path, Path],
) -> None:
    for file in pair:
        whole = file.read_bytes()
        file.write_bytes(whole[::-1])
        with pytest.raises(InferenceError, match=f"{file.name} is not the file"):
            Artifact.open(pair[0])
        file.write_bytes(whole)


def test_a_manifest_of_fewer_files_than_the_format_has_is_refused(pair: tuple[Path, Path]) -> None:
    manifest = read_manifest(manifest_path(pair[0]))
    write_manifest(
        manifest_path(pair[0]), msgspec.structs.replace(manifest, files=manifest.files[:1])
    )
    assert "its format has 2 files and its manifest 1" in _refusal(pair[0])


@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_manifest_cut_off_anywhere_is_refused(
    tiny_artifacts: Path, tmp_path_factory: pytest.TempPathFactory, kept: float
) -> None:
    whole = next(tiny_artifacts.glob("*.json")).read_bytes().rstrip()
    _refuses_manifest(tmp_path_factory, whole[: int(kept * len(whole))])


@given(
    content=st.binary()
    | st.text().map(str.encode)
    | st.just(b'{"version": 1, "file_name": "\xff"}')
)
def test_what_is_not_a_manifest_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    _refuses_manifest(tmp_path_factory, content)


def _refuses_manifest(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(InferenceError, match="manifest") as refused:
        read_manifest(path)
    assert str(refused.value).startswith(str(path))
    assert "export the network again" in str(refused.value)


def _rewrite(artifact: Path, **changes: object) -> None:
    path = manifest_path(artifact)
    manifest = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode({**manifest, **changes}))
