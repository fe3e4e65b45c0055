"""Seeded inputs that are the same numbers on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.seeded import seeded_images, to_layout

_SIDES = st.integers(1, 70)
_SEEDS = st.integers(0, 2**32 - 10)


def test_the_numbers_are_the_ones_they_always_were() -> None:
    """Every manifest holds the logits of such an image: other numbers would refuse them all."""
    images = seeded_images(2, (33, 40), seed=7)
    assert hashlib.sha256(images.astype("<f4").tobytes()).hexdigest() == (
        "4f7eba0de1b54a43c9f8cf3f83bd2701441726b20144a507e3ca45cb0334f24b"
    )


@given(height=_SIDES, width=_SIDES, seed=_SEEDS, count=st.integers(1, 4))
def test_image_i_is_the_one_image_of_seed_plus_i(
    height: int, width: int, seed: int, count: int
) -> None:
    images = seeded_images(count, (height, width), seed)
    assert images.shape == (count, height, width, 3)
    assert images.dtype == np.float32
    for index, image in enumerate(images):
        np.testing.assert_array_equal(image, seeded_images(1, (height, width), seed + index)[0])


@given(seed=_SEEDS)
def test_different_seeds_make_different_images(seed: int) -> None:
    first, second = seeded_images(2, (8, 8), seed)
    assert not np.array_equal(first, second)


def test_mean_is_zero_and_variance_one() -> None:
    images = seeded_images(16, (224, 224), seed=0)
    assert images.mean() == pytest.approx(0.0, abs=0.05)  # three standard errors, of the blocks
    assert images.var() == pytest.approx(1.0, abs=0.05)


def test_images_differ_by_more_than_noise() -> None:
    """Of noise alone a global mean would leave 1/224: every image would look the same."""
    means = seeded_images(16, (224, 224), seed=0).mean(axis=(1, 2))
    assert means.std() > 0.05


@given(height=_SIDES, width=_SIDES)
def test_layouts_hold_the_same_values_in_contiguous_memory(height: int, width: int) -> None:
    images = seeded_images(2, (height, width), seed=1)
    first, last = to_layout(images, "NCHW"), to_layout(images, "NHWC")
    assert first.shape == (2, 3, height, width)
    assert first.flags.c_contiguous
    assert last.flags.c_contiguous
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), images)
    np.testing.assert_array_equal(last, images)


def test_an_unknown_layout_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="layout 'CHWN': NHWC or NCHW"):
        to_layout(seeded_images(1, (2, 2), seed=0), "CHWN")
