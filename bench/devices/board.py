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
    """The clock that it belongs to."""
    gflops: _Positive
    """A multiply-add is two of them."""
    source: _Words


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of ``devices.toml``."""

    name: str
    """The table's name."""
    title: _Words
    kind: str
    """The way to it: a row of `DEVICES`."""
    host: _Words | None = None
    """To which ssh connects (an alias of ~/.ssh/config, or user@address), or a phone's serial
    number for adb."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    """For ssh, where its configuration does not tell."""
    ssh_config: _Words | None = None
    """A configuration for ssh instead of ~/.ssh/config."""
    identity: tuple[_Words, ...] = ()
    """How its own name may begin, see `environment.board`; none: it may be any."""
    cores: tuple[_Core, ...] = ()
    """To which workers are pinned where nothing else is asked for; none leaves it to the system."""
    latency: bool = True
    """Whether its time is a latency."""
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
