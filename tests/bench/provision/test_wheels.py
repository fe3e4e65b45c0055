"""Wheels for a device: which fit, what is unpacked of them, and pip's own answers, offline."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag, cpython_tags
from packaging.utils import parse_wheel_filename

from shufflenet_deploy.bench.provision import PYTHON_VERSIONS, hashes
from shufflenet_deploy.bench.provision.bundle import LIBRARIES, ON_DEMAND
from shufflenet_deploy.bench.provision.wheels import Platform, distribution, download, fits, unpack
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256

PI = Platform((3, 11), "aarch64", (2, 36))
NUMPY = importlib.metadata.version("numpy")


def wheel(folder: Path, name: str, files: dict[str, str] | None = None) -> Path:
    """A wheel with these files and the metadata that pip asks for."""
    path = folder / name
    project, version, *_ = name.split("-")
    about = f"{project}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in (files or {f"{project}/__init__.py": ""}).items():
            archive.writestr(inside, text)
        archive.writestr(f"{about}/METADATA", metadata)
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", True),
        ("numpy-2.4.6-cp311-cp311-manylinux_2_37_aarch64.whl", False),
        ("numpy-2.4.6-cp312-cp312-manylinux_2_27_aarch64.whl", False),
        ("numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl", False),
        ("numpy-2.4.6-cp311-cp311-musllinux_1_2_aarch64.whl", False),
        ("some-1-cp38-abi3-manylinux2014_aarch64.whl", True),
        ("some-1-cp312-abi3-manylinux2014_aarch64.whl", False),
        ("some-1-py3-none-any.whl", True),
        ("some-1-py2.py3-none-any.whl", True),
        ("some-1-py2-none-any.whl", False),
        ("some-1-pp311-pypy311_pp73-manylinux2014_aarch64.whl", False),
    ],
)
def test_a_wheel_fits_by_its_name(name: str, fitting: bool) -> None:
    assert fits(Path(name), PI) is fitting


_PYTHONS = [f"cp3{minor}" for minor in range(8, 15)] + ["py3", "py2.py3", "py311"]
_ABIS = ["cp310", "cp311", "cp312", "abi3", "none"]
_SYSTEMS = [f"manylinux_2_{minor}_aarch64" for minor in (17, 27, 36, 37)]
_SYSTEMS += ["manylinux2014_aarch64", "manylinux_2_17_x86_64", "musllinux_1_2_aarch64", "any"]


@given(
    python=st.sampled_from(_PYTHONS),
    abi=st.sampled_from(_ABIS),
    systems=st.lists(st.sampled_from(_SYSTEMS), min_size=1, max_size=3, unique=True),
)
def test_what_fits_is_what_the_tags_of_packaging_say(
    python: str, abi: str, systems: list[str]
) -> None:
    name = f"some-1-{python}-{abi}-{'.'.join(systems)}.whl"
    tags = set(cpython_tags((3, 11), platforms=[*PI.tags, "any"]))
    tags |= {Tag(py, "none", system) for py in ("py3", "py311") for system in (*PI.tags, "any")}
    assert fits(Path(name), PI) is bool(parse_wheel_filename(name)[3] & tags)


def test_an_old_c_library_gets_no_newer_wheels() -> None:
    tags = Platform((3, 11), "aarch64", (2, 19)).tags
    assert tags == (
        "manylinux_2_19_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
    )
    assert Platform((3, 11), "aarch64", (2, 16)).tags == ()


def test_what_no_worker_needs_is_left_out(tmp_path: Path) -> None:
    files = {
        "numpy/__init__.py": "a",
        "numpy/tests/test_a.py": "b",
        "numpy/_core/include/a.h": "c",
        "numpy/__init__.pyi": "d",
        "numpy/f2py/__init__.py": "e",
        "numpy-1.data/platlib/numpy/more.py": "f",
        "numpy-1.data/scripts/f2py": "g",
    }
    made = wheel(tmp_path, "numpy-1-py3-none-any.whl", files)
    out = tmp_path / "out"
    unpack(made, out)
    kept = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    about = {f"numpy-1.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    assert kept == {"numpy/__init__.py", "numpy/more.py"} | about


_names = st.lists(st.sampled_from(["..", "a", "", "b\\c", "."]), min_size=1, max_size=4)


@given(parts=_names)
def test_nothing_leaves_the_folder(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("wheel")
    name = "/".join(parts)
    made = wheel(folder, "some-1-py3-none-any.whl", {f"{name}x": "text"})
    out = folder / "a" / "b" / "c" / "d" / "out"
    with contextlib.suppress(BenchError):
        unpack(made, out)
    written = {path for path in folder.rglob("*") if path.is_file()} - {made}
    assert all(path.is_relative_to(out) for path in written)


@pytest.mark.parametrize("name", ["/etc/a", "../a", "a/../../b", "a\\b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    made = wheel(tmp_path, "some-1-py3-none-any.whl", {name: "text"})
    with pytest.raises(BenchError, match="is no name in a wheel"):
        unpack(made, tmp_path / "out")


def test_a_link_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "some-1-py3-none-any.whl"
    link = zipfile.ZipInfo("some/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BenchError, match="is no name in a wheel"):
        unpack(made, tmp_path / "out")


def test_what_is_no_wheel_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "some-1-py3-none-any.whl"
    broken.write_bytes(b"half")
    with pytest.raises(BenchError, match=r"is no wheel .* remove it"):
        unpack(broken, tmp_path / "out")


def test_the_device_gets_the_version_of_the_host(index: Path, tmp_path: Path) -> None:
    wheel(index, "numpy-99.0-cp311-cp311-manylinux_2_28_aarch64.whl")
    same = wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    told: list[str] = []
    (found,) = download(["numpy"], PI, tmp_path / "kept", told.append)
    assert found.name == same.name
    assert told == [
        f"{same.name} was not tested here: taken as pip's index has it, sha256:{sha256(same)}"
    ]


def test_a_second_time_pip_is_not_asked(index: Path, tmp_path: Path) -> None:
    offered = wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    first = download(["numpy"], PI, tmp_path / "kept", print)
    offered.unlink()
    assert download(["numpy"], PI, tmp_path / "kept", print) == first


def test_a_wheel_that_was_cut_off_is_fetched_anew(index: Path, tmp_path: Path) -> None:
    wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    (first,) = download(["numpy"], PI, tmp_path / "kept", print)
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    (again,) = download(["numpy"], PI, tmp_path / "kept", print)
    assert again.read_bytes() == whole


def test_a_wheel_that_was_tested_is_taken_without_a_word(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    monkeypatch.setattr(hashes, "known", lambda: {offered.name: sha256(offered)})
    told: list[str] = []
    first = download(["numpy"], PI, tmp_path / "kept", told.append)
    assert (download(["numpy"], PI, tmp_path / "kept", told.append), told) == (first, [])


def test_a_wheel_that_is_another_than_the_one_tested_is_refused_and_removed(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    monkeypatch.setattr(hashes, "known", lambda: {offered.name: "0" * 64})
    with pytest.raises(BenchError, match=rf"another file than the one.*{sha256(offered)} and not"):
        download(["numpy"], PI, tmp_path / "kept", print)
    assert not list((tmp_path / "kept").glob("*.whl"))


def test_a_wheel_that_pip_did_not_bring_is_fetched_anew(index: Path, tmp_path: Path) -> None:
    """Whoever can write to a cache could choose one by its name."""
    name = f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl"
    offered = wheel(index, name)
    kept = tmp_path / "kept"
    kept.mkdir()
    wheel(kept, name, {"numpy/__init__.py": "planted"})
    (found,) = download(["numpy"], PI, kept, print)
    assert found.read_bytes() == offered.read_bytes()


def test_the_table_has_what_devices_get_by_constraints_txt() -> None:
    """For each Python; ``make wheel-hashes`` after a version in constraints.txt has changed."""
    constraints = Path(__file__).parents[3] / "constraints.txt"
    pinned = dict(line.split("==") for line in constraints.read_text().splitlines() if "==" in line)
    wheels = [parse_wheel_filename(name) for name in hashes.known()]
    for name in (*LIBRARIES, *ON_DEMAND, "onnxruntime", "ai-edge-litert"):
        for version in PYTHON_VERSIONS:
            python = "cp" + version.replace(".", "")
            assert any(
                (own, str(number)) == (name, pinned[name])
                and any(tag.interpreter == python for tag in tags)
                for own, number, _, tags in wheels
            ), (name, version)
    assert all(re.fullmatch("[0-9a-f]{64}", hash_) for hash_ in hashes.known().values())


def test_where_the_version_has_no_wheel_the_newest_is_taken_and_told(
    index: Path, tmp_path: Path
) -> None:
    wheel(index, f"numpy-{NUMPY}-cp312-cp312-manylinux_2_28_aarch64.whl")
    for version in ("1.25.0", "1.26.1", "1.26.4"):
        wheel(index, f"numpy-{version}-cp311-cp311-manylinux_2_17_aarch64.whl")
    told: list[str] = []
    (found,) = download(["numpy"], PI, tmp_path / "kept", told.append)
    assert distribution(found) == ("numpy", "1.26.4")
    assert told[0] == (
        f"numpy {NUMPY}, which this host has, has no wheel for Python 3.11 on aarch64 with glibc "
        "2.36: the device gets 1.26.4"
    )
    assert told[1].startswith(f"{found.name} was not tested here: ")
    assert len(told) == 2


def test_no_wheel_at_all_is_told_with_the_c_library(index: Path, tmp_path: Path) -> None:
    wheel(index, f"numpy-{NUMPY}-cp311-cp311-manylinux_2_28_aarch64.whl")
    old = Platform((3, 11), "aarch64", (2, 26))
    with pytest.raises(BenchError) as refused:
        download(["numpy"], old, tmp_path / "kept", print)
    assert str(refused.value) == (
        "there is no wheel of numpy>=1.26 for Python 3.11 on aarch64 with glibc 2.26"
    )


def test_without_a_network_that_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BenchError, match="pip cannot reach its index for numpy=="):
        download(["numpy"], PI, tmp_path / "kept", print)


def test_what_this_host_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no-such-thing is not installed here.*pip install"):
        download(["no-such-thing"], PI, tmp_path, print)


def test_without_pip_that_is_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=f"there is no pip in {sys.executable}"):
        download(["numpy"], PI, tmp_path, print)
