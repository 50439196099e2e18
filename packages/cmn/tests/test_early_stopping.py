"""The best epoch's weights survive; training stops when patience runs out."""

import math

import pytest
import torch
from torch import nn

from cmn.early_stopping import train_until_best
from cmn.errors import TrainingDivergedError


def run(values, patience, losses=None):
    """Trains a module whose weight counts epochs and whose metric follows `values`."""
    module = nn.Linear(1, 1)
    seen = []

    def train_epoch(number):
        with torch.no_grad():
            module.weight.fill_(number)
        return 1.0 if losses is None else losses[number - 1]

    best = train_until_best(
        module,
        phase="train",
        epochs=len(values),
        patience=patience,
        train_epoch=train_epoch,
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


def test_of_equally_good_epochs_the_first_is_kept():
    assert run([0.2, 0.2], patience=9)[0].number == 1


def test_a_loss_that_is_not_finite_stops_training():
    with pytest.raises(TrainingDivergedError, match="train epoch 2; a lower learning rate"):
        run([0.1, 0.2], patience=9, losses=[1.0, math.nan])
