"""The manifest that lies beside an artifact: all that a device or a report has to know of it.

``shufflenet-v1-g3-x1.0-224x224-fp32.onnx`` has its manifest in
``shufflenet-v1-g3-x1.0-224x224-fp32.onnx.json``. Neither torch, onnx nor the network itself is
needed to read it.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files import combined_sha256, sha256, staged
from shufflenet_deploy.runtime.files.reading import read_bytes
from shufflenet_deploy.runtime.options import Options

MANIFEST_VERSION = 3


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is written to JSON: unknown fields are an error, not silently dropped.

    msgspec does not inherit `kw_only`, and type checkers want `frozen` said again.
    """


class Tensor(_Record, frozen=True, kw_only=True):
    """The artifact's input or output as its engine sees it; -1 in `shape` is the free batch."""

    name: str
    shape: tuple[int, ...]
    layout: str
    """What the dimensions stand for: ``NCHW``, ``NHWC`` or ``NC``."""
    dtype: str


class Preprocessing(_Record, frozen=True, kw_only=True):
    """From a photograph to the network's input: resize, crop the centre, normalise.

    The image is resized, bilinear and keeping its proportions, until the crop covers
    `crop_fraction` of it; each pixel p of 0 to 255 then becomes (p - mean) / std.
    """

    channel_order: str = "RGB"
    """The order of an image's channels, ``RGB`` or ``BGR``; `mean` and `std` are in it too."""
    crop: tuple[int, int]
    """Height and width of the crop in pixels: the network's input."""
    crop_fraction: float = 0.875
    """The crop's share of the image: 224 of a shorter side of 256, as is usual for ImageNet."""
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        """Raise ValueError for what no image could be prepared with."""
        if self.channel_order not in ("RGB", "BGR"):
            raise ValueError(f"channel order {self.channel_order!r} is neither RGB nor BGR")
        if not all(map(isfinite, self.mean)):
            raise ValueError(f"mean {self.mean} is not finite")
        if not all(isfinite(std) and std > 0 for std in self.std):
            raise ValueError(f"std {self.std} is not positive")
        if not 0 < self.crop_fraction <= 1:
            raise ValueError(f"crop fraction {self.crop_fraction} is not between 0 and 1")


class Weights(_Record, frozen=True, kw_only=True):
    """Where the weights come from."""

    origin: str
    """The convention and the name of the weights' file, or ``random``: right for measuring time,
    useless for recognising anything."""
    seed: int | None
    sha256: str
    """The SHA-256 of the weights' file; of random weights that of the state dict's names and
    tensors, in its order."""


class Verification(_Record, frozen=True, kw_only=True):
    """How far the artifact is from the network, on the engine that will run it.

    Of an int8 artifact this is the float model that was quantised; see `Quantisation` for what
    came after.
    """

    engine: str
    engine_version: str
    inputs: int
    seed: int
    difference: float
    """The largest difference of a logit, over the largest deviation of the network's logits from
    their mean over the inputs."""
    tolerance: float


Seed = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""What `seeded_images` takes."""


class SelfCheck(_Record, frozen=True, kw_only=True):
    """One seeded input's logits, by which a device checks itself before it is timed.

    The input is `seeded_pixels(1, input_size, seed)`, preprocessed as the manifest says. The
    logits are the network's; of an int8 artifact its own on the exporting host, and the tolerance
    is then its distance from the network, since kernels of other processors round otherwise. Of an
    int8 artifact that the exporting host could not run they are the network's too.
    """

    seed: Seed
    logits: tuple[float, ...]
    deviation: float
    """What a logit's difference is divided by, see `Verification.difference`."""
    tolerance: float


class Calibration(_Record, frozen=True, kw_only=True):
    """The inputs from which the ranges of int8 were taken."""

    source: str
    """The name of the folder of images, ``digits``, or ``noise``: seeded, for random weights."""
    samples: int
    held_out: int = 0
    """How many further images chose among the ways to quantise, and judged the result."""
    seed: int
    unusable: int
    """How many files of the folder were no images, or broken."""


class Quantisation(_Record, frozen=True, kw_only=True):
    """How weights and activations became small."""

    scheme: str
    sqnr_db: float | None
    """Signal power over error power in dB, of the logits on the held-out images; None where the
    exporting host could not run the artifact."""
    agreement: float | None = None
    """The share of the held-out images to which it gives the class that float gives; None likewise,
    and in manifests of before version 3."""
    ranges: str | None = None
    """How much of the activations their ranges cover: ``extremes`` or ``percentile P``; or
    ``trained``, where the network was trained with them."""
    equalisation: float | None = None
    """How far channels were widened towards the whole range of their value, 0 to 1, where weights
    share steps over channels."""
    rounding: str | None = None
    """``nearest``, or ``least error``: of each layer's output on the calibration's images."""


