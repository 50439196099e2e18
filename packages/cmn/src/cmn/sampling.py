"""Sampling: negatives drawn uniformly from the items a user has not interacted with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmn.errors import InteractionsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse


ROWS_AT_A_TIME = 2**14  # drawn in one go, in the order of one batch after the other


class NegativeSampler:
    """Draws items that have at least one training user and that the given user has not seen.

    A user with seen items s_0 < s_1 < ... among Q eligible ones has Q - |s| negatives. The r-th of
    them is r + #{k : s_k - k <= r}, found for all draws at once by one binary search.

    Args:
        matrix: binary training CSR (P, Q) with sorted rows.

    Raises:
        InteractionsError: every user has seen every item.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        degrees = np.diff(matrix.indptr).astype(np.int64)
        self._eligible, seen = np.unique(matrix.indices, return_inverse=True)
        self._free = self._eligible.size - degrees
        if not (self._free[degrees > 0] > 0).any():
            raise InteractionsError(
                f"every user has interacted with all {self._eligible.size} items;"
                " there is nothing to rank"
            )
        users = np.repeat(np.arange(degrees.size, dtype=np.int64), degrees)
        order = np.arange(seen.size, dtype=np.int64) - matrix.indptr[:-1].astype(np.int64)[users]
        self._stride = self._eligible.size + 1
        self._keys = users * self._stride + (seen - order)
        self._starts = matrix.indptr[:-1].astype(np.int64)
        learnable = self._free[users] > 0
        self.users: NDArray[np.int64] = users[learnable]
        self.items: NDArray[np.int64] = matrix.indices[learnable].astype(np.int64)

    def draw(
        self, users: NDArray[np.int64], negatives: int, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Returns negatives of shape (B, k), uniform and independent, for users of shape (B,)."""
        repeated = np.repeat(users, negatives)
        ranks = generator.integers(self._free[repeated])
        found = np.searchsorted(self._keys, repeated * self._stride + ranks, side="right")
        return self._eligible[ranks + found - self._starts[repeated]].reshape(-1, negatives)

    def epoch(
        self,
        batch_size: int,
        negatives: int,
        generator: np.random.Generator,
        *,
        triples: bool = False,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yields (users (B,), items (B, 1 + n)) over all positives, shuffled; the positive first.

        Args:
            batch_size: B, fewer in the last batch.
            negatives: k for each positive.
            generator: source of order and negatives.
            triples: shuffle the positive's k triples apart, so that n is 1 and a positive comes k
                times, as in the paper; otherwise it comes once with all its n = k negatives.
        """
        repeats, width = (negatives, 1) if triples else (1, negatives)
        order = generator.permutation(self.users.size * repeats)
        at_a_time = batch_size * max(1, ROWS_AT_A_TIME // batch_size)
        for start in range(0, order.size, at_a_time):
            chosen = order[start : start + at_a_time] // repeats
            users = self.users[chosen]
            items = np.column_stack([self.items[chosen], self.draw(users, width, generator)])
            for first in range(0, users.size, batch_size):
                batch = slice(first, first + batch_size)
                yield users[batch], items[batch]
