"""What int8 of trained weights must keep, or it is not written."""

from __future__ import annotations

from dataclasses import dataclass

from shufflenet_deploy.export.verify import Judgement
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Calibration

MIN_SQNR_DB = 6.0
"""Half of the signal's size is noise there."""


@dataclass(frozen=True)
class Gate:
    """The limits for one export."""

    min_agreement: float | None
    """Percent; None lets everything through, as random weights have no answers to keep."""

    def require(self, judgement: Judgement, calibration: Calibration) -> None:
        """Raise `ExportError` where int8 lost too much."""
        if self.min_agreement is None:
            return
        percent = 100 * judgement.agreement
        if percent >= self.min_agreement and judgement.sqnr_db >= MIN_SQNR_DB:
            return
        raise ExportError(
            f"int8 agrees with float on {percent:.0f}% of {judgement.images} held-out images of "
            f"{calibration.source} (SQNR {judgement.sqnr_db:.1f} dB), at least "
            f"{self.min_agreement:.0f}% and {MIN_SQNR_DB:.0f} dB are wanted: calibrate with more "
            "images like those of its use, or allow it with --min-agreement; nothing was written"
        )
