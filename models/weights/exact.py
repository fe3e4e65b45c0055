"""Weights that a file has in parts, computed as the network that was saved computes them.

Masks of torch.nn.utils.prune, weight norm and spectral norm, old and new; none of it loses a bit
more than the training itself did. https://docs.pytorch.org/docs/stable/nn.html#utilities
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_NEW = ".parametrizations."


def computed(weights: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """The weights with those in parts put together, and a line on each kind of that.

    Parts that do not go together stay as they are, to be named by whoever misses their tensor.
    """
    found = dict(weights)
    kinds: dict[str, int] = {}
    for key in weights:
        for ending, kind in (("_mask", "mask"), ("_g", "weight norm"), ("_u", "spectral norm")):
            if key.endswith(ending):
                _put(found, key.removesuffix(ending), ending, kind, kinds)
        if _NEW in key and key.endswith((".original0", ".0._u")):
            _put_new(found, key, kinds)
    return found, [f"{kind} applied to {count} tensors" for kind, count in sorted(kinds.items())]


def _put(
    found: dict[str, object], name: str, ending: str, kind: str, kinds: dict[str, int]
) -> None:
    """Put `name` together of its parts, as hooks of old name them."""
    parts = {"_mask": ("_orig", "_mask"), "_g": ("_g", "_v"), "_u": ("_orig", "_u", "_v")}[ending]
    tensors = [found.get(f"{name}{part}") for part in parts]
    _compute(found, name, [f"{name}{part}" for part in parts], tensors, kind, kinds)


def _put_new(found: dict[str, object], key: str, kinds: dict[str, int]) -> None:
    """Likewise, as torch.nn.utils.parametrize names them."""
    before, _, rest = key.partition(_NEW)
    name = rest.partition(".")[0]
    base = f"{before}{_NEW}{name}"
    if key.endswith(".original0"):
        parts, kind = [f"{base}.original0", f"{base}.original1"], "weight norm"
    else:
        parts, kind = [f"{base}.original", f"{base}.0._u", f"{base}.0._v"], "spectral norm"
    _compute(found, f"{before}.{name}", parts, [found.get(part) for part in parts], kind, kinds)


def _compute(
    found: dict[str, object],
    name: str,
    parts: list[str],
    tensors: list[object],
    kind: str,
    kinds: dict[str, int],
) -> None:
    known = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
    if name in found or len(known) != len(parts):
        return
    try:
        found[name] = _KINDS[kind](*(tensor.detach().double() for tensor in known))
    except (RuntimeError, IndexError):  # shapes that do not go together
        return
    for part in parts:
        del found[part]
    kinds[kind] = kinds.get(kind, 0) + 1


def _masked(weight: Tensor, mask: Tensor) -> Tensor:
    return weight * mask


def _normed(size: Tensor, direction: Tensor) -> Tensor:
    """Salimans and Kingma (2016), arXiv 1602.07868: `size` has one dimension of more than 1."""
    axes = [axis for axis in range(direction.dim()) if size.dim() == 0 or size.shape[axis] == 1]
    if len(axes) == direction.dim() and size.numel() == 1 and direction.shape[0] == 1:
        axes = axes[1:]  # of one filter alone, which has its own norm
    norm = direction.square().sum(dim=axes, keepdim=True).sqrt()
    return direction * (size / norm)


def _spectral(weight: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Miyato et al. (2018), arXiv 1802.05957, with the vectors that the training left."""
    return weight / torch.dot(first, weight.flatten(1) @ second)


_KINDS: dict[str, Callable[..., Tensor]] = {
    "mask": _masked,
    "weight norm": _normed,
    "spectral norm": _spectral,
}
