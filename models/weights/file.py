"""Files of weights: PyTorch's own and .safetensors, read without running anything in them.

What `save` writes, and `read` understands besides bare weights, is one dict:

    format         "shufflenet-deploy"
    version        1
    state_dict     the network's
    architecture   stem_relu, inverse_shuffle: arguments of `ShuffleNetV1`
    labels         names, one a class, or None
    preprocessing  channel_order, mean, std, crop_fraction
    input_size     height and width in pixels, or None
    ranges         of activations that were trained with 8 bits: {name: (low, high)}; or None
    ...            whatever else was asked for, such as an optimiser's state

A .safetensors file has all but the last as JSON in its metadata, under the format's name.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from shufflenet_deploy.models.networks import Size
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.weights.archives import unpacked
from shufflenet_deploy.models.weights.conventions import IMAGENET
from shufflenet_deploy.models.weights.reading import (
    read_safetensors,
    read_strictly,
    read_torch,
)
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.files import sha256
from shufflenet_deploy.runtime.files.kind import mistaken, start_of
from shufflenet_deploy.runtime.manifest import Preprocessing

FORMAT = "shufflenet-deploy"
VERSION = 1


@dataclass(frozen=True)
class Architecture:
    """What a `ShuffleNetV1` was built with and its weights do not show."""

    stem_relu: bool = True
    inverse_shuffle: bool = False


@dataclass(frozen=True)
class Record:
    """What this project's own files say of their weights."""

    architecture: Architecture
    labels: tuple[str, ...] | None
    preprocessing: Preprocessing
    """The preprocessing in training; its crop is the input's size, or ImageNet's usual one in files
    that do not say that."""
    input_size: Size | None
    ranges: Ranges | None = None
    """The range of each activation, by its name in `networks.activations`, of a network that was
    trained with 8 bits; None for any other."""


@dataclass(frozen=True)
class Contents:
    """A file as it was read: whose keys these are is not known yet."""

    content: object
    """Whatever the file holds, in which `finding` looks for weights; the state dict alone where the
    file is this project's own."""
    record: Record | None
    """What the file says of its weights; None for the files of others than this project."""
    extra: Mapping[str, Any]
    """Whatever `save` was given as `extra`, by its keys."""
    sha256: str


def save(
    path: Path,
    network: ShuffleNetV1,
    *,
    labels: Sequence[str] | None,
    preprocessing: Preprocessing,
    input_size: Size | None,
    ranges: Ranges | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write `network` to `path`, whole or not at all, so that `checkpoint.load` reads it.

    `extra` stands beside the weights and comes back as `Checkpoint.extra`: tensors, numbers,
    strings and containers of these.

    Raises:
        ModelsError: `path` cannot be written, there is not a label for each class, or something
            in `extra` could be read back only by running code.
        ValueError: `extra` has a key that the format uses, or is meant for .safetensors, which
            has no place for it.
    """
    architecture = Architecture(network.stem_relu, network.inverse_shuffle)
    names = None if labels is None else tuple(labels)
    header = _header(Record(architecture, names, preprocessing, input_size, ranges))
    extra = extra or {}
    if taken := extra.keys() & {*header, "format", "state_dict"}:
        raise ValueError(f"extra has {sorted(taken)}, which the format uses itself")
    if extra and path.suffix == ".safetensors":
        raise ValueError(f".safetensors has no place for {sorted(extra)}")
    # The suffix stays, since `read` goes by it too.
    temporary = path.with_name(f".{os.getpid()}.save.{path.name}")
    try:
        require_label_for_each_class(names, network.output.out_features)
        state = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
        if path.suffix == ".safetensors":
            _write_safetensors(temporary, state, header)
        else:
            # In memory first: of a disk that is full PyTorch raises what tells nothing.
            written = io.BytesIO()
            torch.save({"format": FORMAT, **header, "state_dict": state, **extra}, written)
            temporary.write_bytes(written.getbuffer())
            read_strictly(temporary)
        temporary.replace(path)
    except ModelsError as error:
        raise ModelsError(f"cannot write {path}: {error}") from None
    except OSError as error:
        raise ModelsError(
            f"cannot write {path}: {error.strerror or error}; make room or write elsewhere"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def require_label_for_each_class(labels: tuple[str, ...] | None, classes: int) -> None:
    """Raise `ModelsError` where there are labels and they are not as many as the classes."""
    if labels is not None and len(labels) != classes:
        raise ModelsError(f"it has {len(labels)} labels for {classes} classes; give one for each")


def read(path: Path) -> Contents:
    """Read a file of any of the known kinds. `ModelsError`, without the path, for any other."""
    try:
        start = start_of(path)
        digest = sha256(path)
    except OSError as error:
        raise ModelsError(f"{error.strerror}; give the path of a checkpoint") from None
    with unpacked(path) as inner:
        if inner != path:
            start = start_of(inner)
        if not start:
            raise ModelsError("the file is empty; copy or download it again")
        # PyTorch's own files are zip archives.
        if not start.startswith(b"PK") and (kind := mistaken(start)):
            raise ModelsError(f"it is {kind.replace(': ', '; ', 1)}")
        # A .safetensors file begins with eight bytes of length and a JSON object.
        if inner.suffix == ".safetensors" or start[8:9] == b"{":
            weights, header = read_safetensors(inner)
            return Contents(weights, _record(header), {}, digest)
        content = read_torch(inner)
    if isinstance(content, dict) and content.get("format") == FORMAT:
        known = {"format", "version", "state_dict", *Record.__dataclass_fields__}
        extra = {key: value for key, value in content.items() if key not in known}
        return Contents(content.get("state_dict"), _record(content), extra, digest)
    return Contents(content, None, {}, digest)


def _write_safetensors(path: Path, state: dict[str, torch.Tensor], header: object) -> None:
    from safetensors.torch import save_file

    path.touch()  # a folder that is missing or closed is an OSError here
    save_file(state, path, {"format": "pt", FORMAT: json.dumps(header)})


def _header(record: Record) -> dict[str, Any]:
    """What is written: the crop is not said twice."""
    preprocessing = msgspec.structs.asdict(record.preprocessing)
    del preprocessing["crop"]
    return {
        "version": VERSION,
        "architecture": asdict(record.architecture),
        "labels": record.labels,
        "preprocessing": preprocessing,
        "input_size": record.input_size,
        "ranges": record.ranges,
    }


def _record(header: object) -> Record | None:
    if header is None:
        return None
    version = header.get("version") if isinstance(header, dict) else None
    if not isinstance(header, dict) or version != VERSION:
        raise ModelsError(
            f"it is of version {version!r} of this project's format, and this program reads "
            f"{VERSION}; use the shufflenet-deploy that wrote it, or a newer one"
        )
    try:
        record = msgspec.convert(_with_usual_crop(header), Record)
    except msgspec.ValidationError as error:
        raise ModelsError(f"what it says of its weights is wrong: {error}; save it again") from None
    crop = record.input_size or record.preprocessing.crop
    return replace(record, preprocessing=msgspec.structs.replace(record.preprocessing, crop=crop))


def _with_usual_crop(header: dict[str, Any]) -> dict[str, Any]:
    """The header in `Record`'s form; whatever else is wrong with it stays for that to refuse."""
    preprocessing = header.get("preprocessing")
    if not isinstance(preprocessing, dict):
        return header
    return {**header, "preprocessing": {**preprocessing, "crop": IMAGENET.crop}}
