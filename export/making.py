"""The two ways from a lowered graph to files that were run: float, and int8 made of float.

float: emitted -> verified. int8: emitted in float -> verified -> quantised -> judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.calibration import NOISE, CalibrationSet
from shufflenet_deploy.export.formats import emitter_for, quantiser_for
from shufflenet_deploy.export.formats.emitter import Emitted
from shufflenet_deploy.export.gate import Gate, Symptoms
from shufflenet_deploy.export.half import require_half
from shufflenet_deploy.export.progress import progress
from shufflenet_deploy.export.quantisation.analysis import LayerCost, analyse
from shufflenet_deploy.export.quantisation.preparation import (
    Preparation,
    Report,
    prepare,
    prepare_trained,
)
from shufflenet_deploy.export.rewrites.lowering import Lowered
from shufflenet_deploy.export.rewrites.pixels import OFFSETS
from shufflenet_deploy.export.staging import write_files
from shufflenet_deploy.export.verify import (
    Reference,
    judge,
    open_here,
    quantised_self_check,
    self_check,
    verify,
)
from shufflenet_deploy.models.quantisation import Range, Ranges
from shufflenet_deploy.runtime.artifact import file_paths
from shufflenet_deploy.runtime.engines import Session
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.manifest import (
    Calibration,
    Preprocessing,
    Quantisation,
    SelfCheck,
    Simplification,
    Verification,
)
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.preprocess import as_input, normalise


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is known of an artifact once its files were run, under the manifest's own names."""

    remarks: dict[str, int | float | str]
    simplification: Simplification | None
    verification: Verification | None
    """How far the float model is from the network; None where this machine cannot run it, and so is
    all that comes of running it."""
    self_check: SelfCheck
    quantisation: Quantisation | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Analysis:
    """What each layer of an int8 artifact costs."""

    artifact: str
    """The artifact's file name."""
    layers: tuple[LayerCost, ...]
    """The costliest first."""


Analysed = Callable[[Analysis], None]


class Maker(Protocol):
    """One of the two ways."""

    @property
    def reference(self) -> Reference:
        """What the network says of the verification's images."""

    def make(self, path: Path, lowered: Lowered, options: Options) -> Made:
        """Write the artifact's files at `path`; `ExportError` where they are not the network."""


@dataclass(frozen=True)
class FloatMaker:
    """Makes fp32 and fp16."""

    reference: Reference
    """What the network says of the verification's images."""
    photographs: CalibrationSet | None = None
    """Images besides, on which float16 has to hold every value."""

    def make(self, path: Path, lowered: Lowered, options: Options) -> Made:
        """Emit and verify; fp16 in fp32 first, whose error hides nothing."""
        emitter = emitter_for(options.format)
        images = _images(self.reference, options)
        if options.precision == "fp16":
            require_half(lowered.graph, self._seen(options))
            source = emitter.emit(lowered.graph, msgspec.structs.replace(options, precision="fp32"))
            with _written(path.with_name(f"before-{path.name}"), source) as session:
                if session:
                    verify(session, images, "fp32", self.reference)
        emitted = emitter.emit(lowered.graph, options)
        write_files(path, emitted.files)
        session = open_here(path)
        remarks = _remarks(session)
        precision = options.precision
        return Made(
            remarks=remarks,
            simplification=emitted.simplification,
            verification=verify(session, images, precision, self.reference) if session else None,
            self_check=self_check(options.precision, self.reference),
        )

    def _seen(self, options: Options) -> Iterator[NDArray[Any]]:
        for image in _images(self.reference, options, "NCHW"):
            yield image[None]
        if self.photographs:
            yield from self.photographs.held_out_inputs(options.io)


