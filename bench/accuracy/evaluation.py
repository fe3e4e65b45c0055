"""What an evaluation leaves behind: the document of ``shufflenet-eval --json`` and ``--out``."""

from __future__ import annotations

import msgspec

EVALUATION_VERSION = 1


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of the images, from 0 to 1, with Wilson's 95% interval."""

    images: int
    """Those that it is true of."""
    share: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An artifact against the first one, on the same images."""

    agreement: Share
    """Images for which both have the same best class, right or wrong."""
    lost: int
    """Images that only the first artifact has right."""
    gained: int
    """Images that only this artifact has right."""
    mcnemar_p: float
    """Of `lost` against `gained`, see `accuracy.mcnemar_p`."""
    sqnr_db: float | None
    """10 log10 of the sum of the first's squared logits by the sum of the squared differences,
    each over all classes and images. No mean is taken off the logits before. None where no
    logit differs."""


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found of one artifact."""

    path: str
    sha256: str
    size_bytes: int
    engine: str
    engine_version: str
    top1: Share
    top5: Share | None
    """None where there are no more than 5 classes: all images would be in it."""
    images_per_second: float
    """Throughput of the engine at this batch size; decoding and preprocessing are not in it.
    Not a latency, and not taken with the care of shufflenet-bench."""
    against_first: Comparison | None
    """None for the first artifact."""


class Unusable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that could not be read. No artifact was judged on it."""

    name: str
    reason: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An evaluation of artifacts on labelled images."""

    version: int = EVALUATION_VERSION
    data: str
    """As it was named."""
    classes: int
    images: int
    """Those that were usable."""
    unusable: tuple[Unusable, ...]
    batch: int
    threads: int
    artifacts: tuple[Accuracy, ...]
    """In the order in which they were named."""
