"""Peers: models of other libraries, implicit and Cornac, with the interface of a baseline.

The defaults are the settings that did best on citeulike-a among a handful: of iALS those with the
best full ranking.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.baselines.baseline import Baseline
from cmn.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _require(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingDependencyError(
            f"this peer needs {library}, which the extra cmn[bench] brings;"
            f" install it with: pip install {library}"
        ) from error


class _Factors(Baseline):
    """Scores P Q', factors of users and items that another library has learnt."""

    _user_factors: NDArray[np.float32]
    _item_factors: NDArray[np.float32]

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._user_factors[rows] @ self._item_factors.T


class ImplicitALS(_Factors):
    """Weighted matrix factorisation by alternating least squares (Hu et al., 2008), implicit's.

    Args:
        factors: at least 1.
        alpha: weight of an interaction against what is missing.
        regularization: at least 0.
        iterations: at least 1.
        threads: 0 is as many as there are.
        seed: of the start.
    """

    def __init__(
        self,
        factors: int = 256,
        alpha: float = 10.0,
        *,
        regularization: float = 0.1,
        iterations: int = 20,
        threads: int = 0,
        seed: int = 0,
    ) -> None:
        self._settings = {
            "factors": factors,
            "alpha": alpha,
            "regularization": regularization,
            "iterations": iterations,
            "num_threads": threads,
            "random_state": seed,
        }

    def _learn(self, matrix: sparse.csr_array) -> None:
        model = _require("implicit.cpu.als").AlternatingLeastSquares(**self._settings)
        _fit_implicit(model, matrix)
        self._user_factors, self._item_factors = model.user_factors, model.item_factors


class ImplicitBPR(_Factors):
    """Matrix factorisation with the pairwise loss (Rendle et al., 2009), implicit's.

    Args:
        factors: at least 1.
        learning_rate: above 0.
        regularization: at least 0.
        iterations: at least 1.
        threads: 0 is as many as there are; with more than one, runs differ.
        seed: of start and samples.
    """

    def __init__(
        self,
        factors: int = 175,
        learning_rate: float = 0.05,
        *,
        regularization: float = 0.01,
        iterations: int = 300,
        threads: int = 0,
        seed: int = 0,
    ) -> None:
        self._settings = {
            "factors": factors,
            "learning_rate": learning_rate,
            "regularization": regularization,
            "iterations": iterations,
            "num_threads": threads,
            "random_state": seed,
        }

    def _learn(self, matrix: sparse.csr_array) -> None:
        model = _require("implicit.cpu.bpr").BayesianPersonalizedRanking(**self._settings)
        _fit_implicit(model, matrix)
        self._user_factors, self._item_factors = model.user_factors, model.item_factors


def _fit_implicit(model: Any, matrix: sparse.csr_array) -> None:
    """Fits a model of implicit, whose own threads and those of BLAS would hinder each other."""
    limits = _require("threadpoolctl").threadpool_limits
    with limits(1, "blas"):
        model.fit(sparse.csr_matrix(matrix), show_progress=False)


class CornacBPR(_Factors):
    """Matrix factorisation with the pairwise loss and item biases, Cornac's.

    Args:
        factors: at least 1.
        learning_rate: above 0.
        regularization: at least 0.
        iterations: at least 1.
        threads: 0 is as many as there are; with more than one, runs differ.
        seed: of start and samples.
    """

    def __init__(
        self,
        factors: int = 100,
        learning_rate: float = 0.05,
        *,
        regularization: float = 0.01,
        iterations: int = 200,
        threads: int = 0,
        seed: int = 0,
    ) -> None:
        self._settings = {
            "k": factors,
            "learning_rate": learning_rate,
            "lambda_reg": regularization,
            "max_iter": iterations,
            "num_threads": threads,
            "seed": seed,
        }

    def _learn(self, matrix: sparse.csr_array) -> None:
        model = _require("cornac.models").BPR(**self._settings)
        users, items = matrix.nonzero()
        rows = zip(users.tolist(), items.tolist(), np.ones(users.size).tolist(), strict=True)
        known = _require("cornac.data").Dataset.from_uir(list(rows))
        model.fit(known)
        # Cornac numbers users and items as they come; who does not come keeps zeros
        self._user_factors = np.zeros((matrix.shape[0], model.k + 1), np.float32)
        self._item_factors = np.zeros((matrix.shape[1], model.k + 1), np.float32)
        self._user_factors[:, -1] = 1
        rows_of, columns_of = (np.array(list(ids)) for ids in (known.uid_map, known.iid_map))
        self._user_factors[rows_of, :-1] = model.u_factors
        self._item_factors[columns_of, :-1] = model.i_factors
        self._item_factors[columns_of, -1] = model.i_biases
