"""Training keeps what is masked; trials are judged by accuracy smoothed over margins."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from bocl.parameters import Parameters
from bocl.training import Schedule, accuracy, cross_entropy, smoothed_accuracy, train


@dataclass(frozen=True)
class Scores:
    """Logits (n, classes) as data whose batches are their own rows."""

    logits: Tensor
    targets: Tensor

    def __len__(self):
        return len(self.targets)

    def batch(self, rows, _=None):
        return Scores(self.logits[rows], self.targets[rows])


def scores(samples, seed, lift=1.0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(samples, 5, generator=generator)
    targets = torch.randint(0, 5, (samples,), generator=generator)
    logits[torch.arange(samples), targets] += lift
    return Scores(logits, targets)


def judged(judge, data):
    return judge(lambda batch: batch.logits, data, chunk=300)


@pytest.mark.parametrize("lift", [-1.0, 0.0, 1.0, 3.0])
def test_smoothed_accuracy_is_near_accuracy_on_many_samples(lift):
    data = scores(20_000, 0, lift)
    assert abs(judged(smoothed_accuracy, data) - judged(accuracy, data)) < 0.05


def test_smoothed_accuracy_does_not_depend_on_the_scale_of_logits():
    data = scores(500, 1)
    wide = Scores(100 * data.logits, data.targets)
    assert judged(smoothed_accuracy, wide) == pytest.approx(judged(smoothed_accuracy, data))


def test_equal_margins_are_all_right_or_all_wrong():
    targets = torch.arange(4)
    assert judged(smoothed_accuracy, Scores(torch.eye(4), targets)) == 1.0
    assert judged(smoothed_accuracy, Scores(-torch.eye(4), targets)) == 0.0


def test_the_better_of_two_like_networks_is_told_by_fewer_samples_than_counts_need():
    def wins(judge):
        found = 0
        for seed in range(200):
            worse = scores(200, seed)
            generator = torch.Generator().manual_seed(1000 + seed)
            logits = worse.logits + 0.3 * torch.randn(worse.logits.shape, generator=generator)
            logits[torch.arange(200), worse.targets] += 0.1
            better = Scores(logits, worse.targets)
            found += judged(judge, better) > judged(judge, worse)
        return found

    assert wins(smoothed_accuracy) > wins(accuracy) + 10


def test_weights_masked_in_the_middle_of_a_training_stay():
    data = scores(400, 0)
    parameters = Parameters({"weight": torch.ones(5, 5)})

    def loss(weights, batch, _):
        return cross_entropy(batch.logits @ weights["weight"], batch.targets)

    def zero_a_row(epoch):
        if epoch != 2:
            return None
        mask = torch.ones(25)
        mask[5:10] = 0.0
        with torch.no_grad():
            parameters.vector.mul_(mask)
        return mask

    train(parameters, data, loss, Schedule(4, batch=50), (0, "masked"), epoch_end=zero_a_row)
    left = parameters.copies()["weight"]
    assert (left[1] == 0).all()
    assert (left[[0, 2, 3, 4]] != 0).all()
