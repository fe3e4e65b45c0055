"""Checkpoints as people have them: one small network in many wrappings.

What public bug reports describe, made anew.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import pathlib
import sys
import tarfile
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights.conventions import CONVENTIONS, keys
from shufflenet_deploy.models.weights.random import randomise

State = Mapping[str, Tensor]
CLASSES = 10
_MMPRETRAIN = next(convention for convention in CONVENTIONS if convention.name == "mmpretrain")
_HISTORY = "mmengine.logging.history_buffer"


@dataclass(frozen=True)
class Wrapping:
    """A file that holds the network's weights, and what should be loaded from it."""

    file_name: str
    content: Callable[[State], object]
    """The network's state dict -> what is saved."""
    marker: str
    """A key of the saved dict, at any depth, that no state dict of the network has."""
    right: Callable[[State], State] = dict
    """The network's state dict -> the one to be loaded."""
    wrong: str | None = None
    """What is wrong today."""


def a_state(classes: int = CLASSES, seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a small network that looks trained."""
    torch.manual_seed(seed)
    network = ShuffleNetV1(3, 0.25, num_classes=classes)
    randomise(network, torch.randn(4, 3, 64, 64))
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def all_keys(content: object) -> set[str]:
    """The keys of all dicts in `content`."""
    if not isinstance(content, Mapping):
        return set()
    return {str(key) for key in content}.union(*map(all_keys, content.values()))


def shifted(state: State) -> dict[str, Tensor]:
    """Weights that are not the right ones: those of the last step, where the average is right."""
    return {
        key: tensor + 0.01 if tensor.is_floating_point() else tensor
        for key, tensor in state.items()
    }


def floats_as(dtype: torch.dtype) -> Callable[[State], dict[str, Tensor]]:
    """All numbers of a state dict in another type."""
    return lambda state: {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in state.items()
    }


def prefixed(prefix: str) -> Callable[[State], dict[str, Tensor]]:
    """All keys of a state dict with `prefix` before them."""
    return lambda state: {f"{prefix}{key}": tensor for key, tensor in state.items()}


def renamed(changes: Mapping[str, str]) -> Callable[[State], dict[str, Tensor]]:
    """A state dict under other keys where `changes` names any."""
    return lambda state: {changes.get(key, key): tensor for key, tensor in state.items()}


def as_mmpretrain(state: State) -> dict[str, Tensor]:
    """The same numbers under mmpretrain's keys, where they make another network."""
    return {theirs: state[ours] for theirs, ours in keys(_MMPRETRAIN).items()}


def lightning(prefix: str) -> Callable[[State], dict[str, object]]:
    """A checkpoint of Lightning, whose module has the network as an attribute."""
    return lambda state: {
        "epoch": 3,
        "global_step": 40,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": prefixed(prefix)(state),
        "loops": {},
        "callbacks": {},
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1},
    }


def counted(state: State) -> dict[str, Tensor]:
    """With the counters that thop leaves in every module."""
    content = dict(state)
    for key in state:
        parts = key.split(".")[:-1]
        for depth in range(len(parts) + 1):
            for counter in ("total_ops", "total_params"):
                content[".".join([*parts[:depth], counter])] = torch.zeros(1, dtype=torch.float64)
    return content


def compiled_part(state: State) -> dict[str, Tensor]:
    """torch.compile of a part: a prefix in the middle."""
    return {
        key.replace("features.", "features._orig_mod.", 1): value for key, value in state.items()
    }


def _mask(tensor: Tensor) -> Tensor:
    return (tensor.abs() > tensor.abs().median()).float()


def pruned(state: State) -> dict[str, Tensor]:
    """Pruned by torch.nn.utils.prune, and not made permanent."""
    content = {}
    for key, tensor in state.items():
        if key.endswith("_conv1.weight"):
            content[f"{key}_orig"], content[f"{key}_mask"] = tensor, _mask(tensor)
        else:
            content[key] = tensor
    return content


