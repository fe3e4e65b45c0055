"""Numbers, intervals and settings in words: the same in every table, report and message."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from shufflenet_deploy.bench.analysis.summary import ModelSummary, Setting

MISSING = "-"
"""What a table's empty cell holds."""
LATENCY = "geometric mean over processes of each one's median"
"""The words for how every latency here is computed."""
_DIGITS = 3
"""Significant digits of a figure in a sentence."""


class Estimated(Protocol):
    """A figure whose 95% interval may be known."""

    @property
    def value(self) -> float:
        """The figure."""

    @property
    def low(self) -> float | None:
        """The interval's lower end; None where too little was measured to have one."""

    @property
    def high(self) -> float | None:
        """Its upper end."""


def number(value: float | None, digits: int = _DIGITS) -> str:
    """`value` with so many significant digits and never an exponent: for sentences."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.{_decimals(value, digits)}f}"


def decimal(value: float | None, places: int, scale: float = 1, digits: int = 0) -> str:
    """`value` times `scale` with so many decimals: the points of a column stand in a line.

    More of them where fewer than `digits` significant ones would be left.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scaled = value * scale
    return f"{scaled:.{max(places, _decimals(scaled, digits) if digits else 0)}f}"


def milliseconds(value: float | None) -> str:
    """A latency: two decimals, and three digits of one far below a millisecond."""
    return decimal(value, 2, digits=_DIGITS)


def latency(model: ModelSummary) -> str:
    """A model's latency in milliseconds, without the unit."""
    return milliseconds(model.latency_ms.value if model.latency_ms else None)


def top1(model: ModelSummary) -> str:
    """How often a model is right, in percent without the sign."""
    return decimal(model.accuracy.top1 if model.accuracy else None, 1, 100)


def share(value: float | None) -> str:
    """A share of 1 in percent."""
    return MISSING if value is None else f"{100 * value:.0f} %"


def gigabytes(count: int | None) -> str:
    """Bytes of a machine's memory."""
    return MISSING if count is None else f"{count / 1e9:.1f} GB"


def value_of(estimate: Estimated | None, places: int = 2) -> str:
    """The figure alone."""
    return MISSING if estimate is None else f"{estimate.value:.{places}f}"


def span(low: float, high: float, places: int) -> str:
    """From one figure to another, such as ``2.68 to 2.74``."""
    return f"{low:.{places}f} to {high:.{places}f}"


def interval_of(estimate: Estimated | None, places: int = 2) -> str:
    """The 95% interval alone."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return MISSING
    return span(estimate.low, estimate.high, places)


def interval_ms(estimate: Estimated | None) -> str:
    """The 95% interval of a latency, with as many decimals as the latency itself has."""
    if estimate is None:
        return MISSING
    return interval_of(estimate, len(milliseconds(estimate.value).partition(".")[2]))


def with_interval(estimate: Estimated | None, places: int = 2) -> str:
    """Figure and interval, such as ``2.71 (2.68 to 2.74)``."""
    value, interval = value_of(estimate, places), interval_of(estimate, places)
    if estimate is None:
        return value
    return f"{value} (no interval)" if interval == MISSING else f"{value} ({interval})"


def band(low: float, high: float | None) -> str:
    """The band in which a claim holds."""
    return f"above {low:g}" if high is None else f"{low:g} to {high:g}"


def size(setting: Setting) -> str:
    """Height and width."""
    if setting.input_size is None:
        return "size unknown"
    return "{}x{}".format(*setting.input_size)


def pixels(setting: Setting) -> int:
    """Pixels of an input, to sort by; none where its size is unknown."""
    height, width = setting.input_size or (0, 0)
    return height * width


def setting_words(setting: Setting) -> tuple[str, ...]:
    """What names a setting; what is usual goes without saying."""
    words = (
        setting.engine or setting.format,
        size(setting),
        setting.precision,
        None if setting.lowering in (None, "fast") else f"{setting.lowering} lowering",
        count(setting.threads, "thread"),
    )
    return tuple(word for word in words if word)


def where(setting: Setting) -> str:
    """A whole setting, as a title has it."""
    return ", ".join(setting_words(setting))


def briefly_where(setting: Setting) -> str:
    """A whole setting, as a table's cell has it."""
    return " ".join(setting_words(setting))


def count(number: int, thing: str) -> str:
    """A number of things, in the right grammatical number."""
    ending = "es" if thing.endswith("s") else "s"
    return f"{number} {thing}{'' if number == 1 else ending}"


def names_of_all(models: Sequence[ModelSummary]) -> list[str]:
    """A name for each of `models` that no other has, in their order."""
    names = [model.label for model in models]
    for mark in (_engine, _threads):
        twice = {name for name in names if names.count(name) > 1}
        names = [
            f"{name} ({mark(model)})" if name in twice else name
            for name, model in zip(names, models, strict=True)
        ]
    return names


def _engine(model: ModelSummary) -> str:
    return model.setting.engine.partition(" ")[0] or model.setting.format


def _threads(model: ModelSummary) -> str:
    return count(model.setting.threads, "thread")


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them: ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def sentence(text: str) -> str:
    """`text` as a sentence begins; a symbol as in ``g=3`` stays as it is."""
    return text[:1].upper() + text[1:] if text[1:2].isalpha() else text


def _decimals(value: float, digits: int) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
