"""Steps of the network: what moves when, and what the loss is made of."""

import numpy as np
import pytest
import torch

from cmn.hyperparameters import Hyperparameters
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.objective import bpr_loss
from cmn.sampling import NegativeSampler
from cmn.train import NetworkTrainer


def trainer_of(matrix, **settings):
    network = CMNNetwork(*matrix.shape, 6, 2, torch.Generator().manual_seed(0))
    trainer = NetworkTrainer(
        network,
        Neighbourhoods(matrix),
        NegativeSampler(matrix),
        Hyperparameters(**{"batch_size": 32, "l2": 0.0, **settings}),
        np.random.default_rng(0),
    )
    return network, trainer


def test_memories_stand_still_while_warming_up_and_move_afterwards(blocks):
    network, trainer = trainer_of(blocks, warmup_epochs=1)
    start = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    trainer.train_epoch(1)
    still = {
        name for name, weight in network.named_parameters() if torch.equal(weight, start[name])
    }
    assert still == {"user_memory", "item_memory"}
    trainer.train_epoch(2)
    assert not torch.equal(network.user_memory, start["user_memory"])
    assert not torch.equal(network.item_memory, start["item_memory"])


def test_a_memory_rate_of_zero_keeps_the_pretrained_memories(blocks):
    network, trainer = trainer_of(blocks, warmup_epochs=0, memory_rate=0.0)
    start = network.user_memory.detach().clone()
    trainer.train_epoch(1)
    assert torch.equal(network.user_memory, start)


def test_loss_falls(blocks):
    _, trainer = trainer_of(blocks, learning_rate=0.02, memory_rate=1.0)
    losses = [trainer.train_epoch(number) for number in range(1, 13)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("exclude_self", [False, True])
def test_loss_is_pairwise_over_each_positive_and_its_negatives_plus_the_penalty(
    ragged_matrix, exclude_self
):
    network, trainer = trainer_of(ragged_matrix, l2=0.3, exclude_self=exclude_self)
    users, items = np.array([0, 4]), np.array([[8, 2, 5], [8, 11, 3]])
    neighbourhoods = Neighbourhoods(ragged_matrix)

    def score(user, item):
        lists = neighbourhoods.gather(torch.tensor([item]))
        if exclude_self:
            lists = lists.without(torch.tensor([user]))
        return network(torch.tensor([user]), torch.tensor([item]), lists)[0]

    table = torch.stack(
        [torch.stack([score(u, i) for i in row]) for u, row in zip(users, items, strict=True)]
    )
    layers = [network.hop_layers[0].weight, network.output_layer.weight, network.output_weight]
    penalty = 0.3 * sum((weight**2).sum() for weight in layers) / 2
    expected = bpr_loss(table[:, 0], table[:, 1:]) + penalty
    torch.testing.assert_close(trainer.loss(users, items), expected)
