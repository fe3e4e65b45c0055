"""The arithmetic of windows, against PyTorch and against TensorFlow's documented formula."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from shufflenet_deploy.export.graph.windows import adaptive_average_weights, is_same_padding

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(before=sizes, after=sizes)
def test_adaptive_average_is_pytorchs(before: tuple[int, int], after: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=before)
    expected = functional.adaptive_avg_pool2d(torch.from_numpy(x)[None, None], after)
    pooled = (adaptive_average_weights(before, after) @ x.ravel()).reshape(after)
    np.testing.assert_allclose(pooled, expected[0, 0].numpy(), atol=1e-12)


@given(size=sizes, kernel=st.integers(1, 5), stride=st.integers(1, 4))
def test_same_padding_that_is_accepted_gives_same_windows(
    size: tuple[int, int], kernel: int, stride: int
) -> None:
    padding = kernel // 2
    if not is_same_padding(size, (kernel, kernel), (stride, stride), (padding, padding)):
        return
    for side in size:
        windows = (side + 2 * padding - kernel) // stride + 1
        assert windows == -(-side // stride)


def test_the_papers_case() -> None:
    # 3x3, stride 2: SAME pads an even map on one side only, an odd one on both.
    assert not is_same_padding((224, 224), (3, 3), (2, 2), (1, 1))
    assert is_same_padding((225, 225), (3, 3), (2, 2), (1, 1))
    assert is_same_padding((28, 28), (3, 3), (1, 1), (1, 1))
