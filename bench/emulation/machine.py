"""An emulated machine with one core, on which Python and the engines are installed.

Its programs see the same paths, variables and addresses wherever and whenever it is made, so that
they execute the same instructions: all that differs between hosts is behind links in its folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from shufflenet_deploy.bench.emulation.prefix import write_prefix
from shufflenet_deploy.bench.emulation.processors import Processor
from shufflenet_deploy.bench.emulation.qemu import find_qemu, plugin
from shufflenet_deploy.bench.provision.bundle import bundle_parts, launch_command, unpacked
from shufflenet_deploy.runtime.artifact import copied_files
from shufflenet_deploy.runtime.machine.processor import POOLS

READINGS = "readings"
"""The name of the file in a machine's folder to which the plugin writes."""
_PREFIX = "root"
_HOME = "device"
_VARIABLES = {
    # Nothing of the host's, and nothing that is another in each process.
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",
    "LC_ALL": "C.UTF-8",
    **dict.fromkeys(POOLS, "1"),
}


class Machine:
    """A folder with all of it, until `close`; it has the engines that are named.

    Raises `BenchError` where it cannot be made.
    """

    def __init__(
        self, processor: Processor, engines: Iterable[str], tell: Callable[[str], None]
    ) -> None:
        self._qemu = find_qemu()
        self.processor = processor
        parts = [unpacked(part) for part in bundle_parts(engines, tell)]
        self._temporary = TemporaryDirectory(prefix="emulated-")
        self.folder = Path(self._temporary.name)
        prefix = self.folder / _PREFIX
        write_prefix(prefix, processor)
        (prefix / _HOME / "models").mkdir(parents=True)
        for index, part in enumerate(parts):
            (prefix / _HOME / str(index)).symlink_to(part)
        inside = [Path("/", _HOME, str(index)) for index in range(len(parts))]
        (loader, *rest), variables = launch_command(inside[0], inside[1:])
        # QEMU itself opens the program, by the host's paths; relative ones are alike everywhere.
        self._python = [f"{_PREFIX}{loader}", *rest]
        self._variables = {**_VARIABLES, **variables}
        self._models = 0

    def place(self, path: Path) -> str:
        """Have the file and any manifest of it on the machine; its path there."""
        inside = Path(_HOME, "models", str(self._models))
        self._models += 1
        folder = self.folder / _PREFIX / inside
        folder.mkdir()
        for file in copied_files(path):
            link = folder / file.relative_to(path.parent)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        return f"/{inside / path.name}"

    def command(self, module: str) -> list[str]:
        """What runs `module` with the machine's Python."""
        return self._command(module, [])

    def counting_command(self, module: str, caches: bool) -> list[str]:
        """The same with our plugin, which writes to the file `READINGS`."""
        counter = plugin(self._qemu)
        # By a link: commas in the cache's path would end it.
        link = self.folder / "plugin.so"
        if not link.exists():
            link.symlink_to(counter)
        words = f"./plugin.so,out={READINGS}"
        if caches:
            levels = (self.processor.caches.l1, self.processor.caches.l2)
            words += ",cache=" + ":".join(f"{level.size_bytes}:{level.ways}" for level in levels)
        return self._command(module, ["-plugin", words])

    def close(self) -> None:
        """Remove it."""
        self._temporary.cleanup()

    def _command(self, module: str, options: Sequence[str]) -> list[str]:
        return [
            *("env", "-i", "-C", str(self.folder)),
            *(f"{name}={value}" for name, value in self._variables.items()),
            *_fixed_addresses(),
            *(self._qemu.path, "-cpu", self.processor.name, "-L", _PREFIX, "-seed", "1"),
            *options,
            *(*self._python, "-m", module),
        ]


@cache
def _fixed_addresses() -> tuple[str, ...]:
    """What has programs lie at the same addresses each time; nothing where that is forbidden."""
    setarch = shutil.which("setarch")
    if setarch is None:
        return ()
    command = (setarch, os.uname().machine, "-R")
    tried = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True)
    return command if tried.returncode == 0 else ()
