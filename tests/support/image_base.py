"""The base image of Dockerfile.arm64, without a registry: Debian's own Python, under its name.

This shows what the Dockerfile's steps do, and not what is in the official image. No script of a
package was run, so that no package can be installed in it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import binfmt
from host_cache import shared_folder
from image_buildah import Buildah
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.debian import fetch, unpack

PACKAGES = (
    *("base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "debianutils"),
    *("findutils", "grep", "gzip", "hostname", "libc-bin", "libstdc++6", "login", "netbase"),
    *("passwd", "python3", "python3-pip", "sed", "tar", "tzdata", "util-linux"),
)
"""What is in the official image too. It has no libgomp1, for one: neither has this."""
_LEFT_OUT = ("dpkg_", "debconf_", "libdb5.3_", "systemd")
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
_NEVER_IMPORTED = (
    "/(test|idlelib|lib2to3|pydoc_data|unittest|curses|sqlite3|config-[^/]*|turtle.*)(/|[.])"
)
_RECIPE = "\n".join((*PACKAGES, *_LEFT_OUT, _PATH, _NEVER_IMPORTED, "1"))


def base_name(dockerfile: Path) -> str:
    """The image that a Dockerfile starts from: its argument PYTHON."""
    named = re.search(r"^ARG PYTHON=(\S+)$", dockerfile.read_text(), re.MULTILINE)
    if not named:
        raise ValueError(f"{dockerfile} names no base image: ARG PYTHON=...")
    return named[1]


def store() -> Path:
    """A folder for images, whose base is the one that is described here."""
    return shared_folder() / f"images-{hashlib.sha256(_RECIPE.encode()).hexdigest()[:12]}"


def provide(buildah: Buildah, name: str) -> None:
    """Make the base image called `name`, where it is not there yet."""
    full = name if "/" in name else f"docker.io/library/{name}"
    with locked(buildah.folder):
        if not buildah.call("inspect", "--type", "image", full).code:
            return
        debs = fetch(PACKAGES, shared_folder() / "packages")
        with tempfile.TemporaryDirectory(dir=shared_folder()) as folder:
            root = Path(folder) / "root"
            root.mkdir()
            unpack([deb for deb in debs if not deb.name.startswith(_LEFT_OUT)], root)
            _complete(root, buildah.qemu)
            _commit(buildah, root, Path(folder) / "root.tar", full)


def _complete(root: Path, qemu: Path) -> None:
    """What installation scripts would have made, and where the official image has its Python."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    for name in ("dev", "proc", "sys", "root", "run", "tmp", "usr/local/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("python3", "python3.11"):
        (root / "usr/local/bin" / name).symlink_to("../../bin/python3.11")
    # pip is compiled once here, and not again with each step that calls it.
    compiling = ["/usr/bin/python3.11", "-S", "-m", "compileall", "-q"]
    compiling += [
        "-x",
        _NEVER_IMPORTED,
        "/usr/lib/python3.11",
        "/usr/lib/python3/dist-packages/pip",
    ]
    subprocess.run(
        binfmt.command("chroot", root, *compiling, qemu=qemu),
        check=True,
        env={"PATH": _PATH},
        timeout=600,
    )


def _commit(buildah: Buildah, root: Path, archive: Path, name: str) -> None:
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    container = buildah.ask("from", "--arch", "arm64", "scratch")
    try:
        buildah.ask("add", container, archive, "/")
        described = ["--arch", "arm64", "--os", "linux", "--env", f"PATH={_PATH}"]
        buildah.ask("config", *described, container)
        buildah.ask("commit", container, name)
    finally:
        buildah.call("rm", container)
