"""Several good solutions that differ: the search improves them in turn.

At each turn it stays away from the better ones, and what is to be beaten is the best elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.acquisition import Belief
from sigopt_orchestrate.optimizer.correlation import Array

_RADIUS = 0.2  # of the unit cube, in the coordinate that differs most
_SHARPNESS = 8


def solutions(X: Array, outcomes: Array, counts: NDArray[np.bool_], count: int) -> list[Array]:
    """Returns the `count` best points that lie apart, `(d,)` each, or as many as there are.

    Args:
        X: Points, `(n, d)`.
        outcomes: More is better, `(n,)`.
        counts: Which of them may be solutions, `(n,)`.
        count: How many are wanted.
    """
    found: list[Array] = []
    for i in np.argsort(-outcomes, kind="stable"):
        if len(found) == count:
            break
        if counts[i] and elsewhere(X[[i]], found)[0]:
            found.append(X[i])
    return found


def elsewhere(X: Array, found: list[Array]) -> NDArray[np.bool_]:
    """Returns which points lie apart from all that are found, `(n,)`."""
    away = np.ones(len(X), dtype=bool)
    for point in found:
        away &= np.abs(X - point).max(1) > _RADIUS
    return away


def apart_from(point: Array) -> Belief:
    """Returns the belief that nothing is to be looked for near a point, `(d,)`."""

    def belief(X: Array) -> tuple[Array, Array]:
        # A smooth stand-in for the largest difference: the norm of a high order.
        scaled = (X - point) / _RADIUS
        powers = (scaled**_SHARPNESS).sum(1)  # far below 1 inside, far above it outside
        value = -np.log1p(1.0 / np.maximum(powers, 1e-12) ** 2)
        factor = 2.0 / (np.maximum(powers, 1e-12) * (1.0 + powers**2))
        slope = _SHARPNESS * scaled ** (_SHARPNESS - 1) / _RADIUS
        return value, factor[:, None] * slope

    return belief
