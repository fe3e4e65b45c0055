"""What an operator is to a network's author: the few kinds into which a profile is divided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "grouped 1x1",
    "1x1",
    "depthwise",
    "convolution",
    "dense",
    "shuffle",
    "pooling",
    "elementwise",
    "concatenation",
    "layout",
    "conversion",
    "other",
    "engine overhead",
]
"""What an operator is to a network's author.

``convolution`` is any other one. ``layout`` is what moves or pads values and is no shuffle: the
engine's own reordering of channels included. ``conversion`` is between float and int8. ``engine
overhead`` is what no operator accounts for.

Average pooling that the exporter turned into a depthwise convolution counts as one: it runs as
one.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Operator(NamedTuple):
    """One operator as an engine runs it."""

    name: str
    """The name of the file's node, or of the tensor that the operator makes."""
    operator: str
    """What the engine calls the operator's kernel."""
    kind: Kind


def convolution_kind(groups: int, channels: int, kernel: Sequence[int]) -> Kind:
    """The kind of a convolution of `channels` input channels in `groups`."""
    if 1 < groups == channels:
        return "depthwise"
    if any(size != 1 for size in kernel):
        return "convolution"
    return "grouped 1x1" if groups > 1 else "1x1"
