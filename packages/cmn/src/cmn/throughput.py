"""Throughput: what a model costs on this machine, in CPU seconds, on the user's own data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.evaluation import assess
from cmn.fitting import build_memory_network
from cmn.neighbourhoods import Neighbourhoods
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.train import NetworkTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmn.hyperparameters import Hyperparameters
    from cmn.splits import Split

STEPS = 5
USERS = 64


def measure(split: Split, settings: Hyperparameters) -> dict[str, float]:
    """Returns costs of an untrained network of these settings; training does not change them.

    - `triples_per_cpu_second`: positive-negative pairs in training steps.
    - `cpu_ms_per_user`: exact scores of the whole catalogue.
    - `cpu_seconds_to_evaluate`: full ranking of all held-out users, from a sample of 64.

    Args:
        split: the data.
        settings: of the network and its training.
    """
    generator = np.random.default_rng(settings.seed)
    network = build_memory_network(*split.train.shape, settings)
    neighbourhoods, sampler = Neighbourhoods(split.train), NegativeSampler(split.train)
    trainer = NetworkTrainer(network, neighbourhoods, sampler, settings, generator)
    batch = min(settings.batch_size, sampler.users.size)
    users, positives = sampler.users[:batch], sampler.items[:batch]
    negatives = sampler.draw(users, settings.negatives, generator)
    items = np.column_stack([positives, negatives])
    step = _cpu_seconds(lambda: torch.autograd.backward(trainer.loss(users, items)), STEPS)
    scorer = CatalogueScorer(network, neighbourhoods)
    some = split.validation.users[:USERS]
    scoring = _cpu_seconds(lambda: scorer.score(some), 1)
    held_out = type(split.validation)(some, split.validation.items[:USERS])
    whole = _cpu_seconds(lambda: assess(scorer, held_out, split.train), 1)
    return {
        "triples_per_cpu_second": batch * settings.negatives / step,
        "cpu_ms_per_user": 1000 * scoring / some.size,
        "cpu_seconds_to_evaluate": whole / some.size * split.validation.users.size,
    }


def _cpu_seconds(work: Callable[[], object], times: int) -> float:
    """Returns the mean CPU seconds of some work, once done beforehand to warm up."""
    work()
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times
