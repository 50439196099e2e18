"""Train: steps over the memory network by Adam.

Letters: B positives, k negatives of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.adam import Adam
from cmn.objective import bpr_loss, weight_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cmn.hyperparameters import Hyperparameters
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods
    from cmn.sampling import NegativeSampler


class NetworkTrainer:
    """Trains a memory network on the pairwise loss plus the penalty on its layers' weights.

    For the first `warmup_epochs` the user and item memories stand still, so that a random output
    module cannot destroy the factors they start from; later they move `memory_rate` times as fast
    as everything else.

    Args:
        network: what is trained.
        neighbourhoods: N(i) of its items.
        sampler: source of positives and negatives.
        settings: rates, sizes, penalty.
        generator: source of order and negatives.
    """

    def __init__(
        self,
        network: CMNNetwork,
        neighbourhoods: Neighbourhoods,
        sampler: NegativeSampler,
        settings: Hyperparameters,
        generator: np.random.Generator,
    ) -> None:
        self._network, self._neighbourhoods, self._sampler = network, neighbourhoods, sampler
        self._settings, self._generator = settings, generator
        self._memories = [network.user_memory, network.item_memory]
        self._penalised = [*(layer.weight for layer in network.layers()), network.output_weight]
        rate = settings.learning_rate
        slow = {id(memory) for memory in self._memories}
        self._adam = Adam(
            (weight, rate * settings.memory_rate if id(weight) in slow else rate)
            for weight in network.parameters()
        )

    def train_epoch(self, number: int) -> float:
        """Runs once over all positives as epoch `number`, from 1; returns the steps' mean loss."""
        moving = number > self._settings.warmup_epochs and self._settings.memory_rate > 0
        for memory in self._memories:
            memory.requires_grad_(moving)
        batches = self._sampler.epoch(
            self._settings.batch_size, self._settings.negatives, self._generator
        )
        losses = []
        for users, positives, negatives in batches:
            loss = self.loss(users, np.column_stack([positives, negatives]))
            self._adam.minimise(loss)
            losses.append(loss.item())
        return float(np.mean(losses))

    def loss(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> Tensor:
        """Returns the loss of users (B,) and their items (B, 1 + k), the positive first.

        Every pair is scored once; the positive's score serves all its negatives.
        """
        pair_users = torch.from_numpy(np.repeat(users, items.shape[1]))
        pair_items = torch.from_numpy(items.reshape(-1))
        neighbours = self._neighbourhoods.gather(pair_items)
        if self._settings.exclude_self:
            neighbours = neighbours.without(pair_users)
        scores = self._network(pair_users, pair_items, neighbours).view(items.shape)
        penalty = self._settings.l2 * weight_penalty(self._penalised)
        return bpr_loss(scores[:, 0], scores[:, 1:]) + penalty
