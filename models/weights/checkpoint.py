"""From a file of trained weights to the network that computes what its authors' network does.

`load` takes every published convention (`conventions`) and what `save` wrote. Which variant a
file holds is found from its tensors alone, and nothing in a file is ever run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shufflenet_deploy.models.networks import NETWORKS, SHUFFLENET, SHUFFLENET_SE, Size
from shufflenet_deploy.models.networks.shufflenet import STAGE_UNITS, ShuffleNetV1, stage_widths
from shufflenet_deploy.models.weights.conventions import (
    CONVENTIONS,
    OURS,
    Convention,
    convert,
    has_squeeze_excitation,
    keys,
    recognise,
)
from shufflenet_deploy.models.weights.file import (
    Architecture,
    Contents,
    read,
    require_label_for_each_class,
    save,
)
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.manifest import Preprocessing

__all__ = ["Checkpoint", "load", "require", "save"]

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
    extra: Mapping[str, Any]
    """Whatever `save` was given as `extra`, by its keys."""


@dataclass(frozen=True)
class _Variant:
    name: str
    groups: int
    scale: float
    classes: int
    stem_channels: int


def load(path: Path) -> Checkpoint:
    """Read `path`, find out what it is, and build its network.

    Raises `ModelsError`, one line with the file, what is wrong with it first and the remedy:
    where it is missing, no checkpoint, cut off or a pickle with code in it; where its convention
    or variant is unknown; where keys are missing, unexpected or misshapen; where a number is
    not finite.
    """
    try:
        contents = read(path)
        convention = _convention(contents)
        has_se = has_squeeze_excitation(convention, contents.weights)
        names = keys(convention, has_se)
        tensors = _tensors(contents.weights, names)
        name = SHUFFLENET_SE if has_se else SHUFFLENET
        variant = _variant(name, {ours: tensors[theirs] for theirs, ours in names.items()})
        network = _network(variant, convention, contents)
        _require_shapes(tensors, names, network)
        converted = {ours: _numbers(theirs, tensors[theirs]) for theirs, ours in names.items()}
        state = convert(convention, converted, variant.groups)
        counters = [key for key in network.state_dict() if key.endswith(_COUNTER)]
        state |= {key: torch.tensor(0) for key in counters}
        network.load_state_dict(state, assign=True)
        record = contents.record
        require_label_for_each_class(record.labels if record else None, variant.classes)
    except ModelsError as error:
        raise ModelsError(f"{path}: {error}") from None
    return Checkpoint(
        path=path,
        sha256=contents.sha256,
        network=network.eval(),
        convention=convention.name,
        name=variant.name,
        groups=variant.groups,
        scale=variant.scale,
        classes=variant.classes,
        stem_channels=variant.stem_channels,
        preprocessing=record.preprocessing if record else convention.preprocessing,
        labels=record.labels if record else None,
        input_size=record.input_size if record else None,
        extra=contents.extra,
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


def _convention(contents: Contents) -> Convention:
    convention = recognise(contents.weights)
    if convention is None:
        known = _listed(convention.name for convention in CONVENTIONS)
        if not contents.weights:
            raise ModelsError(f"it holds no weights; give a file of {known}")
        first = _listed(repr(key[:60]) for key in list(contents.weights)[:3])
        raise ModelsError(
            f"its keys are of no convention known here ({known}): they begin with {first}; "
            "give a ShuffleNet V1 of one of these"
        )
    if contents.record and convention.name != OURS:
        raise ModelsError(
            f"it has the keys of {convention.name} inside this project's own format, which has "
            f"{OURS}'s; give the file that they come from"
        )
    return convention


def _tensors(weights: Mapping[str, object], names: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of all `names`, and no others; their shapes are not looked at."""
    missing = next((key for key in names if key not in weights), None)
    if missing is not None:
        raise ModelsError(f"{missing} is missing; give the whole network's state dict")
    norms = {key.removesuffix(".running_var") for key in names if key.endswith(".running_var")}
    for key in weights:
        if key not in names and not (
            key.endswith(_COUNTER) and key.removesuffix(_COUNTER) in norms
        ):
            raise ModelsError(
                f"{key[:100]!r} is unexpected: no ShuffleNet V1 has it; remove it if it is none "
                "of the network's"
            )
    tensors = {}
    for key in names:
        value = weights[key]
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
        tensors[key] = value
    return tensors


def _variant(name: str, tensors: Mapping[str, Tensor]) -> _Variant:
    """The choices that the tensors, under this project's keys, were built with.

    Each is what most of the units agree on, so that one misshapen tensor does not decide.
    """
    groups_seen = []
    widths = []
    for stage, units in enumerate(STAGE_UNITS, start=1):
        # Units of stride 1: their last convolution makes the stage's width, and their first
        # one's filters see a group of it.
        prefixes = [f"features.stage{stage}.unit{unit}" for unit in range(2, units + 1)]
        width = _mode(_size(tensors[f"{p}.expand_conv3.weight"], 0) for p in prefixes)
        filter_channels = _mode(_size(tensors[f"{p}.compress_conv1.weight"], 1) for p in prefixes)
        widths.append(width)
        groups_seen.append(width // filter_channels if filter_channels else 0)
    groups, scale = _named(_mode(groups_seen), tuple(widths))
    classes = _size(tensors["output.weight"], 0)
    stem = _size(tensors["features.init_block.conv.weight"], 0)
    if classes < 1 or stem < 1 or stem % groups or stem >= widths[0]:
        raise ModelsError(
            f"{stem} channels in the stem and {classes} classes are of no ShuffleNet V1 with "
            f"{groups} groups; give another file"
        )
    return _Variant(name, groups, scale, classes, stem)


def _named(groups: int, widths: tuple[int, ...]) -> tuple[int, float]:
    """The group count and scale of a network with these stages."""
    entry = NETWORKS[SHUFFLENET]
    if groups not in entry.groups:
        raise ModelsError(
            f"its convolutions have {groups} groups, and ShuffleNet V1 has "
            f"{_listed(entry.groups)}; give another file"
        )
    scale = min(entry.scales, key=lambda scale: abs(stage_widths(groups, scale)[0] - widths[0]))
    if stage_widths(groups, scale) != widths:
        raise ModelsError(
            f"its stages have {_listed(widths)} channels, and ShuffleNet V1 with {groups} groups "
            f"has {_listed(stage_widths(groups, scale))} at {scale}x; give another file"
        )
    return groups, scale


def _network(variant: _Variant, convention: Convention, contents: Contents) -> ShuffleNetV1:
    architecture = (
        contents.record.architecture
        if contents.record
        else Architecture(
            stem_relu=convention.stem_bn is not None, inverse_shuffle=convention.inverse_shuffle
        )
    )
    with torch.device("meta"):  # shapes only: the file has the numbers
        return ShuffleNetV1(
            variant.groups,
            variant.scale,
            stem_channels=variant.stem_channels,
            num_classes=variant.classes,
            stem_relu=architecture.stem_relu,
            inverse_shuffle=architecture.inverse_shuffle,
            squeeze_excitation=variant.name == SHUFFLENET_SE,
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


def _size(tensor: Tensor, dimension: int) -> int:
    return tensor.shape[dimension] if tensor.dim() > dimension else 0


def _mode(values: Iterable[int]) -> int:
    return Counter(values).most_common(1)[0][0]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
