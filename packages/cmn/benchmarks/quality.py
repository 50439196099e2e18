"""Quality: rows C1 and C2 on citeulike-a (needs CMN_DATA), and C2 on MovieLens small.

Everything learns from the training part; validation chooses; the test part is read once for each
model, here. A peer comes with all its settings, and the best of them all is what each figure of
ours is held against: kinder to peers than settings chosen on validation.
"""

from functools import cache

import numpy as np
from results import measured

from cmn.baselines import make_baseline
from cmn.baselines.peers import ImplicitALS, ImplicitBPR
from cmn.datasets import load_dataset
from cmn.evaluation import evaluate
from cmn.ranking import Ranker
from cmn.recommender import CMN
from cmn.splits import Split, split_dataset

FIGURES = {
    "HR@10": "hr@10",
    "NDCG@10": "ndcg@10",
    "raw HR@10": "raw_hr@10",
    "raw NDCG@10": "raw_ndcg@10",
    "masked HR@10": "masked_hr@10",
    "masked NDCG@10": "masked_ndcg@10",
}
HELD_AGAINST = ("hr@10", "ndcg@10", "masked_hr@10", "masked_ndcg@10")
PEERS: dict[str, Ranker] = {
    "item-KNN": make_baseline("item-knn"),
    "RP3beta": make_baseline("rp3beta"),
    "EASE": make_baseline("ease"),
    "iALS 256": ImplicitALS(threads=1),
    "iALS 115": ImplicitALS(115, 15.4, regularization=1e-5, iterations=60, threads=1),
    "BPR 175": ImplicitBPR(threads=1),
    "BPR 100": ImplicitBPR(100, iterations=100, threads=1),
}


@cache
def _split(data: str) -> Split:
    return split_dataset(load_dataset(data), 0)


def _of(data: str, name: str, model: Ranker | CMN) -> dict[str, float]:
    return measured(f"{data} {name}", lambda: _measure(data, model))


def _measure(data: str, model: Ranker | CMN) -> dict[str, float]:
    split = _split(data)
    if isinstance(model, CMN):
        model.fit(split.train, split.validation)
    else:
        model.fit(split.train)
    test = evaluate(model.scorer, *split.part("test"))
    validation = evaluate(model.scorer, *split.part("validation"))
    return {key: test[key] for key in FIGURES.values() if key in test} | {
        "validation_ndcg@10": validation["ndcg@10"]
    }


def paper(seeds: tuple[int, ...] = (0, 1, 2)) -> list[str]:
    """C1: the paper's recipe to its last epoch; a quarter of an hour of one core each."""
    runs = [
        _of("citeulike-a", f"paper, seed {seed}", CMN(protocol="paper", engine="numba", seed=seed))
        for seed in seeds
    ]
    keys = {name: key for name, key in FIGURES.items() if name.startswith("raw")}
    name = f"C1, `paper`, citeulike-a, seeds {', '.join(map(str, seeds))}"
    return [f"| {name} | raw HR@10 >= .890, NDCG@10 >= .650 | {_cells(runs, keys)} |"]


def best(data: str, seeds: tuple[int, ...] = (0, 1, 2)) -> list[str]:
    """C2: `best` beside peers on the same split."""
    peers = {name: _of(data, name, model) for name, model in PEERS.items()}
    ours = [_of(data, f"best, seed {seed}", CMN(protocol="best", seed=seed)) for seed in seeds]
    keys = {name: key for name, key in FIGURES.items() if key in ours[0] and key in HELD_AGAINST}
    rows = [f"| C2, {data}, {name} | | {_cells([run], keys)} |" for name, run in peers.items()]
    most = {key: max(run[key] for run in peers.values()) for key in keys.values()}
    ahead = sum(np.mean([run[key] for run in ours]) > most[key] for key in most)
    name = f"C2, {data}, `best`, seeds {', '.join(map(str, seeds))}"
    verdict = f"{_cells(ours, keys)}: **ahead on {ahead} of {len(keys)}**"
    return [*rows, f"| {name} | above all peers | {verdict} |"]


def _cells(runs: list[dict[str, float]], keys: dict[str, str]) -> str:
    return ", ".join(
        f"{heading} {np.mean([run[key] for run in runs]):.4f}" for heading, key in keys.items()
    )
