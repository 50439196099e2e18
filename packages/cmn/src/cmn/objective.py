"""Objective: the pairwise loss and the weight penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


def bpr_loss(positives: Tensor, negatives: Tensor) -> Tensor:
    """Returns the mean of -log sigmoid(r_ui+ - r_ui-) over all B k pairs (eq. 7), a scalar.

    Written as softplus, which neither overflows nor needs a small constant in the logarithm.

    Args:
        positives: r_ui+, (B,), scored once.
        negatives: r_ui-, (B, k), the k negatives of each positive.
    """
    return functional.softplus(negatives - positives[:, None]).mean()


def weight_penalty(weights: Iterable[Tensor]) -> Tensor:
    """Returns the sum of w^2 / 2 over all entries of all weights ("L2"), a scalar."""
    return torch.stack([weight.square().sum() for weight in weights]).sum() / 2
