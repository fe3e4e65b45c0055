"""Numbers, intervals and settings in words, the same in every kind of report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shufflenet_deploy.bench.summary import Estimate, Setting

MISSING = "–"  # noqa: RUF001  what a table's empty cell holds
_LEAST, _MOST = 3, 4
"""Significant digits of a figure without and with a narrow interval."""


def number(value: float | None, digits: int = _LEAST) -> str:
    """`value` with so many significant digits and never an exponent."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.{_decimals(value, digits)}f}"


def share(value: float | None) -> str:
    """A share of 1 in percent."""
    return MISSING if value is None else f"{100 * value:.0f} %"


def value_of(estimate: Estimate | None) -> str:
    """The figure alone, with as many digits as its interval justifies."""
    return MISSING if estimate is None else f"{estimate.value:.{_places(estimate)}f}"


def interval_of(estimate: Estimate | None) -> str:
    """The 95% interval alone, such as ``2.68 to 2.74``."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return MISSING
    places = _places(estimate)
    return f"{estimate.low:.{places}f} to {estimate.high:.{places}f}"


def with_interval(estimate: Estimate | None) -> str:
    """Figure and interval, such as ``2.71 (2.68 to 2.74)``."""
    interval = interval_of(estimate)
    value = value_of(estimate)
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


def how(setting: Setting) -> str:
    """All of a setting but the input's size; what is usual goes without saying."""
    words = [
        setting.engine or setting.format,
        setting.precision,
        None if setting.lowering in (None, "fast") else f"{setting.lowering} lowering",
        count(setting.threads, "thread"),
    ]
    return ", ".join(word for word in words if word)


def where(setting: Setting) -> str:
    """A whole setting."""
    return f"{size(setting)}, {how(setting)}"


def count(number: int, thing: str) -> str:
    """A number of things, in the right grammatical number."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them: ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def sentence(text: str) -> str:
    """`text` as a sentence begins; a symbol as in ``g=3`` stays as it is."""
    return text[:1].upper() + text[1:] if text[1:2].isalpha() else text


def _places(estimate: Estimate) -> int:
    """Decimals that show two digits of half the interval, and not more than make sense."""
    least = _decimals(estimate.value, _LEAST)
    if estimate.low is None or estimate.high is None or estimate.high <= estimate.low:
        return least
    wanted = _decimals((estimate.high - estimate.low) / 2, 2)
    return min(max(wanted, least), _decimals(estimate.value, _MOST))


def _decimals(value: float, digits: int) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
