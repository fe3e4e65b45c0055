"""A phone for tests: a real adbd before a root that has what a phone has, and no more.

No C library, no Python, no /lib: busybox for ARM64, emulated, stands in for the phone's own shell
and tools, and scripts for `getprop`, `dumpsys` and `cmd`, which answer what a test has written.
adbd itself is Debian's, for this processor, and listens on 127.0.0.1 only. A server of adb that is
the test's own leaves that of the user in peace.

What a real one has besides, and this has not: SELinux, a user without rights, bionic, toybox.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import binfmt
from host_cache import shared_folder
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.debian import fetch, unpack
from waiting import HANG_SECONDS, wait_until

MODEL = "Google Pixel 7 (Tensor GS201)"
CPU = "cortex-a76"
KERNEL = "5.10.157-android13-4-gd3f3"
ROOT = "data/local/tmp/shufflenet-deploy"
"""Of all that is ours on the phone, seen from its root."""
PROPERTIES = {
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 7",
    "ro.soc.manufacturer": "Google",
    "ro.soc.model": "Tensor GS201",
}
BIG_CORES = (1,)
_KHZ = (1_803_000, 2_850_000)
"""What each core is made for: two kinds. No more of them than the machine has that emulates it."""
BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  status: 2
  present: true
  level: 93
  scale: 100
  voltage: 4312
  temperature: 312
  technology: Li-ion
"""
THERMAL = """\
IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 1
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=31.2, mType=2, mName=battery, mStatus=0}
"""
_MOUNTED = ("data", "proc", "sys", "first")
"""What is a test's own; all else is shared."""
_TOOL = '#!/system/bin/sh\ncat "/data/answers/%s$*" 2>/dev/null\n'
_CORE = """\
processor\t: {core}
BogoMIPS\t: 49.15
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

"""
# Debian's adbd listens on every interface; its callers here are on this one.
_LOOPBACK = """\
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    if (address->sa_family == AF_INET) {
        struct sockaddr_in here = *(const struct sockaddr_in *)address;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return next(fd, (struct sockaddr *)&here, sizeof here);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 here = *(const struct sockaddr_in6 *)address;
        /* which the callers of IPv4 reach too */
        inet_pton(AF_INET6, "::ffff:127.0.0.1", &here.sin6_addr);
        return next(fd, (struct sockaddr *)&here, sizeof here);
    }
    return next(fd, address, length);
}
"""
# $1 is the root, $2 the test's own folder, $3 the port.
_ENTER = f"""\
root=$1
own=$2
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/.proc"
for name in {" ".join(_MOUNTED)}; do
    mount --bind "$own/$name" "$root/$name"
done
cd "$root"
exec env -i ADBD_PORT="$3" PATH=/first:/system/bin HOME=/data/local/tmp QEMU_CPU={CPU} \\
    QEMU_UNAME={KERNEL} "$(command -v chroot)" "$root" /.adbd/ld-linux-x86-64.so.2 \\
    --preload /.adbd/loopback.so --library-path /.adbd /.adbd/adbd
"""


@dataclass(frozen=True)
class AdbServer:
    """A server of adb of the test's own."""

    port: int
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """By which `adb` finds it, and looks for no emulators."""
        return {
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
        }

    def adb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the client."""
        return subprocess.run(
            ["adb", *words],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )


@dataclass(frozen=True)
class Phone:
    """A phone that runs."""

    port: int
    folder: Path
    """Of the test's own: what the phone has in ``data``, ``sys`` and ``proc``."""
    process: subprocess.Popen[bytes]

    @property
    def serial(self) -> str:
        """As `adb connect` has it."""
        return f"127.0.0.1:{self.port}"

    @property
    def root(self) -> Path:
        """All that is ours on the phone, seen from here."""
        return self.folder / ROOT

    def answer(self, command: str, text: str) -> None:
        """What `dumpsys` or `cmd` say from now on."""
        (self.folder / "data/answers" / command).write_text(text)


def needed() -> None:
    """Skip the test where this machine cannot run the phone."""
    reason = binfmt.missing()
    if not reason and platform.machine() != "x86_64":
        reason = "needs an x86-64 machine, for whose adbd the fixture is made"
    for program in ("adb", "gcc", "apt-get", "dpkg-deb"):
        if not reason and not shutil.which(program):
            reason = f"needs {program}"
    if reason:
        pytest.skip(reason)


@contextmanager
def adb_server(folder: Path) -> Iterator[AdbServer]:
    """A server that ends with the context; `folder` keeps its key and its log."""
    needed()
    folder.mkdir(parents=True, exist_ok=True)
    server = AdbServer(free_port(), folder)
    started = server.adb("start-server")
    assert started.returncode == 0, started.stderr
    try:
        yield server
    finally:
        server.adb("kill-server")


