"""The classifier of a file, which others call what they like, and may have no bias."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from shufflenet_deploy.models.weights.conventions import Convention, keys


def with_classifier(
    weights: Mapping[str, object], convention: Convention
) -> tuple[dict[str, object], list[str]]:
    """`weights` with their one linear layer of the right width under the convention's name.

    Where that is not there itself. A bias that is nowhere is zeros. Lines say what was done; where
    it cannot be told, nothing is.
    """
    found = dict(weights)
    notes: list[str] = []
    weight, bias = f"{convention.classifier}.weight", f"{convention.classifier}.bias"
    if weight not in found:
        others = _linear(found, convention)
        if len(others) != 1:
            return found, notes
        (name,) = others
        notes.append(f"{name} is taken for the classifier")
        found[weight] = found.pop(name)
        if (its := f"{name.removesuffix('weight')}bias") in found:
            found[bias] = found.pop(its)
    value = found[weight]
    is_matrix = isinstance(value, Tensor) and value.dim() == 2
    if is_matrix and convention.classifier_bias and _lacks_only(bias, found, convention):
        notes.append("the classifier has no bias, which is one of zeros")
        found[bias] = torch.zeros(len(value))  # type: ignore[arg-type]
    return found, notes


def _lacks_only(bias: str, found: Mapping[str, object], convention: Convention) -> bool:
    return [key for key in keys(convention) if key not in found] == [bias]


def _linear(weights: Mapping[str, object], convention: Convention) -> list[str]:
    """The keys of linear layers that read as many features as the last unit makes."""
    known = keys(convention)
    last = next(
        key for key, ours in known.items() if ours.endswith("stage3.unit4.expand_conv3.weight")
    )
    made = weights.get(last)
    if not isinstance(made, Tensor):
        return []
    return [
        key
        for key, value in weights.items()
        if key not in known
        and key.endswith(".weight")
        and isinstance(value, Tensor)
        and value.dim() == 2
        and value.shape[1] == len(made)
    ]
