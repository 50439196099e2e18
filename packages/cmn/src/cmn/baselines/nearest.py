"""Pruning: of each row of a similarity matrix only the k largest entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS_AT_A_TIME = 2048


def check_neighbours(neighbours: int) -> int:
    """Returns k if it is at least 1.

    Raises:
        ParameterError: it is not.
    """
    if neighbours < 1:
        raise ParameterError(f"neighbours is {neighbours}; at least 1 is allowed")
    return neighbours


def keep_nearest(similarity: sparse.csr_array, first: int, neighbours: int) -> sparse.csr_array:
    """Keeps the k largest entries of each row, the row's own column not among them.

    Args:
        similarity: CSR (R, N), rows `first` to `first` + R of an N x N matrix.
        first: number of the first row.
        neighbours: k; of equal entries those with the lower column are kept.

    Returns:
        CSR (R, N) with at most k entries in a row.
    """
    rows = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
    columns, values = similarity.indices, similarity.data
    other = columns != rows + first
    rows, columns, values = rows[other], columns[other], values[other]
    order = np.lexsort((columns, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    starts = np.searchsorted(rows, rows)
    kept = np.arange(rows.size) - starts < neighbours
    return sparse.csr_array((values[kept], (rows[kept], columns[kept])), similarity.shape)


def nearest_rows(
    block: Callable[[slice], sparse.csr_array], size: int, neighbours: int
) -> sparse.csr_array:
    """Returns an N x N similarity pruned row by row, made a block of rows at a time.

    Args:
        block: gives the rows of a slice, CSR (R, N).
        size: N.
        neighbours: k.
    """
    parts = [
        keep_nearest(block(slice(start, start + ROWS_AT_A_TIME)), start, neighbours)
        for start in range(0, size, ROWS_AT_A_TIME)
    ]
    return sparse.vstack(parts, format="csr")
