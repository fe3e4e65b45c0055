"""What is to be trained, and how: the paper's recipe as numbers. Needs no torch.

The paper (arXiv 1707.01083, section 4) trains on ImageNet for 300 000 iterations of 1024 images
on four GPUs, with a learning rate that falls linearly from 0.5 to 0, a weight decay of 4e-5 and
"slightly less aggressive scale augmentation". It does not say more: the rest is marked here as a
choice. Nor does it say how to go on from trained weights: those numbers were measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from shufflenet_deploy.models.networks import NETWORKS, SHUFFLENET, Size, variant
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.files.reading import irregular
from shufflenet_deploy.runtime.images.datasets import DIGITS
from shufflenet_deploy.runtime.manifest import Preprocessing

DEVICES = ("auto", "cpu", "cuda")

PAPER_BATCH_SIZE = 1024
PAPER_LEARNING_RATE = 0.5
PAPER_EPOCHS = 240
"""The paper's length of training: 300 000 iterations of 1024 images are 239.8 epochs of ImageNet's
1 281 167."""

IMAGENET = "imagenet"
"""What ``--weights`` calls the published checkpoint that is downloaded."""
TUNING_LEARNING_RATE = 0.5
"""For a batch of 1024, where training goes on from trained weights: 0.016 for one of 32."""
TUNING: Mapping[str, Any] = {"epochs": 20, "batch_size": 32}
"""What is taken then: some hundred photographs a class are learnt from trained weights in so many
small steps, of which a large batch would leave few."""

QAT_LEARNING_RATE = 0.02
"""For a batch of 1024, where training goes on with 8 bits."""
QAT: Mapping[str, Any] = {"epochs": 10, "batch_size": 32}
"""What is taken then: the weights are nearly right, and only have to find their steps."""


class TrainingError(ModelsError):
    """Training that cannot begin or go on."""


@dataclass(frozen=True)
class Start:
    """The checkpoint that a training started from, and how its network takes images.

    All that a resumed run has to know of it: the file itself is not read again.
    """

    file: str
    """The file's name, without its folder."""
    sha256: str
    """The SHA-256 of the file."""
    channel_order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_fraction: float


@dataclass(frozen=True)
class Recipe:
    """All that decides the trained weights. A resumed run has the recipe that it began with."""

    data: str
    """The training's images: a folder, or ``digits``."""
    groups: int
    scale: float
    input_size: Size
    epochs: int
    batch_size: int
    """How many images a step has, over all processes together."""
    learning_rate: float
    """The learning rate of the first step."""
    weight_decay: float
    label_smoothing: float
    smallest_crop: float
    """The least share of an image's area that a training image shows."""
    flip: bool
    """Whether half of the training images are mirrored."""
    seed: int
    network: str = SHUFFLENET
    """The name of the network in `NETWORKS`; runs of former versions do not say it."""
    start: Start | None = None
    """What the weights were at first; None for random ones."""
    freeze: bool = False
    """Whether all but the classifier stays as it was at the start, BN's statistics too."""
    qat: bool = False
    """Whether weights and activations are rounded to 8 bits as export does it, BN folded."""

    @staticmethod
    def of(saved: dict[str, Any]) -> Recipe:
        """The recipe of which `saved` is ``asdict``, read from a file that keeps no tuples.

        Raises LookupError or TypeError for anything else.
        """
        start = saved.get("start")
        if start is not None:
            start = Start(**{**start, "mean": tuple(start["mean"]), "std": tuple(start["std"])})
        return Recipe(**{**saved, "input_size": tuple(saved["input_size"]), "start": start})


def recipe(**given: Any) -> Recipe:
    """The recipe of the options that are not None, with the defaults of its data for the rest.

    Options are the fields of `Recipe`. Raises `TrainingError` or `ModelsError` (usage) that names a
    wrong one.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if "data" not in chosen:
        raise TrainingError(
            f"no data: --data FOLDER with a folder for each class, or --data {DIGITS}", usage=True
        )
    values = {**_defaults(chosen["data"]), **chosen}
    rate = PAPER_LEARNING_RATE
    if "start" in chosen:
        usual, rate = (
            (QAT, QAT_LEARNING_RATE) if "qat" in chosen else (TUNING, TUNING_LEARNING_RATE)
        )
        values = {**_defaults(chosen["data"]), **usual, **chosen}
    # Linear scaling (Goyal et al., 2017, arXiv 1706.02677): a choice, as the paper has one batch
    # size only. Its 0.5 at 1024 needs no warm-up, as every layer is followed by BN.
    values.setdefault("learning_rate", rate * values["batch_size"] / PAPER_BATCH_SIZE)
    return _checked(Recipe(**values))


def resumed(saved: Recipe, given: dict[str, Any]) -> Recipe:
    """`saved`, after checking that no option that is not None asks for something else.

    Only the data may have moved. Raises `TrainingError` (usage) for the first contradiction.
    """
    for name in (field.name for field in fields(saved)):
        value, asked = getattr(saved, name), given.get(name)
        if asked not in (None, value) and name != "data":
            raise TrainingError(
                f"--{name.replace('_', '-')} {_shown(asked)}: the run to be resumed has "
                f"{_shown(value)}; leave the option out",
                usage=True,
            )
    data = given.get("data")
    return saved if data is None else replace(saved, data=data)


@dataclass(frozen=True)
class Request:
    """A command line's values."""

    options: dict[str, Any]
    """Fields of the recipe by their names; None where there was no such option."""
    weights: str | None = None
    """What to start from: a file, or `IMAGENET`; None for random weights."""
    weights_key: str | None = None
    """The place in that file where the weights are, of several."""
    out: Path | None = None
    resume: Path | None = None
    log: Path | None = None
    device: str = "auto"
    mixed_precision: bool | None = None
    workers: int | None = None

    def check(self) -> None:
        """Raise `ModelsError` (usage) for what can be known to be wrong without torch."""
        if self.weights_key is not None and self.weights in (None, IMAGENET):
            raise TrainingError(
                f"--weights-key {self.weights_key} is a place in a file: name that by --weights",
                usage=True,
            )
        if self.resume is None:
            self._check_weights()
        else:
            for name, value in (("out", self.out), ("weights", self.weights)):
                if value is not None:
                    raise TrainingError(
                        f"--{name} {value}: a resumed run goes on with its own files; leave the "
                        "option out",
                        usage=True,
                    )
        if self.device not in DEVICES:
            raise TrainingError(
                f"unknown device {self.device!r}: choose from {', '.join(DEVICES)}", usage=True
            )

    def _check_weights(self) -> None:
        """Check the options of a new run, of which the checkpoint may decide some."""
        if self.weights is None:
            recipe(**self.options)
            return
        recipe(**{**self.options, "freeze": None, "qat": None})
        network = self.options.get("network")
        if self.weights == IMAGENET and network not in (None, SHUFFLENET):
            raise TrainingError(
                f"--weights {IMAGENET} is for {SHUFFLENET}: of {network} there are none",
                usage=True,
            )
        if self.weights != IMAGENET and (kind := irregular(Path(self.weights))):
            raise TrainingError(f"--weights {self.weights} is {kind}: name a file", usage=True)
        if self.weights != IMAGENET and not Path(self.weights).is_file():
            raise TrainingError(
                f"no weights {self.weights!r}: name a file of trained weights or {IMAGENET!r}, or "
                "leave --weights out to start from random ones",
                usage=True,
            )