def pruned_for_good(state: State) -> dict[str, Tensor]:
    """What such a network computes with."""
    return {
        key: tensor * _mask(tensor) if key.endswith("_conv1.weight") else tensor
        for key, tensor in state.items()
    }


def observed(state: State) -> dict[str, Tensor]:
    """Quantisation-aware training: observers and fake quantisers beside the weights."""
    content = dict(state)
    for key in state:
        if key.endswith("conv1.weight"):
            layer = key.removesuffix("weight")
            observer = f"{layer}activation_post_process.activation_post_process"
            content[f"{layer}weight_fake_quant.scale"] = torch.ones(1)
            content[f"{layer}weight_fake_quant.zero_point"] = torch.zeros(1, dtype=torch.int32)
            content[f"{observer}.min_val"] = torch.zeros(1)
    return content


def parametrised(state: State) -> dict[str, Tensor]:
    """Weight norm of the classifier as torch.nn.utils.parametrizations has it."""
    content = dict(state)
    content["output.parametrizations.weight.original0"] = torch.ones(CLASSES, 1)
    content["output.parametrizations.weight.original1"] = content.pop("output.weight")
    return content


def weight_norm(state: State) -> dict[str, Tensor]:
    """The same as torch.nn.utils.weight_norm had it before."""
    content = dict(state)
    content["output.weight_g"] = torch.ones(CLASSES, 1)
    content["output.weight_v"] = content.pop("output.weight")
    return content


def of_unit_norm(state: State) -> dict[str, Tensor]:
    """What both compute with."""
    weight = state["output.weight"]
    return {**state, "output.weight": weight / weight.norm(dim=1, keepdim=True)}


def without_bias(state: State) -> dict[str, Tensor]:
    """A classifier that has none."""
    return {key: tensor for key, tensor in state.items() if key != "output.bias"}


def with_zero_bias(state: State) -> dict[str, Tensor]:
    """What that is the same as."""
    return {**state, "output.bias": torch.zeros(CLASSES)}


def averaged_beside(state: State) -> dict[str, object]:
    """mmcv's hook for averages: they are buffers of the model, with dots made underscores."""
    network = as_mmpretrain(state)
    averages = {f"ema_{key.replace('.', '_')}": tensor for key, tensor in network.items()}
    return {"meta": {}, "state_dict": network | averages}


class HistoryBuffer:
    """A stand-in for mmengine's class of that name, so that the pickle asks for it."""

    def __init__(self) -> None:
        self._log_history = np.arange(3.0)


def mmengine(state: State) -> dict[str, object]:
    """A checkpoint of mmengine's runner, with its log beside."""
    return {
        "meta": {"epoch": 300, "mmengine_version": "0.10.5", "dataset_meta": {"classes": ["0"]}},
        "state_dict": as_mmpretrain(state),
        "message_hub": {"log_scalars": {"train/loss": HistoryBuffer()}, "runtime_info": {}},
        "optimizer": {"state": {}, "param_groups": []},
        "param_schedulers": [],
    }


