"""EASE^R: the linear item-item model with a closed form (Steck, 2019), solved on the small side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from cmn.baselines.baseline import Baseline
from cmn.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_AT_A_TIME = 1024


class EASE(Baseline):
    """Scores X B, where B minimises |X - X B|^2 + l2 |B|^2 with a diagonal of zeros.

    With C = (X'X + l2 I)^-1 the solution is B = I - C diag(C)^-1, so user u's scores are
    x_u - (x_u C) / diag(C). With fewer users than items the same numbers come from the P x P
    inverse G = (XX' + l2 I)^-1: x_u C = (G X)_u and diag(C)_i = (1 - x_i' G x_i) / l2.
    The work is min(P, Q)^3 and the memory 8 min(P, Q)^2 bytes, not the usual Q^3 and Q^2.

    The default is the value that Dacrema et al. (2021) tuned on citeulike-a's validation set.

    Args:
        l2: weight of the penalty, at least 0.001: below, rounding errors would show.
        memory_gb: bound on the inverse, in 1e9 bytes; the default lets min(P, Q) be 22,360.

    Attributes:
        inverse: after `fit`, G (P, P) if there are fewer users than items, otherwise C (Q, Q).
        diagonal: of C, (Q,).

    Raises:
        ParameterError: a hyperparameter is out of its range.
    """

    def __init__(self, l2: float = 523.0, memory_gb: float = 4.0) -> None:
        for name, value, least in (("l2", l2, 0.001), ("memory_gb", memory_gb, 0)):
            if not (np.isfinite(value) and value >= least):
                raise ParameterError(
                    f"{name} is {value}; a finite number of at least {least} is allowed"
                )
        self.l2 = l2
        self.memory_gb = memory_gb

    def _learn(self, matrix: sparse.csr_array) -> None:
        matrix = matrix.astype(np.float64)
        size = min(matrix.shape)
        needed = 8 * size**2 / 1e9
        if needed > self.memory_gb:
            raise ParameterError(
                f"EASE needs {needed:.1f} GB for the {size} x {size} inverse of"
                f" {matrix.shape[0]} users and {matrix.shape[1]} items;"
                f" memory_gb is {self.memory_gb}"
            )
        if matrix.shape[0] < matrix.shape[1]:
            self.inverse = _inverse_gram(matrix, self.l2)
            self.diagonal = (1 - _quadratic_forms(self.inverse, matrix)) / self.l2
        else:
            self.inverse = _inverse_gram(matrix.T.tocsr(), self.l2)
            self.diagonal = self.inverse.diagonal()
        self._matrix = matrix
        self._by_item = sparse.csr_array(matrix.T.tocsr())

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        rated = self._matrix[rows]
        if self._matrix.shape[0] < self._matrix.shape[1]:
            product = self.inverse[rows] @ self._matrix
        else:
            product = rated @ self.inverse
        return (rated.toarray() - product / self.diagonal).astype(np.float32)

    def score_candidates(
        self, rows: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns scores (B, n) for row numbers (B,) and column numbers (B, n).

        Raises:
            NotFittedError: before `fit`.
        """
        self.train_matrix  # noqa: B018  refuses an unfitted model
        small = self._matrix.shape[0] < self._matrix.shape[1]
        scores = np.empty(candidates.shape, dtype=np.float32)
        for place, (row, columns) in enumerate(zip(rows, candidates, strict=True)):
            rated = self._matrix[[row]]
            if small:
                product = self._by_item[columns] @ self.inverse[row]
            else:
                product = self.inverse[np.ix_(rated.indices, columns)].sum(axis=0)
            known = np.isin(columns, rated.indices)
            scores[place] = known - product / self.diagonal[columns]
        return scores

    def score_histories(self, histories: sparse.csr_array) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users who need not have been there, binary CSR (B, Q).

        Raises:
            NotFittedError: before `fit`.
        """
        self.train_matrix  # noqa: B018  refuses an unfitted model
        rated = histories.astype(np.float64)
        if self._matrix.shape[0] < self._matrix.shape[1]:
            shared = (rated @ self._matrix.T).toarray()
            product = (rated.toarray() - (shared @ self.inverse) @ self._matrix) / self.l2
        else:
            product = rated @ self.inverse
        return (rated.toarray() - product / self.diagonal).astype(np.float32)


def _inverse_gram(rows: sparse.csr_array, l2: float) -> NDArray[np.float64]:
    """Returns (A A' + l2 I)^-1, (n, n), for A of shape (n, m), by Cholesky in one n x n array."""
    size = rows.shape[0]
    columns = rows.T.tocsr()
    gram = np.empty((size, size))
    for start in range(0, size, ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        gram[part] = (rows[part] @ columns).toarray()
    gram[np.diag_indices(size)] += l2
    factor, failed = lapack.dpotrf(gram.T, lower=0, overwrite_a=1)
    if not failed:
        factor, failed = lapack.dpotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ParameterError(f"l2 is {l2}; too small to invert this matrix, a larger one is needed")
    for start in range(0, size, ROWS_AT_A_TIME):  # only the upper triangle was computed
        part = slice(start, start + ROWS_AT_A_TIME)
        square = np.triu(factor[part, part])
        factor[part, part] = square + np.triu(square, 1).T
        factor[start + ROWS_AT_A_TIME :, part] = factor[part, start + ROWS_AT_A_TIME :].T
    return factor.T  # symmetric, and its rows lie together


def _quadratic_forms(inverse: NDArray[np.float64], matrix: sparse.csr_array) -> NDArray[np.float64]:
    """Returns x_i' G x_i for each column x_i of a P x Q matrix, (Q,)."""
    total = np.zeros(matrix.shape[1])
    for start in range(0, matrix.shape[0], ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        total += matrix[part].multiply(inverse[part] @ matrix).sum(axis=0)
    return total