def learning_rate(start: float, step: int, steps: int) -> float:
    """Of step `step` (from 0) of `steps`: `start` at first, falling linearly, 0 at the end."""
    return start * (1 - step / steps)


def preprocessing(recipe: Recipe) -> Preprocessing:
    """What the network will be given: ImageNet's usual, or the whole of a digit from -1 to 1.

    A network that was trained before goes on with what it was given then.
    """
    if recipe.start is not None:
        return Preprocessing(
            channel_order=recipe.start.channel_order,
            crop=recipe.input_size,
            crop_fraction=recipe.start.crop_fraction,
            mean=recipe.start.mean,
            std=recipe.start.std,
        )
    if recipe.data == DIGITS:
        half = (127.5, 127.5, 127.5)
        return Preprocessing(crop=recipe.input_size, crop_fraction=1.0, mean=half, std=half)
    return Preprocessing(crop=recipe.input_size)


def trained_networks() -> list[str]:
    """Those of `NETWORKS` that can be trained."""
    return [name for name, entry in NETWORKS.items() if entry.is_trained]


def _defaults(data: str) -> dict[str, Any]:
    common = {
        "groups": 3,
        "scale": 1.0,
        "weight_decay": 4e-5,  # the paper's
        "label_smoothing": 0.1,  # a choice: the usual one (Szegedy et al., 2015)
        "seed": 0,
    }
    if data == DIGITS:
        # All choices. A mirrored digit is none, and a fifth cut off leaves it legible.
        return common | {
            "input_size": (64, 64),
            "epochs": 40,
            "batch_size": 64,
            "smallest_crop": 0.8,
            "flip": False,
        }
    return common | {
        "input_size": (224, 224),
        "epochs": PAPER_EPOCHS,
        "batch_size": PAPER_BATCH_SIZE,
        # The usual augmentation goes down to 0.08 of the area; the paper's is "slightly less
        # aggressive", as a small network underfits. The number is a choice.
        "smallest_crop": 0.35,
        "flip": True,
    }


def _checked(recipe: Recipe) -> Recipe:
    if recipe.network not in trained_networks():
        raise TrainingError(
            f"{recipe.network} cannot be trained: choose from {', '.join(trained_networks())}",
            usage=True,
        )
    variant(recipe.network, recipe.groups, recipe.scale, recipe.input_size)
    for name, sound, bounds in (
        ("epochs", recipe.epochs >= 1, "at least 1"),
        ("batch_size", recipe.batch_size >= 2, "at least 2: batch normalisation needs several"),
        ("learning_rate", 0 < recipe.learning_rate < float("inf"), "above 0"),
        ("weight_decay", 0 <= recipe.weight_decay < float("inf"), "0 or above"),
        ("label_smoothing", 0 <= recipe.label_smoothing < 1, "from 0 to below 1"),
        ("smallest_crop", 0 < recipe.smallest_crop <= 1, "above 0 and at most 1"),
        ("seed", 0 <= recipe.seed < 2**32, "from 0 to 4294967295"),
    ):
        if not sound:
            raise TrainingError(
                f"--{name.replace('_', '-')} {getattr(recipe, name)}: it is to be {bounds}",
                usage=True,
            )
    if recipe.freeze and recipe.start is None:
        raise TrainingError(
            "--freeze keeps trained weights as they are: name some by --weights, or leave it out",
            usage=True,
        )
    if recipe.qat and recipe.start is None:
        raise TrainingError(
            "--qat goes on with a trained network: train it first without, and name it by "
            "--weights",
            usage=True,
        )
    if recipe.qat and recipe.freeze:
        raise TrainingError(
            "--qat trains all layers, and --freeze the classifier alone: leave one out", usage=True
        )
    # As the resumed run may start in another folder.
    if recipe.data != DIGITS:
        return replace(recipe, data=str(Path(recipe.data).absolute()))
    return recipe


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