class Rewrite(_Record, frozen=True, kw_only=True):
    """An exact rewrite of the graph, and in how many places it applied."""

    name: str
    places: int


class Simplification(_Record, frozen=True, kw_only=True):
    """Nodes of the ONNX graph before and after onnxsim."""

    nodes_before: int
    nodes_after: int


class Footprint(_Record, frozen=True, kw_only=True):
    """What one session cost on the exporting host, in a process of its own."""

    load_time_ms: float
    peak_memory_bytes: int | None


class File(_Record, frozen=True, kw_only=True):
    """One of an artifact's files, as it was written."""

    name: str
    size_bytes: int
    sha256: str

    @staticmethod
    def of(path: Path) -> File:
        """The file that lies in `path`."""
        return File(name=path.name, size_bytes=path.stat().st_size, sha256=sha256(path))


class Manifest(_Record, frozen=True, kw_only=True):
    """All that is known of an artifact. See the fields' own types."""

    version: int = MANIFEST_VERSION
    files: tuple[File, ...]
    """The artifact's files in the order of its format's suffixes: the first names the artifact."""
    options: Options
    weights: Weights
    multiply_adds: int
    parameters: int
    rounded_widths: dict[str, tuple[float, int]]
    """Widths that the paper's rule makes fractional or indivisible: name -> (by rule, as built)."""
    input: Tensor
    output: Tensor
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None
    rewrites: tuple[Rewrite, ...]
    simplification: Simplification | None
    quantisation: Quantisation | None
    calibration: Calibration | None
    verification: Verification | None
    """How far the artifact is from the network; None where the exporting host could not run it.
    Then `footprint` is None too, and `shufflenet-bench verify` checks it where it runs."""
    self_check: SelfCheck
    remarks: dict[str, int | float | str]
    """What the engine alone said of the artifact on the exporting host, such as
    ``delegate_partitions``."""
    footprint: Footprint | None
    tool_versions: dict[str, str]

    def __post_init__(self) -> None:
        """Refuse an artifact of no files."""
        if not self.files:
            raise ValueError("an artifact has at least one file")

    @property
    def file_name(self) -> str:
        """The name under which the artifact was exported."""
        return self.files[0].name

    @property
    def size_bytes(self) -> int:
        """The size of all its files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def sha256(self) -> str:
        """The hash by which its model is told from others, see `model_sha256`."""
        return combined_sha256([file.sha256 for file in self.files])


def manifest_path(artifact: Path) -> Path:
    """Where the manifest of `artifact` lies."""
    return artifact.with_name(artifact.name + ".json")


OWN_KEYS = frozenset(("multiply_adds", "rewrites", "self_check", "tool_versions"))
"""Keys that a manifest has and hardly any other JSON file."""


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises `InferenceError` for one missing, broken or of another version."""
    try:
        data = read_bytes(path)
    except OSError as error:
        raise InferenceError(
            f"cannot read the manifest {path}: {error.strerror}; copy it along with the artifact"
        ) from None
    try:
        record = msgspec.json.decode(data, type=dict[str, Any])
        version = record.get("version")
        if version == 1:
            record = _from_version_1(record)
        elif version == 2:
            record["version"] = MANIFEST_VERSION  # what came since may be missing
        elif version != MANIFEST_VERSION:
            raise InferenceError(
                f"{path} is a manifest of version {version!r} and this is a reader of version "
                f"{MANIFEST_VERSION}: export the network again with this shufflenet-deploy"
            )
        return msgspec.convert(record, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InferenceError(
            f"{path} is not a manifest: {error}; export the network again"
        ) from None


def _from_version_1(record: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew one file only, in fields of its own, and one remark."""
    names = {"file_name": "name", "sha256": "sha256", "size_bytes": "size_bytes"}
    file = {new: record[old] for old, new in names.items() if old in record}
    rest = {name: value for name, value in record.items() if name not in names}
    partitions = rest.pop("delegate_partitions", None)
    remarks = {} if partitions is None else {"delegate_partitions": partitions}
    return {**rest, "version": MANIFEST_VERSION, "files": [file], "remarks": remarks}


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest` to `path`, whole or not at all."""
    with staged(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
