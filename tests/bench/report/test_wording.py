from __future__ import annotations

import pytest

from shufflenet_deploy.bench.report.wording import (
    MISSING,
    band,
    interval_of,
    listed,
    number,
    sentence,
    where,
    with_interval,
)
from shufflenet_deploy.bench.summary import Estimate, Setting


def an_estimate(value: float, low: float | None, high: float | None) -> Estimate:
    return Estimate(value=value, low=low, high=high, processes=5, rounds=40)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.98765, "0.988"),
        (15.234, "15.2"),
        (1857.6, "1858"),
        (0, "0"),
        (-3.14159, "-3.14"),
        (None, MISSING),
        (float("nan"), MISSING),
    ],
)
def test_a_number_has_three_digits_and_no_exponent(value: float | None, written: str) -> None:
    assert number(value) == written


def test_a_narrow_interval_shows_more_digits_and_a_wide_one_does_not() -> None:
    assert with_interval(an_estimate(2.7134, 2.7101, 2.7167)) == "2.713 (2.710 to 2.717)"
    assert with_interval(an_estimate(2.7134, 2.1, 3.4)) == "2.71 (2.10 to 3.40)"


def test_an_estimate_of_one_process_says_that_it_has_no_interval() -> None:
    assert with_interval(an_estimate(2.7134, None, None)) == "2.71 (no interval)"
    assert interval_of(an_estimate(2.7134, None, None)) == MISSING


def test_a_band_may_be_open() -> None:
    assert band(1.25, 1.4) == "1.25 to 1.4"
    assert band(1.0, None) == "above 1"


def test_of_a_setting_what_is_usual_goes_without_saying() -> None:
    usual = Setting(
        engine="litert 2.3.0",
        format="tflite",
        input_size=(480, 640),
        precision="fp32",
        lowering="fast",
        threads=1,
    )
    foreign = Setting(
        engine="", format="onnx", input_size=None, precision=None, lowering=None, threads=4
    )
    assert where(usual) == "480x640, litert 2.3.0, fp32, 1 thread"
    assert where(foreign) == "size unknown, onnx, 4 threads"


def test_words_are_listed_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_sentence_begins_with_a_large_letter_but_a_symbol_stays() -> None:
    assert sentence("every cut") == "Every cut"
    assert sentence("g=3 is good") == "g=3 is good"
    assert sentence("") == ""