@dataclass(frozen=True)
class Int8Maker:
    """Makes int8."""

    reference: Reference
    """What the network says of the verification's images."""
    calibration: CalibrationSet
    judged: Reference
    """What the network says of the images that calibration held out."""
    gate: Gate
    report: Report
    trained: Ranges | None = None
    """Those of the network's values, where it was trained with them and calibrates nothing."""
    spread: float | None = None
    """How unlike training's the calibration's images are, see `models.unlikeness`."""
    analysed: Analysed | None = None
    """Gets what each layer costs, of each artifact."""
    preparations: dict[tuple[str, ...], Preparation] = field(default_factory=dict)
    """What was prepared so far, by the rewrites before it: formats that have these in common share
    it."""
    analyses: dict[int, tuple[LayerCost, ...]] = field(default_factory=dict)
    """What each layer costs, by the identity of the preparation."""

    def make(self, path: Path, lowered: Lowered, options: Options) -> Made:
        """Emit in float and verify that, quantise it, and judge the result.

        Rewrites and emission are exact or they are wrong, which int8's own error would hide.
        """
        quantiser = quantiser_for(options.format)
        images = _images(self.reference, options)
        source = quantiser.emit(lowered.graph, options)
        with _written(path.with_name(f"before-{path.name}"), source) as session:
            floats = images.astype(np.float32)
            verification = verify(session, floats, "fp32", self.reference) if session else None
        prepared = self._prepared(lowered, options)
        graph = lowered.finished(prepared.graph)
        source = quantiser.emit(graph, options)
        emitted = quantiser.quantise(source, graph, options, prepared.ranges)
        write_files(path, emitted.files)
        session = open_here(path)
        remarks = _remarks(session)
        check = quantised_self_check(session, images, self.reference)
        judgement = judge(session, _images(self.judged, options), self.judged) if session else None
        if self.analysed:
            self.analysed(Analysis(options.file_name, self._layers(prepared, options)))
        if judgement and not self.gate.is_good(judgement):
            symptoms = Symptoms(self.spread, self._layers(prepared, options))
            self.report(self.gate.require(judgement, self.calibration.record, symptoms))
        return Made(
            remarks=remarks,
            simplification=emitted.simplification,
            verification=verification,
            self_check=check,
            quantisation=Quantisation(
                scheme=quantiser.scheme(options),
                sqnr_db=judgement.sqnr_db if judgement else None,
                agreement=judgement.agreement if judgement else None,
                ranges=prepared.rule,
                equalisation=prepared.exponent,
                rounding=prepared.rounding,
            ),
            calibration=self.calibration.record,
        )

    def _layers(self, prepared: Preparation, options: Options) -> tuple[LayerCost, ...]:
        if id(prepared) not in self.analyses:
            self.report("trying each layer alone in 8 bits")
            images = self.calibration.held_out_inputs(options.io)
            with progress("analysing", len(prepared.graph.nodes)) as advance:
                self.analyses[id(prepared)] = analyse(prepared, images, advance)
        return self.analyses[id(prepared)]

    def _prepared(self, lowered: Lowered, options: Options) -> Preparation:
        pixels = _pixel_range(self.calibration.preprocessing, options.io)
        key = lowered.common
        if key in self.preparations:
            return self.preparations[key]
        if self.trained is not None:
            self.preparations[key] = prepare_trained(lowered.settled, self.trained, pixels)
        else:
            self.preparations[key] = prepare(
                lowered.settled,
                self.calibration.inputs(options.io),
                self.calibration.held_out_inputs(options.io),
                pixels,
                chooses=self.calibration.record.source != NOISE,
                report=self.report,
            )
        return self.preparations[key]


def _pixel_range(preprocessing: Preprocessing, input_type: str) -> Range:
    """What an image can hold as the network takes it, whatever the calibration's images hold."""
    if input_type != "float32":
        low = -float(OFFSETS[input_type])
        return low, low + 255  # so that a step of the input is one of a pixel
    ends = [normalise(np.full((1, 1, 1, 3), end, np.uint8), preprocessing) for end in (0, 255)]
    return float(min(end.min() for end in ends)), float(max(end.max() for end in ends))


def _remarks(session: Session | None) -> dict[str, int | float | str]:
    """What the engine says of a model before a batch of another size changes that."""
    return dict(session.remarks) if session else {}


@contextmanager
def _written(path: Path, emitted: Emitted) -> Iterator[Session | None]:
    """A model that is written, run where this machine can, and removed again."""
    try:
        write_files(path, emitted.files)
        yield open_here(path)
    finally:
        for file in file_paths(path):
            file.unlink(missing_ok=True)


def _images(reference: Reference, options: Options, layout: str | None = None) -> NDArray[Any]:
    """The reference's images as the artifact's input takes them, in `layout` or in its own."""
    layout = layout or FORMATS[options.format].layout
    return as_input(reference.pixels, reference.preprocessing, options.io, layout)
