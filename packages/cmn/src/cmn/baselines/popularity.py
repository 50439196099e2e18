"""Popularity: every user is offered the items with the most training users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmn.errors import NotFittedError
from cmn.interactions import binary_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


class Popularity:
    """Scores an item by its number of training users."""

    def __init__(self) -> None:
        self._counts: NDArray[np.float32] | None = None

    def fit(self, interactions: sparse.csr_array) -> Popularity:
        """Counts the users of each item of a P x Q matrix; returns itself."""
        self._counts = binary_csr(interactions).sum(axis=0).astype(np.float32)
        return self

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns the same counts for each of users (B,), (B, Q)."""
        if self._counts is None:
            raise NotFittedError("Popularity has not been fitted; call fit first")
        return np.tile(self._counts, (len(users), 1))
