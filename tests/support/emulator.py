"""The real emulator for tests, where it is there, with packages that are kept for all runs."""

from __future__ import annotations

import shutil

import pytest

from host_cache import shared_bundle, use_shared_cache
from shufflenet_deploy.bench.emulation.qemu import find_qemu
from shufflenet_deploy.runtime.errors import BenchError


def require_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this test, and what it starts, use it. Skips the test where something is missing."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("needs a C compiler (Debian's gcc and libc6-dev)")
    try:
        qemu = find_qemu()
    except BenchError as error:
        pytest.skip(str(error))
    if not qemu.has_plugins:
        pytest.skip(f"{qemu.path} takes no plugins (Debian's qemu-user does)")
    shared_bundle("onnxruntime", "litert")
    use_shared_cache(monkeypatch)
