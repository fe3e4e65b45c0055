"""An engine that interprets a network's steps in numpy, in the order in which they are written."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shufflenet_deploy.runtime.artifact import files
from shufflenet_deploy.runtime.engines import project_version
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import InferenceError

Array = NDArray[Any]
Step = dict[str, Any]


class PlainnetSession:
    """A `Session` of it. A worker sets the threads of numpy's own library before it starts."""

    engine = "plainnet"
    engine_version: str = project_version()

    def __init__(self, path: Path, threads: int) -> None:
        steps, weights = files(path)
        try:
            header = json.loads(steps.read_bytes())
            with np.load(weights, allow_pickle=False) as arrays:
                self._weights = {name: arrays[name].astype(np.float32) for name in arrays.files}
            given = header["input"]
            self.inputs = (Input(given["name"], (None, *given["shape"]), given["type"]),)
            self._steps: list[Step] = header["steps"]
            self._output: str = header["output"]
            self._functions = [_OPERATORS[step["operator"]] for step in self._steps]
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InferenceError(f"plainnet does not load {path}: {error}") from None
        self.remarks = {"steps": len(self._steps)}

    def run(self, *inputs: Array) -> Array:
        """See `Session.run`."""
        (images,) = inputs
        values = {self.inputs[0].name: images.astype(np.float32)}
        for step, function in zip(self._steps, self._functions, strict=True):
            taken = [values[name] for name in step["inputs"]]
            output = function(step, self._weights, *taken)
            clip = step.get("clip")
            values[step["name"]] = np.clip(output, *clip) if clip else output
        return values[self._output]


def _windows(step: Step, kernel: tuple[int, int], x: Array, border: float = 0.0) -> Array:
    """(N, C, H, W) -> (N, C, H', W', kernel height, kernel width)."""
    (vertical, horizontal), (down, right) = step["padding"], step["stride"]
    sides = ((0, 0), (0, 0), (vertical, vertical), (horizontal, horizontal))
    padded = np.pad(x, sides, constant_values=border)
    return sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::down, ::right]


def _convolution(step: Step, weights: dict[str, Array], x: Array) -> Array:
    weight, bias, groups = weights[step["weight"]], weights[step["bias"]], step["groups"]
    outputs = len(weight)
    windows = _windows(step, weight.shape[2:], x)
    count, channels, height, width, *kernel = windows.shape
    windows = windows.reshape(count, groups, channels // groups, height, width, *kernel)
    columns = windows.transpose(0, 1, 3, 4, 2, 5, 6).reshape(count, groups, height * width, -1)
    matrices = weight.reshape(groups, outputs // groups, -1).transpose(0, 2, 1)
    products = (columns @ matrices).transpose(0, 1, 3, 2)
    return products.reshape(count, outputs, height, width) + bias[:, None, None]


def _fully_connected(step: Step, weights: dict[str, Array], x: Array) -> Array:
    result: Array = x @ weights[step["weight"]].T + weights[step["bias"]]
    return result


def _max_pool(step: Step, weights: dict[str, Array], x: Array) -> Array:
    result: Array = _windows(step, step["kernel"], x, -np.inf).max(axis=(4, 5))
    return result


def _average_pool(step: Step, weights: dict[str, Array], x: Array) -> Array:
    result: Array = _windows(step, step["kernel"], x).mean(axis=(4, 5))
    return result


def _adaptive_average_pool(step: Step, weights: dict[str, Array], x: Array) -> Array:
    rows, columns = (_parts(x.shape[2 + axis], step["size"][axis]) for axis in (0, 1))
    means = [[x[:, :, row, column].mean(axis=(2, 3)) for column in columns] for row in rows]
    return np.array(means).transpose(2, 3, 0, 1)


def _parts(length: int, count: int) -> list[slice]:
    """Windows that divide an axis, as PyTorch has them: they overlap where it does not divide."""
    return [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def _local_response_norm(step: Step, weights: dict[str, Array], x: Array) -> Array:
    size = step["size"]
    around = ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0))
    sums = sliding_window_view(np.pad(x**2, around), size, axis=1).sum(axis=-1)
    result: Array = x / (step["k"] + step["alpha"] / size * sums) ** step["beta"]
    return result


def _shuffle(step: Step, weights: dict[str, Array], x: Array) -> Array:
    count, channels, *size = x.shape
    split = x.reshape(count, step["groups"], channels // step["groups"], *size)
    return split.swapaxes(1, 2).reshape(x.shape)


_OPERATORS: dict[str, Callable[..., Array]] = {
    "Convolution": _convolution,
    "FullyConnected": _fully_connected,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "AdaptiveAveragePool": _adaptive_average_pool,
    "LocalResponseNorm": _local_response_norm,
    "Shuffle": _shuffle,
    "GlobalMean": lambda step, _, x: x.mean(axis=(2, 3), keepdims=step["keeps_map"]),
    "Flatten": lambda step, _, x: x.reshape(len(x), -1),
    "Add": lambda step, _, x, y: x + y,
    "ChannelScale": lambda step, _, x, y: x * y,
    "Concatenate": lambda step, _, *values: np.concatenate(values, axis=1),
    "Relu": lambda step, _, x: np.clip(x, 0.0, step["limit"]),
    "Sigmoid": lambda step, _, x: 1 / (1 + np.exp(-x)),
    "Gather": lambda step, _, x: x[:, step["order"]],
}
