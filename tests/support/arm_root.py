"""A Raspberry Pi 4 for tests: the real ARM64 programs of Debian behind a real sshd, emulated.

What only a real one has, the processor's description, its frequency and temperature, the device
tree, are files that a test may change. Nothing of it is reachable but a port on 127.0.0.1.
"""

from __future__ import annotations

import hashlib
import os
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

MODEL = "Raspberry Pi 4 Model B Rev 1.4"
USER = "pi"
CPU = "cortex-a72"
KERNEL = "6.6.31+rpt-rpi-v8"
PACKAGES = (
    *("openssh-server", "openssh-sftp-server", "dash", "bash", "coreutils", "sed", "grep", "tar"),
    *("gzip", "findutils", "python3", "libstdc++6"),
)
_LEFT_OUT = ("perl", "libperl", "debconf", "ucf", "usrmerge", "adduser", "dpkg", "libdb5.3")
"""What only installing needs."""
_NEVER_IMPORTED = (
    "/(test|idlelib|lib2to3|distutils|pydoc_data|unittest|asyncio|xml|curses|sqlite3|wsgiref|dbm"
    "|xmlrpc|multiprocessing|config-[^/]*|turtle.*)(/|[.])"
)
"""By a worker, of the standard library."""
_MOUNTED = ("home", "run", "tmp", "etc/ssh", "proc", "sys", "opt/first")
"""What is a test's own; all else is shared."""
_MOST_PROCESSES = 10_000
"""So many processes and threads are seen in /proc, from the board's start on."""
_PASSWD = """\
root:*:0:0:root:/root:/bin/bash
sshd:*:106:65534::/run/sshd:/usr/sbin/nologin
pi:*:1000:1000::/home/pi:/bin/bash
nobody:*:65534:65534::/nonexistent:/usr/sbin/nologin
"""
_GROUP = "root:*:0:\npi:*:1000:\nnogroup:*:65534:\n"
_VCGENCMD = """\
#!/bin/sh
[ "$1" = get_throttled ] && cat /run/throttled
"""
_CORE = """\
processor\t: {core}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
_SSHD = """\
ListenAddress {listen}
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
LogLevel VERBOSE
Subsystem sftp internal-sftp
SetEnv PATH=/opt/first:/usr/bin:/bin {variables}
"""
_CLIENT = """\
Host board
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile "{folder}/key"
    IdentitiesOnly yes
    UserKnownHostsFile "{folder}/known_hosts"
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
"""
# $1 is the root, $2 the test's own folder, and the rest the command in the root.
_ENTER = f"""\
root=$1
own=$2
shift 2
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/.proc"
for name in {" ".join(_MOUNTED)}; do
    mount --rbind "$own/$name" "$root/$name"
done
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin QEMU_CPU={CPU} QEMU_UNAME={KERNEL} \\
    chroot "$root" "$@"
