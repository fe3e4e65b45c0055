"""Where the values of a `ShuffleNetV1` are that 8 bits round: what export's graphs have as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from shufflenet_deploy.models.networks.shufflenet import ShuffleUnit, SqueezeExcitation, Stem
from shufflenet_deploy.models.quantisation import Range, rounded

See = Callable[[str, Tensor], Tensor]
"""A function that gets each activation with its name, and returns what stands for it."""

IMAGES = "images"
"""The name of the network's input."""


def activations(network: nn.Module) -> tuple[str, ...]:
    """Their names: the module that makes each, or reads it where it ends in ``.input``.

    What goes into a concatenation alone is rounded with the others that do, after it; pooling and
    shuffles pass on what they read.
    """
    names = [IMAGES]
    for path, module in network.named_modules():
        match module:
            case Stem():
                names.append(f"{path}.activation")
            case ShuffleUnit():
                names += [f"{path}.compress_relu1", f"{path}.dw_bn2"]
                if module.stride == 1 or module.se is not None:
                    names.append(f"{path}.expand_bn3")
                if module.se is not None:
                    parts = ("conv1.input", "relu1", "conv2", "sigmoid")
                    names += [f"{path}.se.{part}" for part in parts]
                    names += [f"{path}.se"] if module.stride == 1 else []
                names.append(path)
    return (*names, "output.input", "output")


def layer_inputs(network: nn.Module) -> dict[str, str]:
    """The path of each layer that has weights, and the name of the activation that it reads."""
    inputs, before = {}, IMAGES
    for path, module in network.named_modules():
        match module:
            case Stem():
                inputs[f"{path}.conv"] = before
                before = f"{path}.activation"
            case ShuffleUnit():
                inputs[f"{path}.compress_conv1"] = before
                inputs[f"{path}.dw_conv2"] = f"{path}.compress_relu1"
                inputs[f"{path}.expand_conv3"] = f"{path}.dw_bn2"
                before = path
            case SqueezeExcitation():
                inputs[f"{path}.conv1"] = f"{path}.conv1.input"
                inputs[f"{path}.conv2"] = f"{path}.relu1"
    return {**inputs, "output": "output.input"}


@contextmanager
def seen_activations(network: nn.Module, see: See) -> Iterator[None]:
    """Show every activation to `see` as the network computes it, for as long as this lasts."""
    modules = dict(network.named_modules())
    with ExitStack() as stack:
        for name in activations(network):
            path = "" if name == IMAGES else name.removesuffix(".input")
            hook = _before(name, see) if path != name else _after(name, see)
            register = "register_forward_pre_hook" if path != name else "register_forward_hook"
            handle = getattr(modules[path], register)(hook)
            stack.callback(handle.remove)
        yield


@contextmanager
def rounded_activations(network: nn.Module, ranges: Mapping[str, Range]) -> Iterator[None]:
    """Let the network compute with activations rounded to the steps of their `ranges`."""

    def see(name: str, value: Tensor) -> Tensor:
        return rounded(value, ranges[name])

    with seen_activations(network, see):
        yield


def _before(name: str, see: See) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (see(name, inputs[0]),)

    return hook


def _after(name: str, see: See) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return see(name, output)

    return hook
