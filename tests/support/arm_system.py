"""A whole ARM64 system for tests: Debian's own kernel on a machine that QEMU emulates.

Unlike the board of `arm_root`, whose kernel is this machine's, all that is asked of this one's
kernel is answered by it: that it has no frequencies and no thermal zone, as a virtual machine has
none. Its root is that of `arm_root`, in memory, so that each start is the first. Nothing of it is
reachable but a port on 127.0.0.1, and it reaches nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import arm_root
from host_cache import shared_folder
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.debian import fetch, unpack
from waiting import wait_until

MODEL = "linux,dummy-virt"
"""What its device tree calls it."""
CORES = 2
_QEMU = "qemu-system-aarch64"
_PACKAGES = ("linux-image-arm64", "busybox-static")
_MODULES = ("virtio_mmio", "failover", "net_failover", "virtio_net")
"""In the order in which they need each other."""
_ADDRESS = "10.0.2.15"
"""Under which QEMU's network knows it."""
_MACHINE = (
    *("-M", "virt", "-cpu", arm_root.CPU, "-smp", str(CORES), "-m", "3G"),
    *("-nodefaults", "-display", "none", "-serial", "stdio"),
    *("-append", "console=ttyAMA0 rdinit=/init panic=-1"),
    # A system that panics ends, instead of keeping its port.
    "-no-reboot",
    *("-device", "virtio-net-device,netdev=net"),
)
_INIT = f"""\
#!/bin/sh
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
for module in {" ".join(_MODULES)}; do
    busybox insmod "/lib/modules/$module.ko"
done
busybox ip link set lo up
busybox ip link set eth0 up
busybox ip address add {_ADDRESS}/24 dev eth0
# This is no Raspberry Pi.
rm /usr/bin/vcgencmd
mkdir -p /run/sshd /home/{arm_root.USER}
chown {arm_root.USER}: /home/{arm_root.USER}
chmod 1777 /tmp
/usr/sbin/sshd -D -e
"""


@dataclass(frozen=True)
class ArmSystem:
    """A system that runs."""

    ssh_config: Path
    """For ssh -F; the system is called ``board`` there."""
    process: subprocess.Popen[bytes]

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        return arm_root.over_ssh(self.ssh_config, *words)

    def fall_silent(self) -> None:
        """As when its power or its cable is cut: it says nothing more, not even goodbye."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After it fell silent: as when the cable is back."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it at once; what is in its memory is lost. This host closes its connections."""
        self.process.kill()
        self.process.wait()


def needed() -> None:
    """Skip the test where this machine cannot run the system."""
    arm_root.needed()
    for program, package in (
        (_QEMU, "qemu-system-arm"),
        ("cpio", "cpio"),
        ("setpriv", "util-linux"),
    ):
        if not shutil.which(program):
            pytest.skip(f"needs {program} (Debian's {package})")


@contextmanager
def arm_system(folder: Path) -> Iterator[ArmSystem]:
    """A system that runs as long as the context; what is its own lies in the empty `folder`."""
    needed()
    parts = _parts()
    port = arm_root.free_port()
    own = folder / "own"
    (own / "etc/ssh").mkdir(parents=True)
    ssh_config = arm_root.set_up_ssh(
        folder, own / "etc/ssh", port, listen=f"{_ADDRESS}:22", variables=""
    )
    (own / "init").write_text(_INIT)
    (own / "init").chmod(0o755)
    _pack(own, folder / "own.cpio")
    # The kernel unpacks archives that follow each other one over the other.
    with (folder / "root.cpio").open("wb") as whole:
        for one in (parts / "root.cpio", parts / "kernel.cpio", folder / "own.cpio"):
            with one.open("rb") as archive:
                shutil.copyfileobj(archive, whole)
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{_ADDRESS}:22"
    # Should even this process be killed, QEMU does not outlive it.
    command = ["setpriv", "--pdeathsig", "KILL", _QEMU, *_MACHINE, "-netdev", network]
    command += ["-kernel", str(parts / "vmlinuz"), "-initrd", str(folder / "root.cpio")]
    console = folder / "console.log"
    with console.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    system = ArmSystem(ssh_config, process)
    try:
        _await_sshd(process, console)
        yield system
    finally:
        system.end()


def _parts() -> Path:
    """A folder with what all such systems share: ``vmlinuz``, ``kernel.cpio`` and ``root.cpio``."""
    root = arm_root.arm_root()
    recipe = "\n".join((root.name, *_PACKAGES, *_MODULES, "1"))
    parts = shared_folder() / f"arm-system-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with locked(shared_folder()):
        if not parts.exists():
            debs = fetch(_PACKAGES, shared_folder() / "packages")
            with tempfile.TemporaryDirectory(dir=shared_folder()) as new:
                made = Path(new) / "made"
                made.mkdir()
                _pack(root, made / "root.cpio")
                _make_kernel(debs, Path(new), made)
                made.rename(parts)
    return parts


def _make_kernel(debs: list[Path], work: Path, made: Path) -> None:
    """The kernel, and of its modules and of all tools those that starting needs."""
    whole, layer = work / "whole", work / "layer"
    for folder in (whole, layer / "usr/lib/modules", layer / "usr/bin"):
        folder.mkdir(parents=True)
    wanted = ("linux-image-", "busybox-static_")
    unpack([deb for deb in debs if deb.name.startswith(wanted)], whole)
    (kernel,) = (whole / "boot").glob("vmlinuz-*")
    kernel.rename(made / "vmlinuz")
    for module in _MODULES:
        (file,) = (whole / "usr/lib/modules").rglob(f"{module}.ko")
        file.rename(layer / "usr/lib/modules" / file.name)
    (whole / "usr/bin/busybox").rename(layer / "usr/bin/busybox")
    _pack(layer, made / "kernel.cpio")


def _pack(folder: Path, archive: Path) -> None:
    """`folder` as the kernel takes it for a root; all of it is root's there."""
    names = "".join(f"{path.relative_to(folder)}\0" for path in sorted(folder.rglob("*")))
    pack = ["cpio", "--create", "--format=newc", "--owner=+0:+0", "--null", "--quiet"]
    with archive.open("wb") as output:
        subprocess.run(pack, cwd=folder, input=names.encode(), stdout=output, check=True)


def _await_sshd(process: subprocess.Popen[bytes], console: Path) -> None:
    # QEMU accepts connections before the system does, so the port would not tell.
    wait_until(lambda: process.poll() is not None or b"Server listening on" in console.read_bytes())
    if process.poll() is not None:
        said = console.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the system does not start: {said}")
