"""Baseline: what all of them share, `fit` on anything that holds interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from cmn.ranking import Ranker
from cmn.readers import as_interactions

if TYPE_CHECKING:
    from scipy import sparse


class Baseline(Ranker):
    """A model that learns from a binary matrix in `_learn` and scores rows in `_scores`."""

    def fit(self, X: Any) -> Self:
        """Learns from interactions; returns itself.

        Args:
            X: what `CMN.fit` takes.

        Raises:
            InteractionsError: the interactions are not usable.
            DataError: a table or file has no columns user and item, or cannot be read.
            ParameterError: a setting does not suit the size of the data.
        """
        interactions = as_interactions(X)
        self._learn(interactions.matrix)
        self._remember(interactions)
        return self

    def _learn(self, matrix: sparse.csr_array) -> None:
        """Learns from a binary float32 CSR (P, Q)."""
        raise NotImplementedError
