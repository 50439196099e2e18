"""Random walks: RP3beta (Paudel et al., 2017) and P3alpha (Cooper et al., 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.baselines.baseline import Baseline
from cmn.baselines.nearest import check_neighbours, nearest_rows
from cmn.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RP3beta(Baseline):
    """Scores item i for user u by the three-step walk u -> j -> v -> i, popular i held back.

    With d_u = |I(u)| and d_i = |N(i)|: W_ij = d_i^-beta sum over v in N(i) and N(j) of
    (d_j d_v)^-alpha, kept for the k items j with the most of it, j other than i; score(u, i) = sum
    of W_ij over j in I(u). The walk's first factor d_u^-alpha is the same for all items of u and
    left out.

    The defaults are the values that Dacrema et al. (2021) tuned on citeulike-a's validation set.
    Their code keeps the k largest by j; by i, validation NDCG@10 there is .1794, not .1778.

    Args:
        neighbours: k, at least 1.
        alpha: exponent of the steps' probabilities, at least 0.
        beta: exponent of popularity, at least 0.

    Raises:
        ParameterError: a hyperparameter is out of its range.
    """

    def __init__(self, neighbours: int = 764, alpha: float = 0.711, beta: float = 0.2297) -> None:
        self.neighbours = check_neighbours(neighbours)
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not (np.isfinite(value) and value >= 0):
                raise ParameterError(f"{name} is {value}; a finite number of at least 0 is allowed")
        self.alpha = alpha
        self.beta = beta

    def _learn(self, matrix: sparse.csr_array) -> None:
        self._matrix = matrix.astype(np.float64)
        users = np.maximum(self._matrix.sum(axis=1), 1)
        items = np.maximum(self._matrix.sum(axis=0), 1)  # those without users have no entries
        to_users = sparse.csr_array(sparse.diags_array(items**-self.beta) @ self._matrix.T)
        to_items = sparse.csr_array(
            sparse.diags_array(users**-self.alpha)
            @ self._matrix
            @ sparse.diags_array(items**-self.alpha)
        )
        walk = nearest_rows(lambda rows: to_users[rows] @ to_items, items.size, self.neighbours)
        self._walk = walk.T.tocsr()

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return (self._matrix[rows] @ self._walk).toarray().astype(np.float32)


class P3alpha(RP3beta):
    """RP3beta with beta = 0: the plain walk.

    The defaults are the values that Dacrema et al. tuned on citeulike-a's validation set.

    Args:
        neighbours: k, at least 1.
        alpha: exponent of the steps' probabilities, at least 0.

    Raises:
        ParameterError: a hyperparameter is out of its range.
    """

    def __init__(self, neighbours: int = 743, alpha: float = 0.7226) -> None:
        super().__init__(neighbours, alpha, beta=0)
