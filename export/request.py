"""What is to be exported, checked before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shufflenet_deploy.models.networks import (
    NETWORKS,
    SHUFFLENET,
    Size,
    Variant,
    variant,
)
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.files.reading import irregular
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.options import Options

PRECISIONS = ("fp32", "fp16", "int8")
LOWERINGS = ("fast", "plain")
TARGETS = ("arm64", "x86-64")
INPUT_TYPES = ("float32", "uint8", "int8")

MIN_AGREEMENT = 60.0
"""Percent, see `Request.min_agreement`."""

MAX_DROP = 2.0
"""Points, see `Request.max_drop`."""

RANDOM = "random"
IMAGENET = "imagenet"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One network, and the artifacts to make of it.

    None leaves a choice to the weights' file, or to the network's default. Raises `ExportError`
    or `ModelsError` (usage) for what does not exist.
    """

    network: str | None = None
    groups: int | None = None
    scale: float | None = None
    input_size: Size | None = None
    formats: tuple[str, ...] = tuple(FORMATS)
    precisions: tuple[str, ...] = ("fp32",)
    lowering: str = "fast"
    target: str = "arm64"
    io: str = "float32"
    weights: str = RANDOM
    """Where the weights come from: ``random``, ``imagenet`` or a file."""
    weights_key: str | None = None
    """The place in that file where the weights are, of several; None leaves the choice to it."""
    calibration: str | None = None
    """Images from which int8 takes its ranges: a folder or ``digits``; None takes noise for random
    weights. Weights that were trained with 8 bits have their ranges, and are only judged on them.
    """
    samples: int = 256
    min_agreement: float = MIN_AGREEMENT
    """Percent of the held-out images to which int8 of trained weights has to give float's class."""
    data: str | None = None
    """Labelled images to compare int8 with fp32 on: ``digits``, a folder, or None for no
    comparison."""
    max_drop: float = MAX_DROP
    """The most points of top-1 that int8 may lose on `data`."""
    analyse: bool = False
    """Whether it is wanted what each layer costs in int8."""
    out: Path
    """The folder to write to; made where it is missing."""

    def __post_init__(self) -> None:
        for option, values, choices in (
            ("format", self.formats, tuple(FORMATS)),
            ("precision", self.precisions, PRECISIONS),
            ("lowering", [self.lowering], LOWERINGS),
            ("target", [self.target], TARGETS),
            ("io", [self.io], INPUT_TYPES),
        ):
            for value in values:
                if value not in choices:
                    raise ExportError(
                        f"unknown {option} {value!r}: choose from {', '.join(choices)}", usage=True
                    )
        if self.samples < 1:
            raise ExportError(f"{self.samples} samples: calibration needs some", usage=True)
        if not 0 <= self.min_agreement <= 100:
            raise ExportError(
                f"--min-agreement {self.min_agreement:g}: give a percentage of 0 to 100", usage=True
            )
        if not self.max_drop >= 0:
            raise ExportError(f"--max-drop {self.max_drop:g}: give 0 or more points", usage=True)
        if self.data is not None and (self.weights == RANDOM or "int8" not in self.precisions):
            raise ExportError(
                f"--data {self.data} is for the accuracy of int8 with trained weights: add "
                "--precision int8 and --weights FILE",
                usage=True,
            )
        if shown(str(self.out)) != str(self.out):
            raise ExportError(
                f"--out {shown(str(self.out))} is no UTF-8, which engines need: name another",
                usage=True,
            )
        if self.analyse and "int8" not in self.precisions:
            raise ExportError(
                "--analyse tells what layers cost in int8: add --precision int8", usage=True
            )
        self._check_weights()

    def _check_weights(self) -> None:
        if self.weights_key is not None and self.weights in (RANDOM, IMAGENET):
            raise ExportError(
                f"--weights-key {self.weights_key} is a place in a file: name that by --weights",
                usage=True,
            )
        if self.weights == RANDOM:
            self.variant()
            return
        network = self.variant().network if self.network else SHUFFLENET
        trained = [name for name, entry in NETWORKS.items() if entry.is_trained]
        known = [SHUFFLENET] if self.weights == IMAGENET else trained
        if network not in known:
            raise ExportError(
                f"--weights {self.weights} is for {' and '.join(known)}; of {network} there are "
                "none",
                usage=True,
            )
        if self.weights != IMAGENET and (kind := irregular(Path(self.weights))):
            raise ExportError(f"--weights {self.weights} is {kind}: name a file", usage=True)
        if self.weights != IMAGENET and not Path(self.weights).is_file():
            raise ExportError(
                f"no weights {self.weights!r}: name a file, {RANDOM!r} or {IMAGENET!r}", usage=True
            )
        if self.weights == IMAGENET:
            self.require_calibration()

    def require_calibration(self) -> None:
        """Raise `ExportError` (usage) where int8 is to be made of nothing to take ranges from.

        A file of weights may have them, which is known when it was read.
        """
        if "int8" in self.precisions and self.calibration is None:
            raise ExportError(
                "int8 of trained weights needs --calibration FOLDER|digits: some hundred images "
                "such as the network will see",
                usage=True,
            )

    def variant(
        self,
        network: str | None = None,
        groups: int | None = None,
        scale: float | None = None,
        size: Size | None = None,
    ) -> Variant:
        """The network with every choice made; the arguments are what the weights' file says.

        Raises `ModelsError` (usage) where there is no such network.
        """
        return variant(
            network or self.network or SHUFFLENET,
            self.groups if groups is None else groups,
            self.scale if scale is None else scale,
            self.input_size or size or (224, 224),
        )

    def artifacts(self, chosen: Variant, weights: str) -> tuple[Options, ...]:
        """One for each precision and format, of the network `chosen`; none twice."""
        return tuple(
            Options(
                network=chosen.network,
                groups=chosen.groups,
                scale=chosen.scale,
                input_size=chosen.input_size,
                format=format_,
                precision=precision,
                lowering=self.lowering,
                # The target decides only how int8 is made.
                target=self.target if precision == "int8" else TARGETS[0],
                io=self.io,
                weights=weights,
            )
            for precision in dict.fromkeys(self.precisions)
            for format_ in dict.fromkeys(self.formats)
        )
