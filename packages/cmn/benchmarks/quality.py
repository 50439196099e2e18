"""Quality: rows C1 and C2 on citeulike-a (needs CMN_DATA), and C2 on MovieLens small.

Everything learns from the training part; validation chooses; the test part is read once, here.
"""

import numpy as np

from cmn.baselines import make_baseline
from cmn.datasets import load_dataset
from cmn.evaluation import evaluate
from cmn.recommender import CMN
from cmn.splits import Split, split_dataset

PEERS = ("item-knn", "rp3beta", "ease")
FIGURES = {
    "HR@10": "hr@10",
    "NDCG@10": "ndcg@10",
    "raw HR@10": "raw_hr@10",
    "raw NDCG@10": "raw_ndcg@10",
    "masked HR@10": "masked_hr@10",
    "masked NDCG@10": "masked_ndcg@10",
}


def paper() -> list[str]:
    """C1: the paper's recipe to its last epoch; half an hour on one core."""
    split = split_dataset(load_dataset("citeulike-a"), 0)
    model = CMN(protocol="paper").fit(split.train, split.validation)
    found = evaluate(model.scorer, *split.part("test"))
    measured = f"HR@10 {found['raw_hr@10']:.4f}, NDCG@10 {found['raw_ndcg@10']:.4f}"
    name = "C1, `paper`, citeulike-a, raw"
    return [f"| {name} | HR@10 >= .890, NDCG@10 >= .650 | {measured} |"]


def best(data: str, seeds: tuple[int, ...] = (0,)) -> list[str]:
    """C2: `best` beside tuned peers on the same split."""
    split = split_dataset(load_dataset(data), 0)
    rows = [_row(f"C2, {data}, {name}", [_peer(name, split)]) for name in PEERS]
    ours = []
    for seed in seeds:
        model = CMN(protocol="best", seed=seed).fit(split.train, split.validation)
        ours.append(evaluate(model.scorer, *split.part("test")))
    return [*rows, _row(f"C2, {data}, `best`, seeds {', '.join(map(str, seeds))}", ours)]


def _peer(name: str, split: Split) -> dict[str, float]:
    baseline = make_baseline(name).fit(split.train)
    return evaluate(baseline.scorer, *split.part("test"))


def _row(name: str, runs: list[dict[str, float]]) -> str:
    cells = [
        f"{heading} {np.mean([run[key] for run in runs]):.4f}"
        for heading, key in FIGURES.items()
        if key in runs[0]
    ]
    return f"| {name} | the most of its set | {', '.join(cells)} |"
