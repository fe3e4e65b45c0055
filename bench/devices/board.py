"""One board: how to reach it, and how to tell that it is the one."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Core = Annotated[int, msgspec.Meta(ge=0)]
_Words = Annotated[str, msgspec.Meta(min_length=1)]


class Peak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The highest published rate of one core in fp32."""

    mhz: _Positive
    """The clock in MHz at which a core has this rate."""
    gflops: _Positive
    """The rate in GFLOP/s, of which a multiply-add is two operations."""
    source: _Words


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of ``devices.toml``."""

    name: str
    """The name of the board's table in ``devices.toml``, by which ``--device`` takes it."""
    title: _Words
    kind: str
    """The kind of device, by which way it is reached: the name of a row of `DEVICES`."""
    host: _Words | None = None
    """The host that ssh connects to (an alias of ~/.ssh/config, or user@address), or a phone's
    serial number for adb; None where the kind needs none."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    """The port of its ssh server; None leaves it to ssh's configuration."""
    ssh_config: _Words | None = None
    """The path of a configuration for ssh; None takes ~/.ssh/config."""
    identity: tuple[_Words, ...] = ()
    """Beginnings of the names that such a board may give itself, see `environment.board`; empty
    where it may be any machine."""
    cores: tuple[_Core, ...] = ()
    """Numbers of the cores to which workers are pinned unless the user names others; empty leaves
    the choice to the system."""
    latency: bool = True
    """Whether the time measured on the board is a latency."""
    peaks: tuple[Peak, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what ssh would take for an option."""
        if self.host is not None and not re.fullmatch(r"[^\s\x00-\x1f-][^\s\x00-\x1f]*", self.host):
            raise ValueError(f"{self.host!r} is no host: it has blanks, or begins with a hyphen")


def matches(board: Board, own_name: str | None) -> bool | None:
    """Whether a machine that calls itself `own_name` is a `board`.

    None where that cannot be told: `board` may be any machine, or the machine says no name.
    """
    if not board.identity or own_name is None:
        return None
    return own_name.startswith(board.identity)
