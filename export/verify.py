"""An artifact against the network it came from, on the engine that will run it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from shufflenet_deploy.export import ExportError
from shufflenet_deploy.runtime.artifact import SelfCheck, Verification
from shufflenet_deploy.runtime.seeded import Floats, seeded_images, to_layout
from shufflenet_deploy.runtime.session import Session

INPUTS = 8
SEED = 20170704
TOLERANCE = {"fp32": 1e-4}
"""Allowed difference, by precision."""


@dataclass(frozen=True)
class Reference:
    """Seeded images and what the network says of them."""

    images: Floats
    """(N, H, W, 3)."""
    logits: Floats
    """(N, classes)."""
    deviation: float
    """The largest deviation of a logit from its mean over the images.

    Differences are divided by this. Not by the logits one by one, some of which are near
    zero; nor by the largest logit, beside which a network that ignores its input looks right.
    """


def reference(network: nn.Module, input_size: tuple[int, int]) -> Reference:
    """Run `network` (in evaluation mode) on the seeded images.

    Raises `ExportError` where its logits do not vary with the image, or are not finite: then
    no comparison can tell a right artifact from a broken one.
    """
    images = seeded_images(INPUTS, input_size, SEED)
    with torch.no_grad():
        # One by one: at 720x1280 a batch of them needs gigabytes.
        logits = np.concatenate(
            [network(torch.from_numpy(to_layout(image[None], "NCHW"))).numpy() for image in images]
        )
    deviation = float(np.abs(logits - logits.mean(axis=0)).max())
    if not np.isfinite(logits).all() or not deviation > 1e-6 * float(np.abs(logits).max()):
        raise ExportError(
            "the network's logits are not finite or hardly differ between images: "
            "its weights cannot be right, and nothing could be verified against it"
        )
    return Reference(images, logits, deviation)


def verify(session: Session, layout: str, precision: str, wanted: Reference) -> Verification:
    """Run `session` on the reference's images, as one batch, and compare.

    The difference is the largest of any logit, over `Reference.deviation`. Raises `ExportError`
    where it is beyond the tolerance for `precision`.
    """
    logits = session.run(to_layout(wanted.images, layout))
    if logits.shape != wanted.logits.shape:
        raise ExportError(
            f"verification failed: {session.engine} answers {logits.shape}, "
            f"the network {wanted.logits.shape}"
        )
    difference = float(np.abs(logits - wanted.logits).max()) / wanted.deviation
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


def self_check(precision: str, wanted: Reference) -> SelfCheck:
    """The first of the seeded images, for the device to check itself with."""
    return SelfCheck(
        seed=SEED,
        logits=tuple(float(logit) for logit in wanted.logits[0]),
        deviation=wanted.deviation,
        tolerance=TOLERANCE[precision],
    )
