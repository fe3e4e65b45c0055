"""Weights on the grid of their 8 bits, rounded to the least error of the output.

The largest weight of a channel stays where it is, on the grid's last step, so that a quantiser
which makes the grid from the rounded weights finds the same one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from shufflenet_deploy.models.quantisation import LAST_STEP, weight_steps

DAMPING = 0.01
"""What is added to the Hessian's diagonal, by its mean: as Frantar et al. have it, section 3.3."""


def least_error(weights: Tensor, bias: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (G, O, K) on their steps, and the bias (G, O) that goes with them.

    Rounded one input after another, the error that each leaves carried over to those that are
    still to come and at last to the bias, so that the output's squared error becomes small: GPTQ,
    Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
    Transformers" (2022), section 3. `moments` (G, K + 1, K + 1) are the means of products of the
    inputs, a 1 put after them.
    """
    count = weights.shape[-1]
    damped = damp(moments, DAMPING)
    order = damped.diagonal(dim1=1, dim2=2)[:, :count].argsort(dim=1, descending=True)
    with_bias = torch.cat([order, torch.full_like(order[:, :1], count)], dim=1)
    damped = damped.gather(1, with_bias[:, :, None].expand_as(damped))
    damped = damped.gather(2, with_bias[:, None, :].expand_as(damped))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    carry = torch.linalg.cholesky(inverse, upper=True)

    step = weight_steps(weights).double()
    across = order[:, None, :].expand_as(weights)
    left = torch.cat([weights.gather(2, across), bias[:, :, None]], dim=2).double()
    ends = (weights.abs() == weights.abs().amax(-1, keepdim=True)).gather(2, across)
    signs = left.sign() * LAST_STEP
    for index in range(count):
        wanted = left[:, :, index]
        on_grid = (wanted / step).round().clamp(-LAST_STEP, LAST_STEP)
        on_grid = torch.where(ends[:, :, index], signs[:, :, index], on_grid) * step
        error = (wanted - on_grid) / carry[:, index, index, None]
        left[:, :, index:] -= error[:, :, None] * carry[:, index, None, index:]
        left[:, :, index] = on_grid
    placed = torch.empty_like(left[:, :, :count]).scatter_(2, across, left[:, :, :count])
    return placed, left[:, :, count]


def damp(moments: Tensor, share: float) -> Tensor:
    """`moments` (G, K + 1, K + 1) in float64 with `share` of their mean diagonal on top.

    So what has no inverse gets one: inputs that are always 0, or always equal.
    """
    damped = moments.double().clone()
    diagonal = damped.diagonal(dim1=1, dim2=2)
    mean = diagonal[:, :-1].mean(dim=1, keepdim=True)
    diagonal[:, :-1] += share * mean + 1e-12
    diagonal[:, -1:] += 1e-6 * mean + 1e-12
    return damped
