"""Networks as suites, claims and tables name them."""

from __future__ import annotations

import msgspec

from shufflenet_deploy.runtime.options import Options


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network, whatever its input's size and its format."""

    name: str
    groups: int | None = None
    scale: float | None = None

    @staticmethod
    def of(options: Options) -> Network:
        """The network that an artifact was exported from."""
        return Network(name=options.network, groups=options.groups, scale=options.scale)

    @property
    def label(self) -> str:
        """As artifacts' names begin, such as ``shufflenet-v1-g3-x0.5``."""
        groups = "" if self.groups is None else f"-g{self.groups}"
        scale = "" if self.scale is None else f"-x{self.scale}"
        return f"{self.name}{groups}{scale}"


def setting_words(options: Options) -> list[str]:
    """What names a setting beside its format; what is usual goes without saying."""
    height, width = options.input_size
    unusual = [
        *([] if options.lowering == "fast" else [options.lowering]),
        *([] if options.target == "arm64" else [options.target]),
        *([] if options.io == "float32" else [f"{options.io}in"]),
    ]
    return [f"{height}x{width}", options.precision, *unusual]
