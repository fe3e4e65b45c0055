"""What int8 of trained weights must keep, or it is not written."""

from __future__ import annotations

from dataclasses import dataclass

from shufflenet_deploy.export.verify import Judgement
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Calibration

MIN_SQNR_DB = 6.0
"""Half of the signal's size is noise there."""

GOOD_AGREEMENT = 90.0
"""Percent below which int8 is written with a warning."""

GOOD_SAMPLES = 100
"""The fewest calibration images that are not called few."""


@dataclass(frozen=True)
class Gate:
    """The limits for one export."""

    min_agreement: float | None
    """Percent, of which 0 lets everything through; None is for random weights, which have no
    answers to keep and get no warning either."""

    def require(self, judgement: Judgement, calibration: Calibration) -> str | None:
        """A warning where int8 lost much, None where it did not.

        Raises `ExportError` where it lost more than is allowed.
        """
        if self.min_agreement is None:
            return None
        percent = 100 * judgement.agreement
        lost = (
            f"int8 agrees with fp32 on {percent:.0f}% of {judgement.images} held-out images of "
            f"{calibration.source}, SQNR {judgement.sqnr_db:.1f} dB"
        )
        enough = percent >= self.min_agreement and judgement.sqnr_db >= MIN_SQNR_DB
        if self.min_agreement > 0 and not enough:
            raise ExportError(
                f"{lost}; at least {self.min_agreement:.0f}% and {MIN_SQNR_DB:.0f} dB are wanted: "
                f"{_remedy(calibration)}, or allow it with --min-agreement 0; nothing was written"
            )
        return f"warning: {lost}: {_remedy(calibration)}" if percent < GOOD_AGREEMENT else None


def _remedy(calibration: Calibration) -> str:
    if calibration.samples < GOOD_SAMPLES:
        return (
            f"{calibration.samples} images are few to calibrate with; give {GOOD_SAMPLES} and more "
            "such as it will see"
        )
    return "calibrate with images such as it will see, and count right answers with --data"
