"""What a file of weights holds, with nothing in it ever run.

PyTorch's own loader of weights takes most files. Where it refuses one for the objects beside the
weights, such as options of a training, these become `Placeholder`s: pickle only calls what
`find_class` gives it, and that gives the few functions that make tensors, and else placeholders.
https://docs.python.org/3/library/pickle.html#restricting-globals
"""

from __future__ import annotations

import collections
import json
import pickle
import re
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from shufflenet_deploy.runtime.errors import ModelsError

SAVE_STATE_DICT = "where you trust it, save what counts with torch.save(network.state_dict(), FILE)"


_PARTS = ("_parameters", "_buffers", "_modules")

MOST_MODULES = 10_000
"""How many modules of a network that was saved whole are looked into."""


class Placeholder:
    """What stands for an object of an unknown class: it does nothing.

    It keeps nothing either, but for the tensors of what was a network, saved whole.
    """

    name = ""
    """The module and the name of the class, or of a function that was to be called."""
    dump_patches = False
    """As of `torch.nn.Module`: that its source differs from the file's is nobody's concern."""
    parts: Mapping[str, Mapping[object, object]] = MappingProxyType({})
    """The parameters, buffers and modules of a network, see `torch.nn.Module`; else empty."""

    def __new__(cls, *arguments: object, **options: object) -> Placeholder:
        """Whatever it is called with."""
        return super().__new__(cls)

    def __init__(self, *arguments: object, **options: object) -> None:
        """Keep none of it."""

    def __setstate__(self, state: object) -> None:
        """Keep the parts of a network, and nothing else."""
        if isinstance(state, dict) and all(isinstance(state.get(name), dict) for name in _PARTS):
            self.parts = {name: state[name] for name in _PARTS}

    def __setitem__(self, key: object, value: object) -> None:
        """Nor what it would hold by keys."""

    def append(self, value: object) -> None:
        """Nor in a list."""

    def extend(self, values: object) -> None:
        """Likewise."""

    def add(self, value: object) -> None:
        """Nor in a set."""


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch.nn.parameter", "Parameter"): torch.nn.Parameter,
    ("torch.serialization", "_get_layout"): torch.serialization._get_layout,
}
"""What makes tensors and their containers, and can do nothing else."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if known := _KNOWN.get((module, name)):
            return known
        if module == "torch" and isinstance(value := getattr(torch, name, None), torch.dtype):
            return value
        return type("Placeholder", (Placeholder,), {"name": f"{module}.{name}"})


def _pickle_module() -> Any:
    """The part of the pickle module that `torch.load` uses."""
    module = types.SimpleNamespace(Unpickler=_Unpickler, __name__="pickle")

    def load(file: Any, **options: Any) -> Any:
        return _Unpickler(file, **options).load()

    module.load = load
    return module


def read_strictly(path: Path) -> object:
    """What `torch.load` gives, which refuses any object that it does not know. `ModelsError`."""
    try:
        return _load(path, weights_only=True)
    except Exception as error:  # noqa: BLE001 - unpickling what is no pickle raises anything
        refused = re.search(r"GLOBAL (\S+)", str(error))
        what = f"an object of {refused[1]}" if refused else _first_line(error)
        raise ModelsError(f"it could not be read back: {what}; {SAVE_STATE_DICT}") from None


def read_torch(path: Path) -> object:
    """The same with placeholders for such objects. `ModelsError` where it is no checkpoint."""
    try:
        return _load(path, weights_only=True)
    except Exception as error:  # noqa: BLE001 - as above
        if "TorchScript" in str(error):
            raise ModelsError(f"it is a TorchScript archive; {SAVE_STATE_DICT}") from None
    try:
        return _load(path, weights_only=False, pickle_module=_pickle_module())
    except Exception:  # noqa: BLE001 - as above, recursion without end among it
        raise ModelsError(
            "it is not a checkpoint of PyTorch, or it was cut off; copy or download it again"
        ) from None


def _load(path: Path, **options: Any) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of archives that are refused anyway
        return torch.load(path, map_location="cpu", **options)


def read_safetensors(path: Path) -> tuple[dict[str, object], object]:
    """The tensors of a .safetensors file, and its metadata's own part, decoded. `ModelsError`."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        return weights, json.loads(metadata.get("shufflenet-deploy", "null"))
    except Exception as error:  # noqa: BLE001 - its exceptions share no base with json's
        raise ModelsError(
            f"it is not a .safetensors file, or it was cut off ({_first_line(error)}); copy or "
            "download it again"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def state_dict_of(network: Placeholder) -> dict[str, object]:
    """The tensors of what was a network, by the keys of its state dict; empty where it was none."""
    state: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", network)]
    seen: set[int] = set()
    for prefix, module in waiting:  # grows as it is gone through
        if not isinstance(module, Placeholder) or id(module) in seen or len(seen) > MOST_MODULES:
            continue
        seen.add(id(module))
        parameters, buffers, modules = (module.parts.get(name, {}) for name in _PARTS)
        tensors = {**parameters, **buffers}.items()
        state |= {f"{prefix}{key}": value for key, value in tensors if isinstance(value, Tensor)}
        waiting += [(f"{prefix}{key}.", value) for key, value in modules.items()]
    return state


def placeholders(content: object) -> list[str]:
    """The names of what placeholders stand for in `content`, a few at most."""
    names: dict[str, None] = {}
    waiting = [content]
    seen: set[int] = set()
    for value in waiting:  # grows as it is gone through
        if id(value) in seen or len(seen) > 1000:
            continue
        seen.add(id(value))
        if isinstance(value, Placeholder):
            names[value.name] = None
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return list(names)[:3]
