from __future__ import annotations

import pytest

from shufflenet_deploy.bench.analysis.summary import Estimate, Setting
from shufflenet_deploy.bench.analysis.wording import (
    MISSING,
    band,
    briefly_where,
    count,
    decimal,
    interval_ms,
    interval_of,
    listed,
    milliseconds,
    number,
    sentence,
    where,
    with_interval,
)


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


def test_a_figure_and_its_interval_have_equally_many_decimals() -> None:
    assert with_interval(an_estimate(2.7134, 2.7101, 2.7167), 3) == "2.713 (2.710 to 2.717)"
    assert with_interval(an_estimate(2.7134, 2.1, 3.4)) == "2.71 (2.10 to 3.40)"


@pytest.mark.parametrize(
    ("value", "written", "interval"),
    [
        (184.374, "184.37", "182.53 to 186.22"),
        (1.0, "1.00", "0.99 to 1.01"),
        (0.34567, "0.346", "0.342 to 0.349"),
        (0.012345, "0.0123", "0.0122 to 0.0125"),
    ],
)
def test_a_latency_has_two_decimals_and_a_tiny_one_three_digits(
    value: float, written: str, interval: str
) -> None:
    assert milliseconds(value) == written
    assert interval_ms(an_estimate(value, 0.99 * value, 1.01 * value)) == interval
    assert (milliseconds(None), interval_ms(None)) == (MISSING, MISSING)


def test_a_column_s_decimals_are_the_same_unless_few_digits_would_be_left() -> None:
    assert decimal(1e-15, 1) == "0.0"
    assert decimal(38_000_000, 1, 1e-6, digits=2) == "38.0"
    assert decimal(490_000, 1, 1e-6, digits=2) == "0.49"
    assert decimal(0, 1, digits=2) == "0.0"
    assert decimal(None, 1) == MISSING


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
    assert where(usual) == "litert 2.3.0, 480x640, fp32, 1 thread"
    assert briefly_where(usual) == "litert 2.3.0 480x640 fp32 1 thread"
    assert where(foreign) == "onnx, size unknown, 4 threads"


def test_words_are_listed_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_sentence_begins_with_a_large_letter_but_a_symbol_stays() -> None:
    assert sentence("every cut") == "Every cut"
    assert sentence("g=3 is good") == "g=3 is good"
    assert sentence("") == ""


@pytest.mark.parametrize(
    ("number", "thing", "said"),
    [(1, "process", "1 process"), (5, "process", "5 processes"), (0, "run", "0 runs")],
)
def test_things_are_counted_in_their_grammatical_number(number: int, thing: str, said: str) -> None:
    assert count(number, thing) == said
