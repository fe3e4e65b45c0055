"""What an evaluation leaves behind: the document of ``shufflenet-eval --json`` and ``--out``."""

from __future__ import annotations

import msgspec

EVALUATION_VERSION = 1


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of the images, from 0 to 1, with Wilson's 95% interval."""

    images: int
    """The number of images that make up the share."""
    share: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An artifact against the first one, on the same images."""

    agreement: Share
    """The share of the images for which both have the same best class, right or wrong."""
    lost: int
    """The number of images that only the first artifact has right."""
    gained: int
    """The number of images that only this artifact has right."""
    mcnemar_p: float
    """The p-value of McNemar's exact test of `lost` against `gained`, see
    `statistics.mcnemar_p`."""
    sqnr_db: float | None
    """10 log10 of the sum of the first's squared logits by the sum of the squared differences, each
    over all classes and images. No mean is taken off the logits before. None where no logit
    differs."""


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found of one artifact."""

    path: str
    sha256: str
    size_bytes: int
    engine: str
    engine_version: str
    top1: Share
    top5: Share | None
    """The share of the images whose right class is among the five best; None where there are no
    more than 5 classes, and all images would be in it."""
    images_per_second: float
    """Throughput of the engine at this batch size; decoding and preprocessing are not in it. Not a
    latency, and not taken with the care of shufflenet-bench."""
    against_first: Comparison | None
    """The comparison with the first artifact; None for the first one itself."""


class Unusable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that could not be read. No artifact was judged on it."""

    name: str
    reason: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An evaluation of artifacts on labelled images."""

    version: int = EVALUATION_VERSION
    data: str
    """The folder or data set as it was named on the command line."""
    classes: int
    images: int
    """The number of images that could be read, on which all artifacts were judged."""
    unusable: tuple[Unusable, ...]
    batch: int
    threads: int
    artifacts: tuple[Accuracy, ...]
    """The accuracy of each artifact, in the order in which they were named."""
