"""The best epoch's weights survive; training stops when patience runs out."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from cmn.checkpoints import Checkpoints
from cmn.early_stopping import Schedule, train_until_best
from cmn.errors import TrainingDivergedError
from cmn.optimisers import Adam


class CountingTrainer:
    """Writes the epoch's number into a module's weight."""

    def __init__(self, module, losses):
        self.optimiser = Adam([(module.weight, 0.1)])
        self._module, self._losses = module, losses

    def train_epoch(self, number):
        with torch.no_grad():
            self._module.weight.fill_(number)
        return self._losses[number - 1]


def run(values, patience, losses=None, keep="best"):
    """Trains a module whose weight counts epochs and whose metric follows `values`."""
    module = nn.Linear(1, 1)
    seen = []
    best = train_until_best(
        module,
        CountingTrainer(module, losses or [1.0] * len(values)),
        Schedule("train", len(values), patience, keep),
        generator=np.random.default_rng(0),
        checkpoints=Checkpoints(None),
        validate=lambda: {"ndcg@10": values[int(module.weight.item()) - 1]},
        report=seen.append,
    )
    return best, module.weight.item(), [epoch.number for epoch in seen]


def test_the_module_ends_with_the_weights_of_the_best_epoch():
    best, weight, seen = run([0.1, 0.3, 0.2, 0.25], patience=5)
    assert (best.number, weight, seen) == (2, 2.0, [1, 2, 3, 4])


def test_training_stops_after_patience_epochs_without_a_better_one():
    best, _, seen = run([0.3, 0.1, 0.2, 0.9], patience=2)
    assert (best.number, seen) == (1, [1, 2, 3])


def test_the_last_epoch_is_kept_where_that_is_the_rule():
    best, weight, seen = run([0.3, 0.1, 0.2], patience=1, keep="last")
    assert (best.number, weight, seen) == (3, 3.0, [1, 2, 3])


def test_of_equally_good_epochs_the_first_is_kept():
    assert run([0.2, 0.2], patience=9)[0].number == 1


def test_a_loss_that_is_not_finite_stops_training():
    with pytest.raises(TrainingDivergedError, match="train epoch 2; a lower learning rate"):
        run([0.1, 0.2], patience=9, losses=[1.0, math.nan])
