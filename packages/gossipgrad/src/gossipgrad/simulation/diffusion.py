"""How many steps make all ranks agree, by schedule: the paper's log p, and what p makes of it.

Every rank moves a share of the way to what it receives, x <- x + s (P x - x) with P a permutation
and s one half (but for the exact topology's pairs), for all p ranks at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Partners = Callable[[int], tuple[NDArray[np.int64], NDArray[np.float64]]]

CONSENSUS = 1e-12
"""Variance, divided by that at the start, at which ranks count as agreed."""


def steps_to_consensus(
    partners: Partners,
    ranks: int,
    *,
    at_most: int = 400,
    seed: int = 0,
) -> int | None:
    """Returns the steps until the variance over ranks has fallen by 1e-12; None where it has not.

    Args:
        partners: Step to the rank that each receives from, (ranks,), a permutation, and the shares
            that they take of it, (ranks,).
        ranks: Number of ranks.
        at_most: Steps after which to give up.
        seed: Of the values that the ranks start from, normal and independent.
    """
    values = np.random.default_rng(seed).standard_normal(ranks)
    limit = CONSENSUS * values.var()
    for step in range(at_most):
        if values.var() <= limit:
            return step
        sources, shares = partners(step)
        values = values + shares * (values[sources] - values)
    return at_most if values.var() <= limit else None