class Command:
    """What runs a command when it is unpickled by who trusts the file."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def quantised(state: State) -> dict[str, Tensor]:
    """Converted to int8: tensors of another kind."""
    return {
        key: torch.quantize_per_tensor(tensor, 0.01, 0, torch.qint8)
        if key.endswith("conv1.weight")
        else tensor
        for key, tensor in state.items()
    }


def dead(state: State) -> dict[str, Tensor]:
    """Channels that training has left at zero, with their variances."""
    content = {key: tensor.clone() for key, tensor in state.items()}
    for key, tensor in content.items():
        if key.endswith("compress_conv1.weight") or (
            "compress_bn1." in key and not key.endswith("num_batches_tracked")
        ):
            tensor[:5] = 0
        if key.endswith("dw_conv2.weight"):
            tensor[3] = 0
    return content


def tiny_variance(state: State) -> dict[str, Tensor]:
    """A channel whose variance died, but whose weights did not."""
    content = {key: tensor.clone() for key, tensor in state.items()}
    for key, tensor in content.items():
        if key.endswith("dw_bn2.running_var"):
            tensor[0] = 1e-30
    return content


def huge(state: State) -> dict[str, Tensor]:
    """Values that no half precision holds, and that the next layer makes small again."""
    content = {key: tensor.clone() for key, tensor in state.items()}
    content["features.stage1.unit2.expand_bn3.weight"] *= 3e5
    content["features.stage1.unit3.compress_conv1.weight"] /= 3e5
    return content


def as_parameters(state: State) -> dict[str, Tensor]:
    """Parameters and not bare tensors."""
    return {
        key: torch.nn.Parameter(tensor) if tensor.is_floating_point() else tensor
        for key, tensor in state.items()
    }


@contextmanager
def _as_mmengine() -> Iterator[None]:
    """Have the stand-in be pickled under mmengine's name."""
    names = ("mmengine", "mmengine.logging", _HISTORY)
    before = HistoryBuffer.__module__
    for name in names:
        sys.modules[name] = types.ModuleType(name)
    sys.modules[_HISTORY].HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    HistoryBuffer.__module__ = _HISTORY
    try:
        yield
    finally:
        HistoryBuffer.__module__ = before
        for name in names:
            del sys.modules[name]


def write(wrapping: Wrapping, state: State, folder: Path) -> tuple[Path, set[str]]:
    """Save the wrapping's content in `folder`: the file, and all keys that were read back."""
    path = folder / wrapping.file_name
    with _as_mmengine():
        torch.save(wrapping.content(state), path)
        return path, all_keys(torch.load(path, weights_only=False))


WRAPPERS = (
    Wrapping(
        "model_state_dict.pth",
        lambda state: {"epoch": 5, "model_state_dict": state, "loss": 0.1},
        "model_state_dict",
    ),
    Wrapping(
        "net.pth",
        lambda state: {"net": state, "acc": 91.2, "epoch": 199},
        "net",
    ),
    Wrapping(
        "params.pth",
        lambda state: {"params": state},
        "params",
    ),
    Wrapping(
        "ema_only.pth",
        lambda state: {"ema_state_dict": state, "step": 3},
        "ema_state_dict",
    ),
    Wrapping(
        "deepspeed.pt",
        lambda state: {"module": state, "ds_version": "0.15"},
        "ds_version",
    ),
    Wrapping(
        "averaged_model.pth",
        lambda state: {"n_averaged": torch.tensor(9), **prefixed("module.")(state)},
        "n_averaged",
    ),
    Wrapping(
        "lightning_model.ckpt",
        lightning("model."),
        "pytorch-lightning_version",
    ),
    Wrapping(
        "lightning_net.ckpt",
        lightning("net."),
        "pytorch-lightning_version",
    ),
    Wrapping(
        "backbone_prefix.pth",
        lambda state: {"state_dict": prefixed("backbone.")(state)},
        "backbone.output.weight",
    ),
    Wrapping(
        "encoder_prefix.pth",
        lambda state: {"state_dict": prefixed("encoder.")(state), "queue": torch.zeros(2)},
        "encoder.output.weight",
    ),
    Wrapping(
        "distilled.pth",
        lambda state: {**prefixed("student.")(state), **prefixed("teacher.")(state)},
        "teacher.output.weight",
    ),
    Wrapping(
        "forward_module.pth",
        prefixed("_forward_module."),
        "_forward_module.output.weight",
    ),
    Wrapping(
        "compiled_part.pth",
        compiled_part,
        "features._orig_mod.init_block.conv.weight",
    ),
    Wrapping(
        "mmcls_published.pth",
        lambda state: {"meta": {"mmcls_version": "0.25.0"}, "state_dict": as_mmpretrain(state)},
        "mmcls_version",
        right=as_mmpretrain,
    ),
)
"""Weights behind wrappers and prefixes."""

