"""Artifacts of linear networks, small and not random: for tests of what recognises something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.manifest import (
    File,
    Manifest,
    Preprocessing,
    SelfCheck,
    Tensor,
    Verification,
    Weights,
    manifest_path,
    write_manifest,
)
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.preprocess import as_input
from shufflenet_deploy.runtime.seeded import seeded_pixels

TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}


def write_linear(
    path: Path,
    weights: NDArray[Any],
    bias: NDArray[Any],
    preprocessing: Preprocessing,
    labels: tuple[str, ...] | None = None,
    dtype: str = "float32",
    origin: str = "file",
) -> Artifact:
    """Write logits = `weights` (classes, H * W * 3) x the input (N, 3, H, W) + `bias` as ONNX.

    `weights` are for an image in the order H, W, C, normalised as `preprocessing` says, whatever
    `dtype` is: for other types normalisation and channel order become part of the network.
    """
    classes = len(bias)
    height, width = preprocessing.crop
    cube = weights.reshape(classes, height, width, 3).astype(np.float64)
    bias = bias.astype(np.float64)
    if dtype != "float32":
        cube = cube / np.array(preprocessing.std)
        bias = bias - (cube * np.array(preprocessing.mean)).sum((1, 2, 3))
        if preprocessing.channel_order == "BGR":
            cube = cube[..., ::-1]
    if dtype == "int8":
        bias = bias + 128 * cube.sum((1, 2, 3))
    matrix = cube.transpose(0, 3, 1, 2).reshape(classes, -1)
    _write_model(path, matrix, bias, (height, width), dtype)
    seeded = as_input(seeded_pixels(1, (height, width), 0), preprocessing, dtype, "NCHW")
    logits = np.nan_to_num(matrix @ seeded.reshape(-1).astype(np.float64) + bias)
    manifest = Manifest(
        files=(File.of(path),),
        options=Options(
            network="linear", groups=None, scale=None, input_size=(height, width), format="onnx"
        ),
        weights=Weights(origin=origin, seed=None, sha256="0" * 64),
        multiply_adds=weights.size,
        parameters=weights.size + classes,
        rounded_widths={},
        input=Tensor(name="images", shape=(-1, 3, height, width), layout="NCHW", dtype=dtype),
        output=Tensor(name="logits", shape=(-1, classes), layout="NC", dtype="float32"),
        preprocessing=preprocessing,
        labels=labels,
        rewrites=(),
        simplification=None,
        quantisation=None,
        calibration=None,
        verification=Verification(
            engine="e", engine_version="1", inputs=8, seed=0, difference=0.0, tolerance=1e-4
        ),
        self_check=SelfCheck(
            seed=0,
            logits=tuple(map(float, logits)),
            deviation=float(np.std(logits)) or 1.0,
            tolerance=1e-3,
        ),
        remarks={},
        footprint=None,
        tool_versions={},
    )
    write_manifest(manifest_path(path), manifest)
    return Artifact.open(path)


def _write_model(
    path: Path,
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
    size: tuple[int, int],
    dtype: str,
) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["cast"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"], transB=1),
        ],
        "linear",
        [helper.make_tensor_value_info("images", TYPES[dtype], ["N", 3, *size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(bias)])],
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(bias.astype(np.float32), "bias"),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
