"""A phone over adb, by the adb on PATH, or else by that of the package adbutils.

All that is ours lies in /data/local/tmp, where a phone lets its shell's user run programs. A phone
has neither Python nor a C library of Linux, so it gets a bundle.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.link import ask, last_line
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.remote import RemoteDevice
from shufflenet_deploy.runtime.errors import BenchError

ROOT = "/data/local/tmp/shufflenet-deploy"
SERIAL = "ANDROID_SERIAL"
"""The variable by which adb itself is told which device is meant."""
_SECONDS = 30.0
"""Seconds that one call of adb may take, the start of its server included."""
_TCP = re.compile(r"\S+:\d{1,5}")
_PROPERTIES = """\
getprop ro.product.manufacturer
getprop ro.product.model
getprop ro.soc.manufacturer
getprop ro.soc.model
"""


def open_adb(board: Board, options: DeviceOptions) -> RemoteDevice:
    """The phone that `board`, ANDROID_SERIAL or its being the only one tells."""
    from shufflenet_deploy.bench.provision.choose import install_for

    return RemoteDevice(_link(board), options, install_for)


def probe_adb(board: Board) -> str:
    """What that phone calls itself."""
    link = _link(board)
    return f"{link.own_name() or 'a phone without a name'} ({link.serial})"


def _link(board: Board) -> AdbLink:
    program = find_adb()
    return AdbLink(program, choose(board, _listed(program, board), os.environ.get(SERIAL)))


class AdbLink:
    """A `Link` by adb."""

    def __init__(self, program: str, serial: str) -> None:
        self._adb = [program, "-s", serial]
        self.serial = serial
        self.name = f"{serial} over adb"

    def command(self, script: str) -> Sequence[str]:
        """See `Link.command`. The phone's own shell reads the script, which has no data in it."""
        return [*self._adb, "shell", "-T", f"root={ROOT};{script}"]

    def opening(self, script: str) -> bytes:
        """See `Link.opening`: a phone has one shell, which takes the script as it is."""
        return b""

    def failure(self, code: int, said: str) -> BenchError | None:
        """See `Link.failure`. adb has no exit code of its own, but its words."""
        line = last_line(said)
        if not line.startswith(("error: ", "adb: ")):
            return None
        for words, meaning in _MEANINGS.items():
            if words in line:
                return BenchError(meaning.format(serial=self.serial))
        return DeviceLostError(f"the connection to {self.serial} was lost ({line})")

    def own_name(self) -> str | None:
        """See `Link.own_name`: a phone hides its device tree, and has properties instead."""
        return phone_name(ask(self, _PROPERTIES).splitlines())

    def close(self) -> None:
        """See `Link.close`. The server of adb is the user's, and stays."""


def find_adb() -> str:
    """The program. Raises `BenchError` where there is none."""
    program = shutil.which("adb")
    if program:
        return program
    if importlib.util.find_spec("adbutils"):
        import adbutils

        try:
            return str(adbutils.adb_path())
        except RuntimeError:  # no adb for this kind of host in that package
            pass
    raise BenchError(
        "there is no adb on this machine: install it (Debian: apt-get install adb), or "
        "pip install 'shufflenet-deploy[adb]'"
    )


def phone_name(properties: Sequence[str]) -> str | None:
    """``Google Pixel 7 (Tensor GS201)`` of what `_PROPERTIES` prints; None where all is empty."""
    maker, model, soc_maker, soc = ([*(line.strip() for line in properties), "", "", "", ""])[:4]
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
    chip = soc if soc_maker.lower() == maker.lower() else f"{soc_maker} {soc}".strip()
    return f"{name} ({chip})" if name and chip else name or None


@dataclass(frozen=True)
class Listed:
    """A device of which adb's server knows."""

    serial: str
    state: str
    """The state in which adb sees the device: ``device`` is ready; all others are not."""


def parse_devices(text: str) -> list[Listed]:
    """What `adb devices` prints. Lines of its server that starts, which begin with *, are none."""
    devices = []
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+)\s+(\S.*?)\s*", line)
        if match and not line.startswith(("*", "List of devices", "adb ")):
            devices.append(Listed(match[1], match[2]))
    return devices


def choose(board: Board, listed: Sequence[Listed], named: str | None) -> str:
    """The serial number of the one device that is meant.

    Raises `BenchError` where it is not there or not ready, and where there are several.
    """
    serial = board.host or named
    fitting = [device for device in listed if serial in (None, device.serial)]
    if not fitting:
        raise BenchError(_none(serial, listed))
    ready = [device for device in fitting if device.state == "device"]
    if len(ready) > 1 and serial is None:
        serials = ", ".join(device.serial for device in ready)
        raise BenchError(
            f"several devices are attached ({serials}): choose one by {SERIAL}=..., or as `host` "
            "of a board in your devices.toml",
            usage=True,
        )
    if ready:
        return ready[0].serial
    device = fitting[0]
    raise BenchError(f"{device.serial} is {_remedy(device.state)}")


def _none(serial: str | None, listed: Sequence[Listed]) -> str:
    if serial is None:
        return (
            "no device is attached: connect it by USB, switch on USB debugging in its developer "
            "options, and see adb devices"
        )
    others = ", ".join(device.serial for device in listed) or "none"
    return f"{serial} is not attached (adb sees: {others}): connect it, and see adb devices"


def _remedy(state: str) -> str:
    for known, words in _STATES.items():
        if state.startswith(known):
            return words
    return f"in the state {state!r} and takes no commands: start its system, and see adb devices"


_STATES: Mapping[str, str] = {
    "unauthorized": "not authorised: unlock it, and allow this computer's USB debugging there",
    "authorizing": "just being authorised: unlock it, and allow this computer's USB debugging",
    "offline": "offline: unplug it and plug it in again, or adb reconnect",
    "connecting": "still connecting: try again in some seconds",
    "no permissions": (
        "not accessible to this user: add udev rules (Debian: apt-get install "
        "android-sdk-platform-tools-common), and plug it in again"
    ),
}
_MEANINGS: Mapping[str, str] = {
    "unauthorized": f"{{serial}} is {_STATES['unauthorized']}",
    "cannot connect to daemon": "the server of adb does not answer: adb start-server",
    "failed to start daemon": "the server of adb does not start: adb start-server says why",
}


def _listed(program: str, board: Board) -> list[Listed]:
    """All devices; one of the network, by its address, is connected first."""
    # Apart, and with nothing to write to: the server that this starts would keep pipes open.
    _adb(program, "start-server", heard=False)
    listed = parse_devices(_adb(program, "devices"))
    address = board.host
    if address and _TCP.fullmatch(address) and address not in {device.serial for device in listed}:
        _adb(program, "connect", address)
        listed = parse_devices(_adb(program, "devices"))
    return listed


def _adb(program: str, *words: str, heard: bool = True) -> str:
    """What `adb` prints. Raises `BenchError` where it fails or hangs."""
    stream = subprocess.PIPE if heard else subprocess.DEVNULL
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            timeout=_SECONDS,
            start_new_session=True,  # Ctrl-C is not for the server
        )
    except OSError as error:
        raise BenchError(f"{program} does not start: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise BenchError(
            f"adb {words[0]} does not end within {_SECONDS:.0f} s: adb kill-server, and try again"
        ) from None
    if done.returncode:
        said = last_line((done.stderr or b"").decode(errors="replace"))
        raise BenchError(f"adb {words[0]} failed: {said or 'adb start-server says why'}")
    return (done.stdout or b"").decode(errors="replace")
