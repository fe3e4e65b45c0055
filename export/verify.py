"""An artifact against the network it came from, on the engine that will run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.engines import Remarks, Session, open_session, why_not_here
from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.formats import format_of
from shufflenet_deploy.runtime.manifest import Preprocessing, SelfCheck, Verification
from shufflenet_deploy.runtime.preprocess import Pixels, normalise
from shufflenet_deploy.runtime.seeded import Floats, seeded_pixels, to_layout

INPUTS = 8
SEED = 20170704

BATCH_PIXELS = 8 * 224 * 224
"""How many pixels of images run at once; several small images take less time so."""

TOLERANCE = {"fp32": 1e-4, "fp16": 0.2}
"""Precision -> the largest difference from the network that is allowed, see `verify`.

fp16's graph is verified in fp32 first; what is left is rounding. With float16 weights and float32
arithmetic 0.065 was measured at most, of a MobileNet of random weights, and with float16 arithmetic
and sums (cortex-a76, emulated) 0.056, of ShuffleNet 2x. What computes something else differs by 1.
"""
UNRUN_INT8_TOLERANCE = 0.5
"""How far int8 that was not run here may be from the network: what computes something else differs
by 1 and more."""


@dataclass(frozen=True)
class OneByOne:
    """A session whose model takes one image at a time and no batch, fed with batches."""

    session: Session

    @property
    def engine(self) -> str:
        """As the session has it, like all here but `run`."""
        return self.session.engine

    @property
    def engine_version(self) -> str:
        """The engine's version."""
        return self.session.engine_version

    @property
    def remarks(self) -> Remarks:
        """What the engine says of the model."""
        return self.session.remarks

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes."""
        return self.session.inputs

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Images (N, ...) -> logits (N, classes)."""
        (images,) = inputs
        return np.concatenate([self.session.run(image[None]) for image in images])


@dataclass(frozen=True)
class Reference:
    """Seeded images and what the network says of them."""

    preprocessing: Preprocessing
    pixels: Pixels
    """The images, (N, H, W, 3)."""
    logits: Floats
    """The network's logits, (N, classes)."""
    deviation: float
    """The largest deviation of a logit from its mean over the images.

    Differences are divided by this. Not by the logits one by one, some of which are near
    zero; nor by the largest logit, beside which a network that ignores its input looks right.
    """


def reference(
    network: nn.Module, preprocessing: Preprocessing, pixels: Pixels | None = None
) -> Reference:
    """Run `network` (in evaluation mode) on `pixels`, by default the seeded images.

    Raises `ExportError` where its logits do not vary with the image, or are not finite: then
    no comparison can tell a right artifact from a broken one.
    """
    if pixels is None:
        pixels = seeded_pixels(INPUTS, preprocessing.crop, SEED)
    images = torch.from_numpy(to_layout(normalise(pixels, preprocessing), "NCHW"))
    # Not all at once: at 720x1280 a batch of them needs gigabytes.
    count = max(1, BATCH_PIXELS // (images.shape[2] * images.shape[3]))
    with torch.no_grad():
        parts = torch.split(images.contiguous(memory_format=torch.channels_last), count)
        logits = np.concatenate([network(part).numpy() for part in parts])
    deviation = float(np.abs(logits - logits.mean(axis=0)).max())
    if not np.isfinite(logits).all() or not deviation > 1e-6 * float(np.abs(logits).max()):
        raise ExportError(
            "the network's logits are not finite or hardly differ between images: "
            "its weights cannot be right, and nothing could be verified against it"
        )
    return Reference(preprocessing, pixels, logits, deviation)


def open_here(path: Path) -> Session | None:
    """The artifact in `path`, loaded into its engine; None where this machine cannot run it."""
    if why_not_here(path):
        return None
    session = open_session(path)
    return OneByOne(session) if format_of(path).fixed_batch else session


def verify(
    session: Session, images: NDArray[Any], precision: str, expected: Reference
) -> Verification:
    """Run `session` on the reference's images, given as its input wants them, and compare.

    The difference is the largest of any logit, over `Reference.deviation`. Raises `ExportError`
    where it is beyond the tolerance for `precision`.
    """
    logits = _logits(session, images, expected)
    difference = float(np.abs(logits - expected.logits).max()) / expected.deviation
    tolerance = TOLERANCE[precision]
    if not difference <= tolerance:  # so written, a NaN fails too
        raise ExportError(
            f"verification failed: on {session.engine} the logits differ from the network's by "
            f"{difference:.1e} of their range, allowed is {tolerance:.0e}; nothing was written"
        )
    return Verification(
        engine=session.engine,
        engine_version=session.engine_version,
        inputs=INPUTS,
        seed=SEED,
        difference=difference,
        tolerance=tolerance,
    )


@dataclass(frozen=True)
class Judgement:
    """What quantisation left of a network's answers."""

    images: int
    sqnr_db: float
    """Signal power over error power of the logits, in dB."""
    agreement: float
    """The share of the images to which it gives the network's class."""


def judge(session: Session, images: NDArray[Any], expected: Reference) -> Judgement:
    """Run a quantised model on the reference's images.

    Its float model was verified before; what it keeps is for `gate` to say. Raises `ExportError`
    where nothing is left of the signal, as where an engine's kernel is wrong.
    """
    logits = OneByOne(session).run(images)
    decibels = sqnr_db(expected.logits, logits)
    if not decibels > 0:
        raise ExportError(
            f"verification failed: on {session.engine} the int8 logits have nothing of the "
            f"network's (SQNR {decibels:.1f} dB); nothing was written"
        )
    same = logits.argmax(axis=1) == expected.logits.argmax(axis=1)
    return Judgement(len(images), decibels, float(same.mean()))


def quantised_self_check(
    session: Session | None, images: NDArray[Any], expected: Reference
) -> SelfCheck:
    """The first of the seeded images and the int8 artifact's own logits; see `SelfCheck`.

    Without a session the network's, which the artifact's must roughly be.
    """
    if session is None:
        return _self_check(expected.logits[0], expected, UNRUN_INT8_TOLERANCE)
    logits = _logits(session, images, expected)
    distance = float(np.abs(logits - expected.logits).max()) / expected.deviation
    return _self_check(logits[0], expected, max(distance, 0.05))


def self_check(precision: str, expected: Reference) -> SelfCheck:
    """The first of the seeded images and the network's logits, for a device to check itself."""
    return _self_check(expected.logits[0], expected, TOLERANCE[precision])


def _self_check(logits: Floats, expected: Reference, tolerance: float) -> SelfCheck:
    return SelfCheck(
        seed=SEED,
        logits=tuple(float(logit) for logit in logits),
        deviation=expected.deviation,
        tolerance=tolerance,
    )


def _logits(session: Session, images: NDArray[Any], expected: Reference) -> Floats:
    logits: Floats = session.run(images)
    if logits.shape != expected.logits.shape:
        raise ExportError(
            f"verification failed: {session.engine} answers {logits.shape}, "
            f"the network {expected.logits.shape}"
        )
    return logits
