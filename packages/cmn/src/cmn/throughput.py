"""Throughput: what a model costs on this machine, in CPU seconds, on the user's own data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.contrastive import ContrastiveTrainer
from cmn.evaluation import assess
from cmn.evidence_fitting import build_evidence_network, build_evidence_scorer
from cmn.fitting import build_memory_network
from cmn.neighbourhoods import Neighbourhoods
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.train import NetworkTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy import sparse
    from torch import Tensor

    from cmn.evaluation import Scorer
    from cmn.hyperparameters import Hyperparameters
    from cmn.splits import Split

STEPS = 5
USERS = 64


def measure(split: Split, settings: Hyperparameters) -> dict[str, float]:
    """Returns costs of an untrained network of these settings; training does not change them.

    - `triples_per_cpu_second`: positive-negative pairs in training steps, gradients included.
    - `cpu_ms_per_user`: exact scores of the whole catalogue.
    - `cpu_seconds_to_evaluate`: full ranking of all held-out users, from a sample of 64.

    Args:
        split: the data.
        settings: of the network and its training.
    """
    parts = _evidence_network if settings.evidence else _memory_network
    scorer, loss, triples = parts(split.train, settings)
    step = _cpu_seconds(lambda: torch.autograd.backward(loss()), STEPS)
    some = split.validation.users[:USERS]
    scoring = _cpu_seconds(lambda: scorer.score(some), 1)
    held_out = type(split.validation)(some, split.validation.items[:USERS])
    whole = _cpu_seconds(lambda: assess(scorer, held_out, split.train), 1)
    return {
        "triples_per_cpu_second": triples / step,
        "cpu_ms_per_user": 1000 * scoring / some.size,
        "cpu_seconds_to_evaluate": whole / some.size * split.validation.users.size,
    }


def _memory_network(
    matrix: sparse.csr_array, settings: Hyperparameters
) -> tuple[Scorer, Callable[[], Tensor], int]:
    """Returns a scorer, the loss of a step, and the triples in it."""
    generator = np.random.default_rng(settings.seed)
    network = build_memory_network(*matrix.shape, settings)
    neighbourhoods, sampler = Neighbourhoods(matrix), NegativeSampler(matrix)
    trainer = NetworkTrainer(network, neighbourhoods, sampler, settings, generator)
    batch = min(settings.batch_size, sampler.users.size)
    users, positives = sampler.users[:batch], sampler.items[:batch]
    negatives = sampler.draw(users, settings.negatives, generator)
    items = np.column_stack([positives, negatives])
    scorer = CatalogueScorer(network, neighbourhoods)
    return scorer, lambda: trainer.loss(users, items), batch * settings.negatives


def _evidence_network(
    matrix: sparse.csr_array, settings: Hyperparameters
) -> tuple[Scorer, Callable[[], Tensor], int]:
    """Returns the same of an evidence network."""
    generator = np.random.default_rng(settings.seed)
    network = build_evidence_network(*matrix.shape, settings)
    trainer = ContrastiveTrainer(network, matrix, settings, generator)
    batch = min(settings.batch_size, matrix.nnz)
    users, items = (ids[:batch].astype(np.int64) for ids in matrix.nonzero())
    shared = generator.integers(matrix.shape[1], size=settings.shared_negatives)
    scorer = build_evidence_scorer(network, matrix, settings)
    return scorer, lambda: trainer.loss(users, items, shared), batch * shared.size


def _cpu_seconds(work: Callable[[], object], times: int) -> float:
    """Returns the mean CPU seconds of some work, once done beforehand to warm up."""
    work()
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times