AVERAGES = (
    Wrapping(
        "ema_key.pth",
        lambda state: {"ema": state, "model": shifted(state), "updates": 90},
        "ema",
    ),
    Wrapping(
        "state_dict_ema.pth",
        lambda state: {"epoch": 3, "state_dict": shifted(state), "state_dict_ema": state},
        "state_dict_ema",
    ),
    Wrapping(
        "model_ema.pth",
        lambda state: {"model": shifted(state), "model_ema": prefixed("module.")(state)},
        "model_ema",
    ),
    Wrapping(
        "mmcv_ema.pth",
        averaged_beside,
        "ema_backbone_conv1_conv_weight",
        right=as_mmpretrain,
    ),
)
"""Averaged weights beside those of the last step."""

OBJECTS = (
    Wrapping(
        "timm_args.pth.tar",
        lambda state: {"state_dict": state, "args": argparse.Namespace(lr=0.1)},
        "args",
    ),
    Wrapping(
        "paths.ckpt",
        lambda state: {"state_dict": state, "best_model_path": pathlib.PosixPath("/x")},
        "best_model_path",
    ),
    Wrapping(
        "mmengine_epoch_300.pth",
        mmengine,
        "message_hub",
        right=as_mmpretrain,
    ),
)
"""Harmless objects of unknown classes beside the weights."""

CHANGES = (
    Wrapping(
        "thop.pth",
        counted,
        "features.total_ops",
    ),
    Wrapping(
        "pruned.pth",
        pruned,
        "features.stage1.unit1.compress_conv1.weight_mask",
        right=pruned_for_good,
    ),
    Wrapping(
        "qat.pth",
        observed,
        "features.stage1.unit1.compress_conv1.weight_fake_quant.scale",
    ),
    Wrapping(
        "weight_norm.pth",
        parametrised,
        "output.parametrizations.weight.original0",
        right=of_unit_norm,
    ),
    Wrapping(
        "old_weight_norm.pth",
        weight_norm,
        "output.weight_g",
        right=of_unit_norm,
    ),
    Wrapping(
        "head_sequential.pth",
        renamed({"output.weight": "output.1.weight", "output.bias": "output.1.bias"}),
        "output.1.weight",
    ),
    Wrapping(
        "head_fc.pth",
        renamed({"output.weight": "fc.weight", "output.bias": "fc.bias"}),
        "fc.weight",
    ),
)
"""Surplus and changed keys."""

TYPES = (
    Wrapping("half.pth", floats_as(torch.float16), "", right=floats_as(torch.float16)),
    Wrapping("bf16.pth", floats_as(torch.bfloat16), "", right=floats_as(torch.bfloat16)),
    Wrapping("fp8.pth", floats_as(torch.float8_e4m3fn), "", right=floats_as(torch.float8_e4m3fn)),
    Wrapping("views.pth", as_parameters, ""),
    Wrapping("dead.pth", dead, "", right=dead),
    Wrapping("tinyvar.pth", tiny_variance, "", right=tiny_variance),
    Wrapping("huge.pth", huge, "", right=huge),
)
"""Plain state dicts with unusual numbers."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A .zip of `files`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of `files`."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


ARCHIVES: Mapping[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "plain.pth.zip": (lambda data: zipped({"plain.pth": data}), b"PK\3\4"),
    "plain.tar.gz": (lambda data: tarred({"plain.pth": data}), b"\x1f\x8b"),
    "plain.pth.gz": (gzip.compress, b"\x1f\x8b"),
}
"""File name -> what packs the file, and how the archive begins."""

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 7654321\n"
)
WEB_PAGE = b"<!DOCTYPE html><html><head><title>file</title></head><body></body></html>"
