"""Item-KNN: items similar to those a user has, by the cosine of their user sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.baselines.nearest import check_neighbours, nearest_rows
from cmn.errors import NotFittedError
from cmn.interactions import binary_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ItemKNN:
    """Scores item i for user u by the sum over j in I(u) of cos(i, j), j among the k nearest of i.

    Args:
        neighbours: k, at least 1.

    Raises:
        ParameterError: `neighbours` is below 1.
    """

    def __init__(self, neighbours: int = 100) -> None:
        self.neighbours = check_neighbours(neighbours)
        self._matrix: sparse.csr_array | None = None
        self._similarity: sparse.csr_array | None = None

    def fit(self, interactions: sparse.csr_array) -> ItemKNN:
        """Finds the k nearest items of each item of a P x Q matrix; returns itself."""
        self._matrix = binary_csr(interactions)
        lengths = np.sqrt(self._matrix.sum(axis=0))
        inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        columns = sparse.csr_array(self._matrix @ sparse.diags_array(inverse))
        items = columns.T.tocsr()
        nearest = nearest_rows(lambda rows: items[rows] @ columns, items.shape[0], self.neighbours)
        self._similarity = nearest.T.tocsr()
        return self

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""
        if self._matrix is None or self._similarity is None:
            raise NotFittedError("ItemKNN has not been fitted; call fit first")
        return (self._matrix[users] @ self._similarity).toarray().astype(np.float32)
