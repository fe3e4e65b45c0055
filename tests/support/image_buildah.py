"""buildah with images of its own, for ARM64 that is emulated: all else here stays as it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import binfmt
from host_cache import shared_folder
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.debian import fetch, unpack

_OLDEST = 10
"""Of QEMU: before it, programs see the host's /proc/cpuinfo, and the engines crash over it."""
_SECONDS = 3600.0
_NOISE = re.compile(r"subprocess exited with status \d+|(Error: )?exit status \d+")
"""buildah's own lines below those of a command that failed."""
# Whether the kernel lets us mount layers, which it does not on some file systems, such as a
# container's.
_PROBE = """\
cd "$1"
mkdir -p lower upper work merged
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged
"""


def missing() -> str | None:
    """Why this machine cannot build an image; None where it can."""
    for program in ("buildah", "apt-get", "dpkg-deb"):
        if not shutil.which(program):
            return f"needs {program}"
    return binfmt.missing()


@dataclass(frozen=True)
class Done:
    """How a command in a container ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Buildah:
    """Images and containers that are kept in `folder`, by the storage `driver`."""

    folder: Path
    qemu: Path
    driver: str

    @staticmethod
    def open(folder: Path) -> Buildah:
        """What is in `folder`, or nothing yet. Raises `BenchError` where there is no QEMU."""
        folder.mkdir(parents=True, exist_ok=True)
        interpreter = qemu()
        return Buildah(folder, interpreter, _driver(folder, interpreter))

    def call(self, *words: str | Path, output: int | None = subprocess.PIPE) -> Done:
        """Run buildah; with `output` None it writes to this process's own stdout and stderr."""
        storage = ["--storage-driver", self.driver]
        storage += ["--root", str(self.folder / "images"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(
            binfmt.command("buildah", *storage, *words, qemu=self.qemu),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            check=False,
            timeout=_SECONDS,
            # Lest a setting of this process, or of a container around it, is taken for buildah's.
            env={
                name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ
            },
        )
        return Done(done.returncode, done.stdout or "", done.stderr or "")

    def ask(self, *words: str | Path) -> str:
        """The last line that buildah answers. Raises RuntimeError where it fails."""
        done = self.call(*words)
        if done.code:
            raise RuntimeError(f"buildah {words[0]} failed: {done.stderr[-2000:]}")
        return done.stdout.strip().rpartition("\n")[2]

    def configuration(self, image: str) -> dict[str, Any]:
        """An image's, as the OCI specifies it: ``Entrypoint``, ``User`` and so on."""
        document = json.loads(self.call("inspect", "--type", "image", image).stdout)
        configuration: dict[str, Any] = document["OCIv1"]["config"]
        return configuration

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """The name of a container that starts as `image`, and is removed again."""
        name = self.ask("from", "--pull-never", "--arch", "arm64", image)
        try:
            yield name
        finally:
            self.call("rm", name)

    def run(
        self,
        container: str,
        words: Sequence[str],
        *,
        mounted: Mapping[Path, str] | None = None,
        user: str | None = None,
    ) -> Done:
        """Run `words` in a container, with folders of this host `mounted` in it."""
        options = ["--isolation", "chroot"]
        for folder, place in (mounted or {}).items():
            options += ["--volume", f"{folder}:{place}"]
        if user is not None:
            options += ["--user", user]
        done = self.call("run", *options, container, "--", *words)
        own = (line for line in done.stderr.splitlines(True) if not _NOISE.fullmatch(line.strip()))
        return Done(done.code, done.stdout, "".join(own))


def qemu() -> Path:
    """This host's QEMU, if it is new enough; else that of its release's backports, kept."""
    own = shutil.which(binfmt.QEMU)
    if own and _major(Path(own)) >= _OLDEST:
        return Path(own)
    kept = shared_folder() / "qemu-aarch64-backports"
    with locked(shared_folder()):
        if not kept.exists():
            debs = fetch(
                ("qemu-user",), shared_folder() / "packages", architecture="amd64", backports=True
            )
            whole = shared_folder() / "qemu-unpacked"
            unpack([deb for deb in debs if deb.name.startswith("qemu-user_")], whole)
            (whole / "usr/bin/qemu-aarch64").rename(kept)
            shutil.rmtree(whole)
    return kept


def _major(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)", said.stdout)
    return int(version[1]) if version else 0


def _driver(folder: Path, interpreter: Path) -> str:
    """Layers where the kernel can; else whole copies, which are slower and take several GB."""
    chosen = folder / "driver"  # what one has written the other cannot read
    if not chosen.exists():
        probe = folder / "probe"
        probe.mkdir(exist_ok=True)
        command = binfmt.command("sh", "-ec", _PROBE, "sh", probe, qemu=interpreter)
        can = subprocess.run(command, capture_output=True, check=False).returncode == 0
        shutil.rmtree(probe)
        chosen.write_text("overlay" if can else "vfs")
    return chosen.read_text()
