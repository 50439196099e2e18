"""Baselines: simple peers with the estimator's interface.

Each has `fit(matrix)` and `score(users)`; `make_baseline` knows them by their names.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cmn.errors import ParameterError

_PLACES = {
    "popularity": ("popularity", "Popularity"),
    "item-knn": ("item_knn", "ItemKNN"),
    "user-knn": ("user_knn", "UserKNN"),
    "p3alpha": ("random_walk", "P3alpha"),
    "rp3beta": ("random_walk", "RP3beta"),
    "pure-svd": ("pure_svd", "PureSVD"),
    "ease": ("ease", "EASE"),
    "gmf": ("pairwise_gmf", "PairwiseGMF"),
}
BASELINES = tuple(_PLACES)


def make_baseline(name: str) -> Any:
    """Returns an unfitted baseline with its default hyperparameters.

    Args:
        name: one of `BASELINES`.

    Raises:
        ParameterError: another name.
    """
    if name not in _PLACES:
        raise ParameterError(f"baseline is {name!r}; {', '.join(BASELINES)} are allowed")
    module, kind = _PLACES[name]
    return getattr(import_module(f"cmn.baselines.{module}"), kind)()
