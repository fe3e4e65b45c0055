"""How much goes to a device: ``python benchmarks/sizes.py``.

The bundle and the venv are what `shufflenet-bench` copies, by its own code; the last row is what
pip would install on a Raspberry Pi. Sizes are in millions of bytes.
"""

from __future__ import annotations

import argparse
import lzma
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.bundle import bundle_parts, package_parts, unpacked
from shufflenet_deploy.bench.provision.parts import pack
from shufflenet_deploy.bench.provision.wheels import Platform
from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.engines import default_engines, distributions

LARGEST_TGZ_MB = 34.0
"""Of a bundle with Python, numpy and one engine."""
LARGEST_TXZ_MB = 22.0
"""The same; one of both has to be kept."""
PI = Platform((3, 11), "aarch64", (2, 36))
_NAMES = tuple(engine.name for engine in default_engines())
_SETS = (*((name,) for name in _NAMES), _NAMES)
"""Of engines: each alone, and all."""


def main() -> int:
    """Print the sizes. With --check, exit 1 where a bundle with one engine is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 where a bundle is too large")
    parser.add_argument("--txz", action="store_true", help="also compress by xz, which takes long")
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False, title="on an ARM64 device, in MB")
    for heading in ("what", ".tgz", ".txz", "on disk"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    too_large = False
    for engines in _SETS:
        parts = bundle_parts(engines, _tell)
        tgz, txz = _tgz(parts), _txz(parts) if options.txz else None
        if len(engines) == 1:
            too_large |= tgz > LARGEST_TGZ_MB and (txz is None or txz > LARGEST_TXZ_MB)
        table.add_row(f"bundle, {_engines(parts)}", *_row(tgz, txz, _disk(parts)))
    for engines in _SETS:
        parts = package_parts(PI, engines, _tell)
        txz = _txz(parts) if options.txz else None
        table.add_row(f"venv, {_engines(parts)}", *_row(_tgz(parts), txz, _disk(parts)))
    wheels, installed = _installed_by_pip()
    table.add_row(f"pip install {PROJECT}", f"{wheels:.1f}", "-", f"{installed:.1f}")
    Console().print(table)
    return int(options.check and too_large)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _row(tgz: float, txz: float | None, disk: float) -> tuple[str, str, str]:
    return f"{tgz:.1f}", "-" if txz is None else f"{txz:.1f}", f"{disk:.1f}"


def _engines(parts: Sequence[Part]) -> str:
    names = (part.title.split(" ")[0] for part in parts)
    return " and ".join(name for name in names if name in distributions())


def _tgz(parts: Sequence[Part]) -> float:
    return sum(part.archive.stat().st_size for part in parts) / 1e6


def _disk(parts: Sequence[Part]) -> float:
    return sum(part.unpacked_bytes for part in parts) / 1e6


def _txz(parts: Sequence[Part]) -> float:
    """All of it as one archive."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        for index, part in enumerate(parts):
            copy = ["cp", "-r", str(unpacked(part)), str(tree / str(index))]
            tree.mkdir(exist_ok=True)
            subprocess.run(copy, check=True)
        for cache in tree.rglob("__pycache__"):  # Python's own, of runs on this host
            subprocess.run(["rm", "-r", str(cache)], check=True)
        out = Path(folder) / "out"
        out.mkdir()
        tgz = pack(tree, "", out).archive
        plain = subprocess.run(["gzip", "-dc", str(tgz)], check=True, capture_output=True).stdout
    return len(lzma.compress(plain, preset=9)) / 1e6


def _installed_by_pip() -> tuple[float, float]:
    """MB of the wheels that pip takes on a Raspberry Pi, and of the files in them."""
    wanted = [line for line in requires(PROJECT) or () if "extra ==" not in line]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", "3.11"]
    for abi in ("cp311", "abi3", "none"):
        command += ["--abi", abi]
    for tag in PI.tags:
        command += ["--platform", tag]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--dest", folder, *wanted], check=True)
        wheels = list(Path(folder).glob("*.whl"))
        files = (file for wheel in wheels for file in zipfile.ZipFile(wheel).infolist())
        return (
            sum(wheel.stat().st_size for wheel in wheels) / 1e6,
            sum(file.file_size for file in files) / 1e6,
        )


if __name__ == "__main__":
    sys.exit(main())
