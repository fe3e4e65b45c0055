"""Programs for ARM64 run on this machine as if they were its own, for one command and its children.

The kernel hands them to QEMU (binfmt_misc). Registered in a user namespace of its own, that is true
of nothing else on this machine, and with a namespace of processes, nothing outlives the command.
Needs root, Linux 6.7, and a QEMU that is linked statically.

    python binfmt.py QEMU COMMAND ...
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

QEMU = "qemu-aarch64-static"

_NEW_MOUNTS, _NEW_USERS, _NEW_PROCESSES = 0x00020000, 0x10000000, 0x20000000
_PRIVATE = (1 << 14) | (1 << 18)
_DIE_WITH_PARENT = 1
_IDS = "0 0 65536"
# An ELF file of 64 bits, little endian, a program or a library, for AArch64; the eighth byte, the
# system that it is for, is not compared.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_FLAGS = "PF"
"""Keep the program's own first argument; open QEMU now, so that it need not be in a chroot."""


def missing() -> str | None:
    """Why this machine cannot do it; None where it can."""
    if os.geteuid() != 0:
        return "needs root, for namespaces and a chroot"
    kernel = re.match(r"(\d+)\.(\d+)", platform.release())
    if not kernel or (int(kernel[1]), int(kernel[2])) < (6, 7):
        return (
            f"needs Linux 6.7 (binfmt_misc in a user namespace), and this is {platform.release()}"
        )
    if "binfmt_misc" not in Path("/proc/filesystems").read_text():
        return "needs binfmt_misc, which this kernel lacks"
    if not shutil.which(QEMU):
        return f"needs {QEMU} (Debian's qemu-user-static)"
    return None


def command(*words: str | Path, qemu: str | Path | None = None) -> list[str]:
    """`words` as a command that runs with ARM64 programs emulated by `qemu`."""
    interpreter = str(qemu or shutil.which(QEMU) or QEMU)
    # Isolated: the environment is meant for the program that is emulated.
    return [sys.executable, "-I", __file__, interpreter, *map(str, words)]


def main() -> None:
    """Start the command, and end as it does. SIGTERM is passed on."""
    qemu, words = sys.argv[1], sys.argv[2:]
    ready, tell_ready = os.pipe()
    go, tell_go = os.pipe()
    child = os.fork()
    if child == 0:
        _check(_libc().unshare(_NEW_USERS | _NEW_MOUNTS | _NEW_PROCESSES))
        os.write(tell_ready, b"\n")
        os.read(go, 1)
        # Only now: a change of rights takes this back.
        _check(_libc().prctl(_DIE_WITH_PARENT, signal.SIGKILL))
        first = os.fork()  # the first process of the new namespace: with it all others end
        if first == 0:
            _check(_libc().prctl(_DIE_WITH_PARENT, signal.SIGKILL))
            _register(qemu)
            os.execvp(words[0], words)
        sys.exit(_wait(first))
    os.read(ready, 1)
    # Only from outside may more than one user be mapped. All keep their numbers.
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text(_IDS)
    os.write(tell_go, b"\n")
    sys.exit(_wait(child))


def _register(qemu: str) -> None:
    libc = _libc()
    _check(libc.mount(b"none", b"/", None, _PRIVATE, None))
    folder = "/proc/sys/fs/binfmt_misc"
    _check(libc.mount(b"binfmt_misc", folder.encode(), b"binfmt_misc", 0, None))
    line = f":aarch64:M::{_MAGIC}:{_MASK}:{qemu}:{_FLAGS}"
    Path(folder, "register").write_text(line)


def _wait(child: int) -> int:
    def pass_on(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
