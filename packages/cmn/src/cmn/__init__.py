"""Collaborative Memory Network: latent factors joined with attention over neighbourhoods.

Names are imported when first used, so that the command line's help needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmn.baselines import make_baseline
    from cmn.baselines.item_knn import ItemKNN
    from cmn.baselines.popularity import Popularity
    from cmn.datasets import load_dataset
    from cmn.errors import CMNError
    from cmn.evaluation import Evaluation, assess, evaluate
    from cmn.interactions import Dataset, HeldOut, Interactions, from_pairs
    from cmn.readers import read_interactions
    from cmn.recommender import CMN
    from cmn.significance import interval, paired
    from cmn.splits import Split, split_dataset, with_rivals

__all__ = [
    "CMN",
    "CMNError",
    "Dataset",
    "Evaluation",
    "HeldOut",
    "Interactions",
    "ItemKNN",
    "Popularity",
    "Split",
    "assess",
    "evaluate",
    "from_pairs",
    "interval",
    "load_dataset",
    "make_baseline",
    "paired",
    "read_interactions",
    "split_dataset",
    "with_rivals",
]

_HOMES = {
    "CMN": "cmn.recommender",
    "CMNError": "cmn.errors",
    "Dataset": "cmn.interactions",
    "HeldOut": "cmn.interactions",
    "Interactions": "cmn.interactions",
    "ItemKNN": "cmn.baselines.item_knn",
    "Popularity": "cmn.baselines.popularity",
    "Split": "cmn.splits",
    "Evaluation": "cmn.evaluation",
    "assess": "cmn.evaluation",
    "evaluate": "cmn.evaluation",
    "interval": "cmn.significance",
    "make_baseline": "cmn.baselines",
    "paired": "cmn.significance",
    "with_rivals": "cmn.splits",
    "from_pairs": "cmn.interactions",
    "load_dataset": "cmn.datasets",
    "read_interactions": "cmn.readers",
    "split_dataset": "cmn.splits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cmn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
