"""Item-KNN: items similar to those a user has, by the cosine of their user sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.errors import NotFittedError, ParameterError
from cmn.interactions import binary_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

ITEMS_AT_A_TIME = 2048


class ItemKNN:
    """Scores item i for user u by the sum over j in I(u) of cos(i, j), j among the k nearest of i.

    Args:
        neighbours: k, at least 1.

    Raises:
        ParameterError: `neighbours` is below 1.
    """

    def __init__(self, neighbours: int = 100) -> None:
        if neighbours < 1:
            raise ParameterError(f"neighbours is {neighbours}; at least 1 is allowed")
        self.neighbours = neighbours
        self._matrix: sparse.csr_array | None = None
        self._similarity: sparse.csr_array | None = None

    def fit(self, interactions: sparse.csr_array) -> ItemKNN:
        """Finds the k nearest items of each item of a P x Q matrix; returns itself."""
        self._matrix = binary_csr(interactions)
        lengths = np.sqrt(self._matrix.sum(axis=0))
        inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        columns = sparse.csr_array(self._matrix @ sparse.diags_array(inverse))
        items = columns.T.tocsr()
        parts = [
            self._nearest(items[start : start + ITEMS_AT_A_TIME] @ columns, start)
            for start in range(0, items.shape[0], ITEMS_AT_A_TIME)
        ]
        self._similarity = sparse.vstack(parts, format="csr").T.tocsr()
        return self

    def _nearest(self, similarity: sparse.csr_array, first: int) -> sparse.csr_array:
        """Keeps the k largest entries of each row, the item itself not among them."""
        rows = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
        columns, values = similarity.indices, similarity.data
        other = columns != rows + first
        rows, columns, values = rows[other], columns[other], values[other]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        starts = np.searchsorted(rows, rows)
        kept = np.arange(rows.size) - starts < self.neighbours
        return sparse.csr_array((values[kept], (rows[kept], columns[kept])), similarity.shape)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""
        if self._matrix is None or self._similarity is None:
            raise NotFittedError("ItemKNN has not been fitted; call fit first")
        return (self._matrix[users] @ self._similarity).toarray().astype(np.float32)
