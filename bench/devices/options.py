"""What the user wants of the way to a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shufflenet_deploy.bench.provision import Way
from shufflenet_deploy.runtime.engines import default_engines


def _silent(line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Options that not every kind of device has a use for."""

    provision: Way | None = None
    """The way by which a worker gets to the device; None takes the one that fits."""
    prepare: bool = False
    """Whether the governor is set to performance while the device is open."""
    native_runner: Path | None = None
    """The path of another harness, a program for the device, which measures too; None without
    one."""
    engines: tuple[str, ...] = field(
        default_factory=lambda: tuple(engine.name for engine in default_engines())
    )
    """Names of the engines that will be used, and of libraries on demand (`provision.bundle`): only
    they are brought to the device."""
    cpu: str | None = None
    """The name of the processor to emulate, a key of `PROCESSORS`; None takes the default one."""
    caches: bool | None = None
    """Whether an emulator simulates caches too; None where the user said nothing of it."""
    tell: Callable[[str], None] = _silent
    """Takes a line for the user."""

    def given(self) -> tuple[str, ...]:
        """Those of the command line that were given and that not every kind has a use for."""
        options = {
            "--provision": self.provision is not None,
            "--prepare": self.prepare,
            "--native-runner": self.native_runner is not None,
            "--cpu": self.cpu is not None,
            "--counts": self.caches is not None,
        }
        return tuple(option for option, is_given in options.items() if is_given)
