"""PureSVD: the best low-rank approximation of the matrix (Cremonesi, Koren, Turrin, 2010)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.linalg import svds

from cmn.baselines.baseline import Baseline
from cmn.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


class PureSVD(Baseline):
    """Scores X_f = U_f S_f V_f', the f largest singular triples of the P x Q matrix.

    Args:
        factors: f, at least 1 and below both P and Q. The default is a plain one, not tuned.
        seed: of the solver's start vector, at least 0; it moves scores by rounding errors only.

    Raises:
        ParameterError: a hyperparameter is out of its range.
    """

    def __init__(self, factors: int = 250, seed: int = 0) -> None:
        for name, value, least in (("factors", factors, 1), ("seed", seed, 0)):
            if value < least:
                raise ParameterError(f"{name} is {value}; at least {least} is allowed")
        self.factors = factors
        self.seed = seed

    def _learn(self, matrix: sparse.csr_array) -> None:
        matrix = matrix.astype(np.float64)
        size = min(matrix.shape)
        if self.factors >= size:
            raise ParameterError(
                f"factors is {self.factors}; below {size} is allowed for PureSVD of"
                f" {matrix.shape[0]} users and {matrix.shape[1]} items"
            )
        start = np.random.default_rng(self.seed).standard_normal(size)
        left, singular, right = svds(matrix, k=self.factors, v0=start, solver="arpack")
        self._left = left * singular
        self._right = right

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return (self._left[rows] @ self._right).astype(np.float32)
