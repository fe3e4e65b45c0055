"""The three files of a run: the best network, all that resuming takes, and the log.

``--out digits.pth`` has the best weights, ready for shufflenet-export; ``digits.last.pth`` goes on
from the last epoch; ``digits.csv`` has a row for each. Each is replaced whole.
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training.events import Epoch
from shufflenet_deploy.models.training.loop import Training
from shufflenet_deploy.models.training.qat import as_rounded, as_trained
from shufflenet_deploy.models.training.recipe import Recipe, TrainingError, preprocessing
from shufflenet_deploy.models.weights.file import read, save
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.files.kind import start_of
from shufflenet_deploy.runtime.files.reading import irregular

_LAST = ".last"


@dataclass(frozen=True)
class Files:
    """Where a run writes, from the name that ``--out`` gave."""

    best: Path

    @property
    def last(self) -> Path:
        """What ``--resume`` takes."""
        return self.best.with_name(f"{self.best.stem}{_LAST}{self.best.suffix}")

    @property
    def log(self) -> Path:
        """One row for each epoch."""
        return self.best.with_suffix(".csv")

    @staticmethod
    def of_last(path: Path) -> Files:
        """The files of the run that `path` resumes. `TrainingError` (usage) for no such run."""
        if not path.stem.endswith(_LAST):
            raise TrainingError(
                f"{path} was renamed: a run to go on with is NAME{_LAST}.pth beside NAME.pth",
                usage=True,
            )
        files = Files(path.with_name(path.stem.removesuffix(_LAST) + path.suffix))
        if not files.best.is_file():
            raise TrainingError(
                f"no file {files.best}: the best network so far belongs beside {path}", usage=True
            )
        return files

    def require_writable(self) -> None:
        """Write and remove a file there now, rather than fail after the first epoch."""
        # .safetensors has no place for the recipe, and .csv is the log.
        if self.best.suffix not in (".pth", ".pt") or self.best.is_dir():
            raise TrainingError(
                f"--out {self.best}: name a file that ends in .pth, such as network.pth",
                usage=True,
            )
        for file in (self.best, self.last, self.log):
            if kind := irregular(file):
                raise TrainingError(f"{file} is {kind}: name a file with --out", usage=True)
        try:
            self.best.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.best.parent):
                pass
        except OSError as error:
            raise TrainingError(
                f"cannot write to {self.best.parent}: {error.strerror or error}; name another "
                "--out",
                usage=True,
            ) from None

    def require_nothing_to_resume(self) -> None:
        """Refuse to write over a run that was interrupted: it may be days of work."""
        try:
            saved = read_last(self.last)
        except TrainingError:
            return
        if saved.epochs < saved.recipe.epochs:
            raise TrainingError(
                f"{self.last} is a run of {saved.epochs} of {saved.recipe.epochs} epochs: go on "
                f"with --resume {self.last}, name another --out or delete it",
                usage=True,
            )

    def require_ours(self) -> None:
        """Refuse to write over what no run of ours wrote."""
        for file in (self.best, self.last, self.log):
            if file.is_file() and file.stat().st_size and not _is_ours(file):
                raise TrainingError(
                    f"{file} is no file of an earlier training and is not replaced: name another "
                    "--out, or move it away",
                    usage=True,
                )

    def require_other_than(self, weights: Path) -> None:
        """Refuse to write over the checkpoint that the run starts from."""
        for file in (self.best, self.last):
            if file.exists() and file.samefile(weights):
                raise TrainingError(
                    f"{file} is what --weights names, and the run would write over it: name "
                    "another --out",
                    usage=True,
                )

    def write(self, training: Training) -> None:
        """Write the run as it stands after an epoch."""
        row = training.history[-1]
        # The best before the last: what stops between the two does this epoch again.
        if row is best(training.history):
            extra = {"recipe": _recipe(training), "result": asdict(row)}
            _save(self.best, training, as_rounded(training.network, training.ranges), extra)
        _save(self.last, training, as_trained(training.network), training.state())
        with staged(self.log) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*(field.name for field in fields(Epoch)), "top1"])
            writer.writeheader()
            writer.writerows({**asdict(epoch), "top1": epoch.top1} for epoch in training.history)


@dataclass(frozen=True)
class Saved:
    """A run that `Files.write` wrote."""

    labels: tuple[str, ...]
    recipe: Recipe
    weights: dict[str, Tensor]
    state: dict[str, Any]

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.state["history"])

    def require_classes(self, labels: tuple[str, ...], source: str) -> None:
        """Refuse data of other classes than the run began with."""
        if labels != self.labels:
            odd = sorted({*labels} ^ {*self.labels})
            raise TrainingError(
                f"{source} has {len(labels)} classes where the run to be resumed has "
                f"{len(self.labels)}, and they differ in {', '.join(map(repr, odd[:3]))}",
                usage=True,
            )


def best(history: list[Epoch]) -> Epoch:
    """The epoch that recognised most; of several the last, which had the lowest rate."""
    return max(history, key=lambda row: (row.top1, row.epoch))


def _is_ours(file: Path) -> bool:
    if file.suffix == ".csv":
        return start_of(file).startswith(b"epoch,")
    try:
        return "training" in read(file).extra
    except ModelsError:
        return False


def read_last(path: Path) -> Saved:
    """Read what `Files.write` wrote. Raises `TrainingError` for anything else."""
    if not path.is_file():
        raise TrainingError(f"no file {path} to resume from", usage=True)
    try:
        contents = read(path)
    except ModelsError as error:
        raise TrainingError(f"{path}: {error}") from None
    try:
        state = contents.extra["training"]
        assert isinstance(contents.content, dict)
        state["optimizer"], state["scaler"], state["history"]
        weights = {key: torch.as_tensor(value) for key, value in contents.content.items()}
        labels = contents.record.labels if contents.record else None
        return Saved(labels or (), Recipe.of(state["recipe"]), weights, state)
    except (LookupError, TypeError):
        raise TrainingError(
            f"{path} is a network and not a run to go on with, which shufflenet-train writes "
            f"as NAME{_LAST}.pth",
            usage=True,
        ) from None


def _save(path: Path, training: Training, network: ShuffleNetV1, extra: dict[str, Any]) -> None:
    save(
        path,
        network,
        labels=training.data.labels,
        preprocessing=preprocessing(training.recipe),
        input_size=training.recipe.input_size,
        ranges=training.ranges,
        extra={"training": extra},
    )


def _recipe(training: Training) -> dict[str, Any]:
    """Without the folder's path, which is nobody else's business where a network is passed on."""
    recipe = asdict(training.recipe)
    return recipe | {"data": Path(recipe["data"]).name}
