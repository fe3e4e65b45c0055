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

import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from shufflenet_deploy.models.networks import Size
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.weights.conventions import IMAGENET
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.manifest import Preprocessing

FORMAT = "shufflenet-deploy"
VERSION = 1
_WRAPPERS = ("state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every key."""


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

    weights: Mapping[str, object]
    """Key -> tensor, without wrappers and prefixes; what ought to be a tensor need not be one."""
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
            with temporary.open("wb") as file:
                torch.save({"format": FORMAT, **header, "state_dict": state, **extra}, file)
            _read_torch(temporary)
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
        with path.open("rb") as file:
            start = file.read(9)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest() if not file.seek(0) else ""
    except OSError as error:
        raise ModelsError(f"{error.strerror}; give the path of a checkpoint") from None
    if not start:
        raise ModelsError("the file is empty; copy or download it again")
    # A .safetensors file begins with eight bytes of length and a JSON object.
    if path.suffix == ".safetensors" or start[8:] == b"{":
        weights, header = _read_safetensors(path)
        return Contents(_unprefixed(weights), _record(header), {}, sha256)
    content = _read_torch(path)
    if not isinstance(content, dict):
        raise ModelsError(f"it holds a {type(content).__name__}; {_SAVE_STATE_DICT}")
    record, extra = None, {}
    if content.get("format") == FORMAT:
        known = {"format", "version", "state_dict", *Record.__dataclass_fields__}
        record = _record(content)
        extra = {key: value for key, value in content.items() if key not in known}
    return Contents(_unprefixed(_unwrapped(content)), record, extra, sha256)


_SAVE_STATE_DICT = (
    "where you trust it, save what counts with torch.save(network.state_dict(), FILE)"
)


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of archives that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - unpickling what is no pickle raises anything
        text = str(error)
        if refused := re.search(r"GLOBAL (\S+)", text):
            raise ModelsError(
                f"it would run code: it asks for {refused[1]}, which is neither a tensor nor a "
                f"number; {_SAVE_STATE_DICT}"
            ) from None
        if "TorchScript" in text:
            raise ModelsError(f"it is a TorchScript archive; {_SAVE_STATE_DICT}") from None
        raise ModelsError(
            "it is not a checkpoint of PyTorch, or it was cut off; copy or download it again"
        ) from None


def _read_safetensors(path: Path) -> tuple[dict[str, object], object]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        return weights, json.loads(metadata.get(FORMAT, "null"))
    except Exception as error:  # noqa: BLE001 - its exceptions share no base with json's
        raise ModelsError(
            f"it is not a .safetensors file, or it was cut off ({_first_line(error)}); copy or "
            "download it again"
        ) from None


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


def _unwrapped(content: dict[Any, Any]) -> dict[Any, Any]:
    for key in _WRAPPERS:
        if isinstance(inner := content.get(key), dict):
            return _unwrapped(inner)
    return content


def _unprefixed(weights: Mapping[Any, object]) -> dict[str, object]:
    unprefixed = {str(key): value for key, value in weights.items()}
    while unprefixed:
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in unprefixed)), None)
        if prefix is None:
            break
        unprefixed = {key.removeprefix(prefix): value for key, value in unprefixed.items()}
    return unprefixed


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
