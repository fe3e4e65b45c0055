"""What int8 of trained weights must keep, or it is not written; and what cost it the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shufflenet_deploy.export.quantisation.analysis import LayerCost
from shufflenet_deploy.export.verify import Judgement
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Calibration

MIN_SQNR_DB = 6.0
"""Half of the signal's size is noise there."""

GOOD_AGREEMENT = 90.0
"""Percent below which int8 is written with a warning."""

GOOD_SAMPLES = 100
"""The fewest calibration images that are not called few."""

MUCH_SATURATED = 0.01
"""The share of a layer's numbers beyond its range from which ranges are called narrow."""

UNLIKE = 1.35
"""From which factor on images are called unlike training's, see `models.unlikeness`."""


@dataclass(frozen=True)
class Symptoms:
    """What may have cost int8 its agreement."""

    spread: float | None
    """How much the spread inside the network differs from training's, a factor; None where that
    cannot be told."""
    layers: Sequence[LayerCost]
    """The costliest first."""


@dataclass(frozen=True)
class Gate:
    """The limits for one export."""

    min_agreement: float | None
    """Percent, of which 0 lets everything through; None is for random weights, which have no
    answers to keep and get no warning either."""

    def is_good(self, judgement: Judgement) -> bool:
        """Whether nobody needs to be told."""
        if self.min_agreement is None:
            return True
        return 100 * judgement.agreement >= GOOD_AGREEMENT and self._passes(judgement)

    def require(self, judgement: Judgement, calibration: Calibration, symptoms: Symptoms) -> str:
        """A warning where int8 lost much.

        Raises `ExportError` where it lost more than is allowed.
        """
        lost = (
            f"int8 agrees with fp32 on {100 * judgement.agreement:.0f}% of {judgement.images} "
            f"held-out images of {calibration.source}, SQNR {judgement.sqnr_db:.1f} dB"
        )
        why = "; ".join(_causes(calibration, symptoms))
        if not self._passes(judgement):
            raise ExportError(
                f"{lost}; at least {self.min_agreement:g}% and {MIN_SQNR_DB:.0f} dB are wanted: "
                f"{why}; or allow it with --min-agreement 0; nothing was written"
            )
        return f"warning: {lost}: {why}"

    def _passes(self, judgement: Judgement) -> bool:
        if not self.min_agreement:  # None, or 0 that lets everything through
            return True
        enough = 100 * judgement.agreement >= self.min_agreement
        return enough and judgement.sqnr_db >= MIN_SQNR_DB


def unlike_training(source: str, spread: float | None) -> str | None:
    """The warning that images are none of those that the network was made for, if they are not."""
    if spread is None or spread < UNLIKE:
        return None
    return (
        f"the images of {source} are unlike those of the training: inside the network the "
        f"variances differ from batch normalisation's by a factor of {spread:.1f}; calibrate "
        "with images such as it was trained on and will see"
    )


def _causes(calibration: Calibration, symptoms: Symptoms) -> list[str]:
    """Each cause that there is evidence for, with its remedy."""
    causes = []
    if unlike := unlike_training(calibration.source, symptoms.spread):
        causes.append(unlike)
    if 0 < calibration.samples < GOOD_SAMPLES:
        causes.append(
            f"{calibration.samples} images are few to calibrate with; give {GOOD_SAMPLES} and more "
            "such as it will see"
        )
    saturated = max(symptoms.layers, key=lambda layer: layer.saturated, default=None)
    if saturated and saturated.saturated >= MUCH_SATURATED:
        causes.append(
            f"{saturated.saturated:.1%} of {saturated.name} are beyond the range that calibration "
            "gave it; calibrate with more various images"
        )
    if symptoms.layers:
        worst = symptoms.layers[0]
        part = "output" if worst.cost_db == worst.activation_db else "weights"
        causes.append(
            f"the {part} of {worst.name} ({worst.kind}) cost the most, {worst.cost_db:.1f} dB "
            "alone in 8 bits; --analyse shows all layers, and shufflenet-train --qat trains with "
            "8 bits"
        )
    return causes
