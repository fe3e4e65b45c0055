"""From a file of trained weights to the network that computes what its authors' network does.

`load` takes every published convention (`conventions`) and what `save` wrote. Which variant a
file holds is found from its tensors alone, and nothing in a file is ever run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shufflenet_deploy.models.networks import SHUFFLENET, SHUFFLENET_SE, Size
from shufflenet_deploy.models.networks.activations import activations
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.weights.classifier import with_classifier
from shufflenet_deploy.models.weights.conventions import (
    CONVENTIONS,
    OURS,
    Convention,
    convert,
    has_squeeze_excitation,
    keys,
)
from shufflenet_deploy.models.weights.file import (
    Architecture,
    Contents,
    read,
    require_label_for_each_class,
    save,
)
from shufflenet_deploy.models.weights.finding import Found, find, is_bookkeeping, tensors_of
from shufflenet_deploy.models.weights.reading import (
    SAVE_STATE_DICT,
    Placeholder,
    placeholders,
)
from shufflenet_deploy.models.weights.sizes import Sizes, sizes_of
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.manifest import Preprocessing

__all__ = ["Checkpoint", "load", "require", "save"]

_SHOWN = 3

_COUNTER = ".num_batches_tracked"
"""BN's count of training steps: not in old files, and of no use here."""


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights, and the network that it makes."""

    path: Path
    sha256: str
    """The SHA-256 of the file."""
    network: ShuffleNetV1
    """The network with the file's weights, in evaluation mode."""
    convention: str
    """The file's convention: ``pytorchcv``, which is this project's own too, ``megvii``,
    ``mmpretrain`` or ``jaxony``."""
    name: str
    """The name of the network in `NETWORKS`."""
    groups: int
    scale: float
    classes: int
    stem_channels: int
    preprocessing: Preprocessing
    """What the file says of its preprocessing, else what its convention says; the crop is that of
    training where the file says it."""
    labels: tuple[str, ...] | None
    """The names of the classes; None where the file has none, as those of other projects."""
    input_size: Size | None
    """The input's size in training; None where the file does not say it."""
    ranges: Ranges | None
    """Of each activation, where the network was trained with 8 bits; see `networks.activations`."""
    extra: Mapping[str, Any]
    """Whatever `save` was given as `extra`, by its keys."""
    remarks: tuple[str, ...] = ()
    """Lines on what was taken of the file, where there was a choice, and what was left aside."""


def load(path: Path, key: str | None = None) -> Checkpoint:
    """Read `path`, find out what it is, and build its network.

    `key` names the place in the file where the weights are, of several; see `finding`.

    Raises `ModelsError`, one line with the file, what is wrong with it first and the remedy:
    where it is missing, no checkpoint, cut off or a pickle with code in it; where its convention
    or variant is unknown; where keys are missing, unexpected or misshapen; where a number is
    not finite.
    """
    try:
        contents = read(path)
        found = _found(contents, key)
        convention = found.convention
        has_se = has_squeeze_excitation(convention, found.weights)
        names = keys(convention, has_se)
        weights, notes = with_classifier(found.weights, convention)
        tensors, aside = _tensors(weights, names)
        sizes = sizes_of({ours: tensors[theirs] for theirs, ours in names.items()})
        network = _network(sizes, has_se, convention, contents)
        _require_shapes(tensors, names, network)
        converted = {ours: _numbers(theirs, tensors[theirs]) for theirs, ours in names.items()}
        state = convert(convention, converted, sizes.groups)
        counters = [key for key in network.state_dict() if key.endswith(_COUNTER)]
        state |= {key: torch.tensor(0) for key in counters}
        network.load_state_dict(state, assign=True)
        record = contents.record
        require_label_for_each_class(record.labels if record else None, sizes.classes)
        _require_ranges(record.ranges if record else None, network)
    except ModelsError as error:
        raise ModelsError(f"{path}: {error}") from None
    return Checkpoint(
        path=path,
        sha256=contents.sha256,
        network=network.eval(),
        convention=convention.name,
        name=SHUFFLENET_SE if has_se else SHUFFLENET,
        groups=sizes.groups,
        scale=sizes.scale,
        classes=sizes.classes,
        stem_channels=sizes.stem_channels,
        preprocessing=record.preprocessing if record else convention.preprocessing,
        labels=record.labels if record else None,
        input_size=record.input_size if record else None,
        ranges=record.ranges if record else None,
        extra=contents.extra,
        remarks=(*found.remarks, *notes, *aside),
    )


def require(
    checkpoint: Checkpoint,
    *,
    name: str | None = None,
    groups: int | None = None,
    scale: float | None = None,
) -> None:
    """Raise `ModelsError` where a choice that was made is not what the file holds."""
    for option, choice, actual in (
        ("network", name, checkpoint.name),
        ("groups", groups, checkpoint.groups),
        ("scale", scale, checkpoint.scale),
    ):
        if choice is not None and choice != actual:
            raise ModelsError(
                f"{checkpoint.path} has {option} {actual} where {option} {choice} was asked for: "
                f"leave out the {option}, or give another file"
            )


def _found(contents: Contents, key: str | None) -> Found:
    """The weights in a file. Raises `ModelsError` where there are none of a known network."""
    found = find(contents.content, key)
    if found is None:
        raise ModelsError(_nothing(contents.content))
    if contents.record and found.convention.name != OURS:
        raise ModelsError(
            f"it has the keys of {found.convention.name} inside this project's own format, which "
            f"has {OURS}'s; give the file that they come from"
        )
    return found


