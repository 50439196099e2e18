"""Similarity: items and users whose memories point the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmn.errors import ParameterError
from cmn.evaluation import best_columns
from cmn.ranking import Ranker

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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


class MemoryRanker(Ranker):
    """A ranker with a memory of each user and item in its `network`."""

    @property
    def network(self) -> Any:
        """The fitted network.

        Raises:
            NotFittedError: before `fit`.
        """
        raise NotImplementedError

    def similar_items(
        self, items: ArrayLike, n: int = 10
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Returns the ids of the n items nearest to each by the cosine of e_i, and it, (B, n).

        Args:
            items: B ids.
            n: items wanted, from 1 to Q - 1.

        Raises:
            InteractionsError: an id is unknown.
            ParameterError: n is out of range.
            NotFittedError: before `fit`.
        """
        memory = self.network.item_memory.detach().numpy()
        return most_similar(memory, self._items, self._items.numbers(items), n)

    def similar_users(
        self, users: ArrayLike, n: int = 10
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Returns the ids of the n users nearest to each by the cosine of m_u; see above."""
        memory = self.network.user_memory.detach().numpy()
        return most_similar(memory, self._users, self._users.numbers(users), n)
