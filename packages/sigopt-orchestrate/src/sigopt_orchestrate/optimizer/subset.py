"""Which observations the model is given where there are more than it can take.

The best, those nearest to the best, and an even share of the rest: near the incumbents the model
is as sharp as with all of them, far away it still knows the landscape. While all fit, all are
taken, and the first one that does not is the least telling, so that nothing jumps.
"""

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.correlation import Array

LIMIT = 400
_BEST = 0.2
_NEAR = 0.5


def most_telling(X: Array, Y: Array, counts: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Returns the rows to model, the most telling ones first.

    Args:
        X: Points, `(n, d)`.
        Y: Their objectives, `(n, m)`; more is better.
        counts: Which of them may be an incumbent, `(n,)`.
    """
    n = len(X)
    worse = (~counts).astype(float)
    ranks = np.argsort(np.argsort(-Y, axis=0, kind="stable"), axis=0).min(1)
    order = np.lexsort((np.arange(n), ranks, worse))
    best, rest = order[: max(1, int(_BEST * LIMIT))], order[max(1, int(_BEST * LIMIT)) :]
    if n <= LIMIT:
        return np.concatenate((best, _alternating(X, best[0], rest))).astype(np.intp)
    near = _by_distance(X, best[0], rest)
    local, far = near[: int(_NEAR * LIMIT)], near[int(_NEAR * LIMIT) :]
    left = LIMIT - len(best) - len(local)
    spread = far[np.linspace(0, len(far) - 1, left).round().astype(int)]
    return np.concatenate((best, local, spread)).astype(np.intp)


def _by_distance(X: Array, centre: np.intp, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    distance = np.abs(X[rows] - X[centre]).max(1) if len(rows) else np.empty(0)
    return rows[np.lexsort((rows, distance))]


def _alternating(X: Array, centre: np.intp, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Near and far ones in turn: whoever takes the first of them gets some of each."""
    ordered = _by_distance(X, centre, rows)
    half = (len(ordered) + 1) // 2
    mixed = np.empty_like(ordered)
    mixed[0::2], mixed[1::2] = ordered[:half], ordered[half:]
    return mixed