def _nothing(content: object) -> str:
    """What to say of a file in which no convention was found."""
    known = ", ".join(convention.name for convention in CONVENTIONS)
    tensors = tensors_of(content)
    if isinstance(content, Placeholder) and not tensors:
        return f"it holds an object of {content.name} and no weights; {SAVE_STATE_DICT}"
    if not tensors and not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}; {SAVE_STATE_DICT}"
    if not tensors:
        beside = ", ".join(placeholders(content))
        return f"it holds no weights{beside and ' beside ' + beside}; give a file of {known}"
    first = ", ".join(repr(name[:60]) for name in list(tensors)[:3])
    return (
        f"its keys are of no convention known here ({known}): they begin with {first}; "
        "give a ShuffleNet V1 of one of these"
    )


def _tensors(
    weights: Mapping[str, object], names: Mapping[str, str]
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of all `names`, and a line on others; their shapes are not looked at."""
    missing = next((key for key in names if key not in weights), None)
    if missing is not None:
        parts = [key for key in weights if _is_part(key, missing)]
        if parts:
            raise ModelsError(
                f"{missing} is there in parts that are not known here, {', '.join(parts[:3])}; "
                "make it whole before saving, as torch.nn.utils.parametrize's "
                "remove_parametrizations does"
            )
        raise ModelsError(f"{missing} is missing; give the whole network's state dict")
    norms = {key.removesuffix(".running_var") for key in names if key.endswith(".running_var")}
    tops = {key.partition(".")[0] for key in names}
    aside = []
    for key in weights:
        if key in names or (key.endswith(_COUNTER) and key.removesuffix(_COUNTER) in norms):
            continue
        if not is_bookkeeping(key) and key.partition(".")[0] in tops:
            raise ModelsError(
                f"{key[:100]!r} is unexpected: no ShuffleNet V1 has it; remove it if it is none "
                "of the network's"
            )
        aside.append(key)
    return {key: _tensor(key, weights[key]) for key in names}, _left_aside(aside)


def _is_part(key: str, missing: str) -> bool:
    layer, _, name = missing.rpartition(".")
    return key.startswith((f"{layer}.{name}_", f"{layer}.parametrizations.{name}."))


def _left_aside(names: list[str]) -> list[str]:
    if not names:
        return []
    more = " ..." if len(names) > _SHOWN else ""
    shown = ", ".join(name[:60] for name in names[:_SHOWN])
    return [f"left aside, as no layer has them: {len(names)} keys, {shown}{more}"]


def _tensor(key: str, value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise ModelsError(f"{key} is a {type(value).__name__}, not a tensor; save it again")
    if not value.is_floating_point() or value.layout != torch.strided or value.is_meta:
        raise ModelsError(
            f"{key} is a tensor of {value.dtype}, {value.layout}, on {value.device}, not of "
            "plain floating-point numbers; save the network as it was before quantising"
        )
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise ModelsError(
            f"{key} has more numbers than the file; save it again, with contiguous tensors"
        )
    return value


def _network(
    sizes: Sizes, squeeze_excitation: bool, convention: Convention, contents: Contents
) -> ShuffleNetV1:
    architecture = (
        contents.record.architecture
        if contents.record
        else Architecture(
            stem_relu=convention.stem_bn is not None, inverse_shuffle=convention.inverse_shuffle
        )
    )
    with torch.device("meta"):  # shapes only: the file has the numbers
        return ShuffleNetV1(
            sizes.groups,
            sizes.scale,
            stem_channels=sizes.stem_channels,
            num_classes=sizes.classes,
            stem_relu=architecture.stem_relu,
            inverse_shuffle=architecture.inverse_shuffle,
            squeeze_excitation=squeeze_excitation,
        )


def _require_shapes(
    tensors: Mapping[str, Tensor], names: Mapping[str, str], network: ShuffleNetV1
) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    for theirs, ours in names.items():
        # A bias that this project's network does not have: one for each filter.
        shape = shapes.get(ours) or shapes[ours.removesuffix("bias") + "weight"][:1]
        if tuple(tensors[theirs].shape) != shape:
            raise ModelsError(
                f"{theirs} has shape {tuple(tensors[theirs].shape)} where the other tensors ask "
                f"for {shape}; give another file"
            )


def _require_ranges(ranges: Ranges | None, network: ShuffleNetV1) -> None:
    """Refuse ranges that are not one for each activation, around 0."""
    if ranges is None:
        return
    if odd := sorted(ranges.keys() ^ set(activations(network))):
        raise ModelsError(
            f"its ranges are not those of its activations: they differ in {odd[0][:100]!r}; give "
            "another copy of the file"
        )
    for name, (low, high) in ranges.items():
        if not (-math.inf < low <= 0 <= high < math.inf and low < high):  # NaN fails too
            raise ModelsError(
                f"the range of {name} is from {low:g} to {high:g}, and should be around 0; give "
                "another copy of the file"
            )


def _numbers(key: str, tensor: Tensor) -> Tensor:
    """The tensor as float32 of its own, all finite."""
    numbers = tensor.detach().to(torch.float32, copy=True)
    if wrong := numbers.numel() - int(numbers.isfinite().sum()):
        raise ModelsError(
            f"{key} has {wrong} numbers of {numbers.numel()} that are NaN or infinite; give "
            "another copy or an earlier checkpoint"
        )
    if key.endswith("running_var") and bool((numbers < 0).any()):
        raise ModelsError(f"{key} has a negative variance; give another copy of the file")
    return numbers
