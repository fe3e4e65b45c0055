from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shufflenet_deploy.bench.accuracy.statistics import (
    mcnemar_p,
    ranks,
)


@pytest.mark.parametrize("images", range(11))
def test_mcnemar_against_brute_force(images: int) -> None:
    falls = [sum(coins) for coins in product((0, 1), repeat=images)]
    for gained in range(images + 1):
        unevenness = abs(2 * gained - images)
        as_uneven = sum(abs(2 * fall - images) >= unevenness for fall in falls)
        wanted = Fraction(as_uneven, len(falls))
        assert mcnemar_p(images - gained, gained) == pytest.approx(float(wanted))


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1), (0, 1, 1), (0, 6, 2 / 64), (1, 5, 14 / 64), (7, 7, 1)]
)
def test_mcnemar_of_known_counts(lost: int, gained: int, p: float) -> None:
    assert mcnemar_p(lost, gained) == pytest.approx(p)


@given(st.integers(0, 500), st.integers(0, 500))
def test_mcnemar_is_symmetric_and_a_probability(lost: int, gained: int) -> None:
    p = mcnemar_p(lost, gained)
    assert p == mcnemar_p(gained, lost)
    assert 0 <= p <= 1
    assert mcnemar_p(lost, gained + lost + 1) <= mcnemar_p(lost, gained + lost)


def test_mcnemar_of_more_images_than_a_float_holds() -> None:
    lost, gained = 4900, 5100
    normal = math.erfc((gained - lost - 1) / math.sqrt(2 * (lost + gained)))
    assert mcnemar_p(lost, gained) == pytest.approx(normal, rel=1e-3)
    assert mcnemar_p(0, 50_000) == 0


@given(
    st.tuples(st.integers(1, 8), st.integers(1, 7)).flatmap(
        lambda shape: st.tuples(
            arrays.arrays(np.int8, shape, elements=st.integers(-3, 3)),
            arrays.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)),
        )
    )
)
def test_ranks_are_places_in_a_stable_order(
    drawn: tuple[
        np.ndarray[tuple[int, int], np.dtype[np.int8]], np.ndarray[tuple[int], np.dtype[np.int64]]
    ],
) -> None:
    logits, classes = drawn
    orders = np.argsort(-logits.astype(int), axis=1, kind="stable").tolist()
    found = ranks(logits, classes)
    assert found.tolist() == [
        order.index(own) for order, own in zip(orders, classes.tolist(), strict=True)
    ]
    assert ((found == 0) == (logits.argmax(axis=1) == classes)).all()
