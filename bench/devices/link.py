"""A way to a shell on a device, and what is done through every such way.

What a device is told to run is always one of this package's own constant scripts. Names, paths and
other data reach it by standard input only, so that no shell ever reads them.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from typing import IO, Protocol

from shufflenet_deploy.runtime.errors import BenchError

SECONDS = 60.0
"""Seconds that a short script may take on a device, emulated ones included."""


class Link(Protocol):
    """A way to a device on which POSIX `sh` answers."""

    @property
    def name(self) -> str:
        """The device in messages, such as ``rpi4.local over ssh``."""

    def command(self, script: str) -> Sequence[str]:
        """The command on this host by which `script` runs on the device.

        Standard input after `opening`, output, error and the exit code are then those of the
        script. It sees the variable ``root``, the absolute path of the folder of all that is ours
        there, which need not be there yet.
        """

    def opening(self, script: str) -> bytes:
        """What the command gets on standard input before the script's own."""

    def failure(self, code: int, said: str) -> BenchError | None:
        """What it means that `command` ended with `code` and said `said` on stderr.

        None where the way was there, and the script itself failed.
        """

    def own_name(self) -> str | None:
        """How the device calls itself, where its agent cannot tell; None leaves it to that."""

    def close(self) -> None:
        """Give up the way. What runs on the device sees its standard input end."""


def ask(
    link: Link, script: str, data: bytes | IO[bytes] = b"", seconds: float | None = SECONDS
) -> str:
    """Run a constant `script` on the device with `data` as its standard input; its output.

    Raises `BenchError` where there is no way, where the script fails, and where it takes longer
    than `seconds`.
    """
    command, opening = list(link.command(script)), link.opening(script)
    try:
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        done = _run(command, opening, data, seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(
            f"{link.name} does not answer within {seconds:.0f} s: is it awake and reachable?"
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise link.failure(done.returncode, said) or BenchError(
            f"{link.name}: {last_line(said) or f'exit code {done.returncode}'}"
        )
    output: bytes = done.stdout
    return output.decode(errors="replace")


def _run(
    command: list[str], opening: bytes, data: IO[bytes], seconds: float | None
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` with both on its standard input, one after the other."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Neither the terminal's Ctrl-C nor its questions are for this process.
        start_new_session=True,
    )
    stdin, process.stdin = process.stdin, None  # it is written to by a thread, and by it alone
    assert stdin is not None

    def give() -> None:
        with suppress(OSError), stdin:  # who has heard enough may end before all is said
            stdin.write(opening)
            shutil.copyfileobj(data, stdin)

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    with process:
        try:
            output, said = process.communicate(timeout=seconds)
        finally:
            process.kill()
            process.wait()
            giver.join()
    return subprocess.CompletedProcess(command, process.returncode, output, said)


def last_line(said: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")


def script(name: str) -> str:
    """One of the constant scripts in ``bench/devices/scripts``, without its comments."""
    folder = files("shufflenet_deploy.bench.devices").joinpath("scripts")
    lines = folder.joinpath(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
