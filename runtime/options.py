"""What an artifact was asked to be, and the name that it has by that."""

from __future__ import annotations

from typing import Annotated

import msgspec

from shufflenet_deploy.runtime.formats import FORMATS

Pixels = Annotated[int, msgspec.Meta(ge=1, le=2**20)]
"""A side of an image."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked for. Two artifacts of equal options and tool versions are the same."""

    network: str
    groups: int | None
    scale: float | None
    input_size: tuple[Pixels, Pixels]
    """Height and width in pixels."""
    format: str
    precision: str = "fp32"
    lowering: str = "fast"
    target: str = "arm64"
    """The processor that int8 is made for: ``arm64`` or ``x86-64``."""
    io: str = "float32"
    """The type of the input's numbers; ``uint8`` and ``int8`` take pixels as they are."""
    weights: str = "random"
    """The weights in the artifact's name: ``random``, or the first 8 digits of their SHA-256."""

    @property
    def file_name(self) -> str:
        """The artifact's name: options that are not the default enter it, groups if any do."""
        height, width = self.input_size
        parts = [self.network]
        if self.groups is not None:
            parts.append(f"g{self.groups}")
        if self.scale is not None:
            parts.append(f"x{self.scale}")
        parts += [f"{height}x{width}", self.precision]
        if self.lowering != "fast":
            parts.append(self.lowering)
        if self.target != "arm64":
            parts.append(self.target)
        if self.io != "float32":
            parts.append(f"{self.io}in")
        if self.weights != "random":
            parts.append(self.weights)
        return "-".join(parts) + FORMATS[self.format].files[0]