@contextmanager
def phone(
    folder: Path, *, port: int | None = None, commands: Mapping[str, str] | None = None
) -> Iterator[Phone]:
    """A phone that lives in `folder` as long as the context, and starts again in the same.

    `commands` are scripts that come before all other programs of their name.
    """
    needed()
    root = _phone_root()
    port = port or free_port()
    _describe_hardware(folder)
    for name, script in (commands or {}).items():
        (folder / "first" / name).write_text(script)
        (folder / "first" / name).chmod(0o755)
    command = binfmt.command("sh", "-euc", _ENTER, "sh", root, folder, str(port))
    with (folder / "adbd.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_port(port, process, folder / "adbd.log")
        yield Phone(port, folder, process)
    finally:
        process.kill()  # and with it all that runs on the phone
        process.wait()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _phone_root() -> Path:
    """A folder with the phone's programs. Write nothing there."""
    recipe = "\n".join((_LOOPBACK, _TOOL, *_MOUNTED, "1"))
    root = shared_folder() / f"phone-root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with locked(shared_folder()):
        if not root.exists():
            packages = shared_folder() / "packages"
            daemon = fetch(("adbd",), packages, architecture="amd64", backports=True)
            tools = fetch(("busybox-static",), packages)
            with tempfile.TemporaryDirectory(dir=shared_folder()) as new:
                whole, host, arm = Path(new) / "whole", Path(new) / "host", Path(new) / "arm"
                for one in (whole, host, arm):
                    one.mkdir()
                unpack(daemon, host)
                unpack([deb for deb in tools if deb.name.startswith("busybox")], arm)
                _complete(whole, host, arm)
                whole.rename(root)
    return root


def _complete(root: Path, host: Path, arm: Path) -> None:
    for name in (*_MOUNTED, "dev", ".proc", ".adbd", "system/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "bin").symlink_to("system/bin")
    libraries = host / "usr/lib/x86_64-linux-gnu"
    for source in (*libraries.glob("*.so*"), *libraries.glob("android/*.so*")):
        shutil.copy(source, root / ".adbd" / source.name)
    shutil.copy(host / "usr/lib/android-sdk/platform-tools/adbd", root / ".adbd/adbd")
    source = host / "loopback.c"
    source.write_text(_LOOPBACK)
    shared = ["gcc", "-shared", "-fPIC", "-O", "-o", str(root / ".adbd/loopback.so"), str(source)]
    subprocess.run(shared, check=True)
    tools = root / "system/bin"
    shutil.copy(arm / "usr/bin/busybox", tools / "busybox")
    listed = subprocess.run(
        binfmt.command("chroot", root, "/system/bin/busybox", "--list"),
        check=True,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    for name in listed.stdout.split():
        if not (tools / name).exists():
            (tools / name).symlink_to("busybox")
    for name, prefix in (("getprop", ""), ("dumpsys", "dumpsys "), ("cmd", "cmd ")):
        (tools / name).unlink(missing_ok=True)
        (tools / name).write_text(_TOOL % prefix)
        (tools / name).chmod(0o755)


def _describe_hardware(folder: Path) -> None:
    for name in _MOUNTED:
        (folder / name).mkdir(parents=True, exist_ok=True)
    proc = folder / "proc"
    if (proc / "cpuinfo").exists():
        return  # the phone was here before; what a test has changed stays
    for name in ("self", "thread-self", "meminfo", "stat", "loadavg", "uptime", "mounts", "sys"):
        (proc / name).symlink_to(f"/.proc/{name}")
    (proc / "cpuinfo").write_text("".join(_CORE.format(core=core) for core in range(len(_KHZ))))
    (folder / "data/local/tmp").mkdir(parents=True)
    answers = folder / "data/answers"
    answers.mkdir()
    for name, text in {
        **{key: f"{value}\n" for key, value in PROPERTIES.items()},
        "dumpsys battery": BATTERY,
        "dumpsys thermalservice": THERMAL,
        "cmd battery get current_now": "-251000\n",
    }.items():
        (answers / name).write_text(text)
    cpu = folder / "sys/devices/system/cpu"
    for core, khz in enumerate(_KHZ):
        policy = cpu / f"cpu{core}/cpufreq"
        topology = cpu / f"cpu{core}/topology"
        for one in (policy, topology):
            one.mkdir(parents=True)
        for name, text in {
            "scaling_governor": "sched_pixel",
            "scaling_available_governors": "sched_pixel performance",
            "scaling_cur_freq": str(khz),
            "scaling_max_freq": str(khz),
            "cpuinfo_max_freq": str(khz),
            "related_cpus": str(core),
        }.items():
            (policy / name).write_text(f"{text}\n")
        (topology / "core_id").write_text(f"{core}\n")
        (topology / "physical_package_id").write_text("0\n")
        (topology / "thread_siblings_list").write_text(f"{core}\n")
        (topology / "core_siblings_list").write_text(f"0-{len(_KHZ) - 1}\n")
    for name in ("possible", "present", "online"):
        (cpu / name).write_text(f"0-{len(_KHZ) - 1}\n")


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS):
                return True
        except OSError:
            return False

    wait_until(lambda: process.poll() is not None or answers())
    if process.poll() is not None:
        raise RuntimeError(f"the phone's adbd does not answer: {log.read_text()[-2000:]}")
