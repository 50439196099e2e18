"""Similarity: rows of a memory that point the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmn.errors import ParameterError
from cmn.evaluation import best_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.identifiers import Identifiers


def most_similar(
    memory: NDArray[np.float32], known: Identifiers, rows: NDArray[np.int64], n: int
) -> tuple[NDArray[np.generic], NDArray[np.float32]]:
    """Returns the ids of the n rows nearest by cosine to each of some rows, and cosines, (B, n).

    The row itself is not among them.

    Args:
        memory: (N, d).
        known: ids of its N rows.
        rows: (B,) row numbers.
        n: 1 to N - 1.

    Raises:
        ParameterError: n is out of range.
    """
    if not 1 <= n < len(known):
        raise ParameterError(f"n is {n}; 1 to {len(known) - 1} is allowed")
    lengths = np.maximum(np.linalg.norm(memory, axis=1, keepdims=True), np.float32(1e-12))
    directions = memory / lengths
    cosines = directions[rows] @ directions.T
    cosines[np.arange(rows.size), rows] = -np.inf
    best = best_columns(cosines, n)
    return known.of(best), np.take_along_axis(cosines, best, axis=1)
