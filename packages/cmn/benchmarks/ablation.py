"""Ablation: what each part of the paper's recipe is worth, by C1's figures after fewer epochs.

All start from the same factors of the same pre-training, which no change touches.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from results import measured

from cmn.datasets import load_dataset
from cmn.evaluation import evaluate
from cmn.fitting import build_memory_network
from cmn.hyperparameters import Hyperparameters
from cmn.neighbourhoods import Neighbourhoods
from cmn.pretrain import GMF, GMFTrainer
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.splits import Split, split_dataset
from cmn.train import NetworkTrainer

EPOCHS, SEED = 5, 0
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no attention": {"attention": "uniform"},
    "linear": {"activation": "linear"},
    "linear, no attention": {"attention": "uniform", "activation": "linear"},
    "`exclude_self`": {"exclude_self": True},
    "1 hop": {"hops": 1},
    "3 hops": {"hops": 3},
}
FIGURES = ("raw_hr@10", "raw_ndcg@10", "masked_hr@10", "masked_ndcg@10")


def ablations() -> list[str]:
    """C1's ablations."""
    lines = []
    for name, change in CHANGES.items():
        key = f"citeulike-a paper, {EPOCHS} epochs, seed {SEED}, {name}"
        run = measured(key, lambda change=change: _measure(change))
        figures = "raw HR@10 {:.4f}, NDCG@10 {:.4f}; masked {:.4f}, {:.4f}"
        said = figures.format(*(run[figure] for figure in FIGURES))
        lines.append(f"| C1, {EPOCHS} epochs, seed {SEED}, {name} | | {said} |")
    return lines


def _measure(change: dict[str, Any]) -> dict[str, float]:
    split, settings = _split(), _settings(**change)
    initial, generator = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    network = build_memory_network(*split.train.shape, settings, initial)
    network.start_from(*_factors())
    neighbourhoods = Neighbourhoods(split.train)
    sampler = NegativeSampler(split.train)
    trainer = NetworkTrainer(network, neighbourhoods, sampler, settings, generator)
    for number in range(1, EPOCHS + 1):
        trainer.train_epoch(number)
    found = evaluate(CatalogueScorer(network, neighbourhoods), *split.part("test"))
    return {figure: found[figure] for figure in FIGURES}


def _settings(**change: Any) -> Hyperparameters:
    return Hyperparameters(protocol="paper", engine="numba", epochs=EPOCHS, seed=SEED, **change)


@cache
def _split() -> Split:
    return split_dataset(load_dataset("citeulike-a"), 0)


@cache
def _factors() -> tuple[torch.Tensor, torch.Tensor]:
    train, settings = _split().train, _settings()
    initial, generator = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    gmf = GMF(*train.shape, settings.embedding_dim, initial, relu=settings.pretrain_relu)
    trainer = GMFTrainer(gmf, NegativeSampler(train), settings, generator)
    for number in range(1, settings.pretrain_epochs + 1):
        trainer.train_epoch(number)
    return gmf.user_factors.data, gmf.item_factors.data
