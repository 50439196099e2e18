"""Baselines: simple peers with the estimator's interface.

Each has `fit(matrix)` and `score(users)`; `make_baseline` knows them by their names.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
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
_PEERS = {
    "implicit-als": ("peers", "ImplicitALS"),
    "implicit-bpr": ("peers", "ImplicitBPR"),
    "cornac-bpr": ("peers", "CornacBPR"),
}
BASELINES = tuple(_PLACES)
PEERS = tuple(_PEERS)


def installed_peers() -> tuple[str, ...]:
    """Returns the names of other libraries' models that can be run here."""
    return tuple(name for name in PEERS if find_spec(name.partition("-")[0]) is not None)


def make_baseline(name: str) -> Any:
    """Returns an unfitted baseline with its default hyperparameters.

    Args:
        name: one of `BASELINES` or `PEERS`.

    Raises:
        ParameterError: another name.
    """
    places = {**_PLACES, **_PEERS}
    if name not in places:
        raise ParameterError(f"baseline is {name!r}; {', '.join(places)} are allowed")
    module, kind = places[name]
    return getattr(import_module(f"cmn.baselines.{module}"), kind)()
