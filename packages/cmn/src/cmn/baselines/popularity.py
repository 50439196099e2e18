"""Popularity: every user is offered the items with the most training users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmn.baselines.baseline import Baseline

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


class Popularity(Baseline):
    """Scores an item by its number of training users."""

    def _learn(self, matrix: sparse.csr_array) -> None:
        self._counts = matrix.sum(axis=0).astype(np.float32)

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(self._counts, (len(rows), 1))