"""


@dataclass(frozen=True)
class ArmBoard:
    """A board that runs."""

    port: int
    folder: Path
    """Of the test's own: what the board has in ``home``, ``run``, ``sys`` and so on."""
    ssh_config: Path
    """For ssh -F; the board is called ``board`` there."""

    @property
    def home(self) -> Path:
        """The user's home folder, seen from here."""
        return self.folder / "home" / USER

    @property
    def commands_run(self) -> int:
        """How many commands it has been told to run: each is a way there and back."""
        return (self.folder / "sshd.log").read_text().count("Starting session: command")

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the board."""
        return over_ssh(self.ssh_config, *words)


def needed() -> None:
    """Skip the test where this machine cannot run the board."""
    reason = binfmt.missing()
    for program in ("ssh", "ssh-keygen", "apt-get", "dpkg-deb"):
        if not reason and not shutil.which(program):
            reason = f"needs {program}"
    if reason:
        pytest.skip(reason)


def arm_root(release: str | None = None) -> Path:
    """A folder with Debian for ARM64, unpacked and never configured. Write nothing there.

    It is of this host's release, or of another one.
    """
    recipe = "\n".join((*PACKAGES, *_LEFT_OUT, *_MOUNTED, _PASSWD, _GROUP, _VCGENCMD, "2"))
    name = f"arm-root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    root = shared_folder() / (f"{name}-{release}" if release else name)
    with locked(shared_folder()):
        if not root.exists():
            debs = fetch(PACKAGES, shared_folder() / f"packages{release or ''}", release=release)
            with tempfile.TemporaryDirectory(dir=shared_folder()) as new:
                whole = Path(new) / "whole"
                whole.mkdir()
                unpack([deb for deb in debs if not deb.name.startswith(_LEFT_OUT)], whole)
                _complete(whole)
                whole.rename(root)
    return root


def _complete(root: Path) -> None:
    """What Debian's installation scripts would have made."""
    for name in (*_MOUNTED, "dev", ".proc", "root", "var/empty"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    (root / "usr/bin/sh").unlink(missing_ok=True)
    (root / "usr/bin/sh").symlink_to("dash")
    command = root / "usr/bin/vcgencmd"
    command.write_text(_VCGENCMD)
    command.chmod(0o755)
    # A real system has its standard library compiled; without, each start takes seconds more.
    (standard,) = root.glob("usr/lib/python3.*")
    python = f"/usr/bin/{standard.name}"
    compiling = [python, "-S", "-m", "compileall", "-q", "-x", _NEVER_IMPORTED]
    subprocess.run(
        binfmt.command("chroot", root, *compiling, f"/usr/lib/{standard.name}"),
        check=True,
        env={"PATH": "/usr/sbin:/usr/bin"},
        timeout=HANG_SECONDS,
    )


@contextmanager
def arm_board(
    folder: Path,
    *,
    python: bool = True,
    commands: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    release: str | None = None,
) -> Iterator[ArmBoard]:
    """A board that lives in `folder` as long as the context, and starts again in the same.

    `commands` are scripts that come before all other programs of their name. `variables` are set
    for everything that is run over ssh. Without `python` it has none. Its Debian is this host's, or
    of another `release`.
    """
    needed()
    root = arm_root(release)
    port = free_port()
    for name in _MOUNTED:
        (folder / name).mkdir(parents=True, exist_ok=True)
    _describe_hardware(folder)
    ssh_config = _prepare(folder, port, variables or {})
    scripts = dict(commands or {})
    if not python:
        # No program of that name is found behind these, since they end at once.
        scripts |= dict.fromkeys(("python3", "python3.11"), "#!/bin/sh\nexit 127\n")
    for name, script in scripts.items():
        (folder / "opt/first" / name).write_text(script)
        (folder / "opt/first" / name).chmod(0o755)
    sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config"]
    command = binfmt.command("sh", "-euc", _ENTER, "sh", root, folder, *sshd)
    with (folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_banner(port, process, folder / "sshd.log")
        yield ArmBoard(port, folder, ssh_config)
    finally:
        process.kill()  # and with it all that runs on the board
        process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def over_ssh(ssh_config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the host that is called ``board`` in `ssh_config`."""
    command = ["ssh", "-F", str(ssh_config), "-o", "BatchMode=yes", "board", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )


def set_up_ssh(folder: Path, server: Path, port: int, *, listen: str, variables: str) -> Path:
    """Keys and configurations: the server's in `server`, which it knows as /etc/ssh.

    It listens on `listen`, which is reached by `port` of 127.0.0.1. `variables` are set for all
    that it runs, as SetEnv has them (sshd_config(5)). Returns the configuration of the client.
    """
    keys: tuple[Path, ...] = (folder / "key", server / "host_key")
    for key in keys:
        if not key.exists():
            new = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(key)]
            subprocess.run(new, check=True)
    shutil.copy(folder / "key.pub", server / "authorized_keys")
    (server / "sshd_config").write_text(_SSHD.format(listen=listen, variables=variables))
    host_key = (server / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    client = folder / "ssh_config"
    client.write_text(_CLIENT.format(port=port, user=USER, folder=folder))
    return client


def _describe_hardware(folder: Path) -> None:
    """The parts of /proc and /sys that tell of a Raspberry Pi 4."""
    proc = folder / "proc"
    if (proc / "cpuinfo").exists():
        return  # the board was here before; what a test has changed stays
    names = (
        "self",
        "thread-self",
        "meminfo",
        "stat",
        "loadavg",
        "uptime",
        "mounts",
        "locks",
        "sys",
    )
    for name in (*names, *map(str, range(1, _MOST_PROCESSES))):
        (proc / name).symlink_to(f"/.proc/{name}")
    (proc / "cpuinfo").write_text("".join(_CORE.format(core=core) for core in range(4)))
    (proc / "device-tree").mkdir()
    (proc / "device-tree/model").write_text(f"{MODEL}\0")
    zone = folder / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("48212\n")
    cpu = folder / "sys/devices/system/cpu"
    policy = cpu / "cpufreq/policy0"
    policy.mkdir(parents=True)
    for name, text in {
        "scaling_governor": "ondemand",
        "scaling_available_governors": "ondemand performance",
        "scaling_cur_freq": "1500000",
        "scaling_max_freq": "1500000",
        "cpuinfo_max_freq": "1500000",
        "related_cpus": "0 1 2 3",
    }.items():
        (policy / name).write_text(f"{text}\n")
    for name in ("possible", "present", "online"):
        (cpu / name).write_text("0-3\n")
    for core in range(4):
        topology = cpu / f"cpu{core}/topology"
        topology.mkdir(parents=True)
        (cpu / f"cpu{core}/cpufreq").symlink_to("../cpufreq/policy0")
        (topology / "core_id").write_text(f"{core}\n")
        (topology / "physical_package_id").write_text("0\n")
        (topology / "thread_siblings_list").write_text(f"{core}\n")
        (topology / "core_siblings_list").write_text("0-3\n")


def _prepare(folder: Path, port: int, variables: Mapping[str, str]) -> Path:
    """What a board has of its own besides its hardware; returns the configuration for ssh -F."""
    quoted = " ".join(f'"{name}={value}"' for name, value in variables.items())
    client = set_up_ssh(
        folder,
        folder / "etc/ssh",
        port,
        listen=f"127.0.0.1:{port}",
        variables=f"QEMU_CPU={CPU} QEMU_UNAME={KERNEL} {quoted}",
    )
    (folder / "run/sshd").mkdir(exist_ok=True)
    (folder / "run/throttled").write_text("throttled=0x0\n")
    (folder / "tmp").chmod(0o1777)
    home = folder / "home" / USER
    home.mkdir(exist_ok=True)
    os.chown(home, 1000, 1000)
    return client


def _await_banner(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    wait_until(lambda: process.poll() is not None or answers())
    if process.poll() is not None:
        raise RuntimeError(f"the board's sshd does not answer: {log.read_text()[-2000:]}")
