"""Train: steps over the memory network.

Letters: B positives, n negatives of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn import distributed
from cmn.objective import bpr_loss, weight_penalty
from cmn.optimisers import OPTIMISERS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cmn.hyperparameters import Hyperparameters
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods
    from cmn.sampling import NegativeSampler
    from cmn.segments import Ragged


class NetworkTrainer:
    """Trains a memory network on the pairwise loss plus the penalty on its layers' weights.

    For the first `warmup_epochs` the user and item memories stand still, so that a random output
    module cannot destroy the factors they start from; later they move `memory_rate` times as fast
    as everything else. Under torchrun every process works on its share of each batch.

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
        self.optimiser = OPTIMISERS[settings.optimizer](
            (
                (weight, rate * settings.memory_rate if id(weight) in slow else rate)
                for weight in network.parameters()
            ),
            settings.clip_norm,
        )

    def train_epoch(self, number: int) -> float:
        """Runs once over all positives as epoch `number`, from 1; returns the steps' mean loss."""
        settings = self._settings
        moving = number > settings.warmup_epochs and settings.memory_rate > 0
        for memory in self._memories:
            memory.requires_grad_(moving)
        losses = []
        for users, items in self._sampler.epoch(
            settings.batch_size,
            settings.negatives,
            self._generator,
            triples=settings.batches == "triples",
        ):
            mine = distributed.share(users.size)
            neighbours, rows = self._gather(users[mine], items[mine])
            loss = self._loss(users[mine], items[mine], neighbours, users.size)
            self.optimiser.minimise(loss, rows)
            losses.append(loss.item())
        return distributed.total(float(np.mean(losses)))

    def loss(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> Tensor:
        """Returns the loss of users (B,) and their items (B, 1 + n), the positive first.

        Every pair is scored once; the positive's score serves all its negatives.
        """
        return self._loss(users, items, self._gather(users, items)[0], users.size)

    def _gather(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> tuple[Ragged, dict[Tensor, Tensor] | None]:
        """Returns the pairs' neighbourhoods and, for RMSProp, the memories' rows they look up."""
        pair_users = torch.from_numpy(np.repeat(users, items.shape[1]))
        pair_items = torch.from_numpy(items.reshape(-1))
        neighbours = self._neighbourhoods.gather(pair_items)
        if self._settings.exclude_self:
            neighbours = neighbours.without(pair_users)
        if self._settings.optimizer != "rmsprop":
            return neighbours, None
        network = self._network
        n_users, n_items = len(network.user_memory), len(network.item_memory)
        asked = distributed.union(torch.bincount(pair_users, minlength=n_users))
        read = distributed.union(torch.bincount(neighbours.members, minlength=n_users))
        ranked = distributed.union(torch.bincount(pair_items, minlength=n_items))
        return neighbours, {
            network.user_memory: torch.nonzero(asked + read).flatten(),
            network.item_memory: torch.nonzero(ranked).flatten(),
            network.external_memory: torch.nonzero(read).flatten(),
        }

    def _loss(
        self,
        users: NDArray[np.int64],
        items: NDArray[np.int64],
        neighbours: Ragged,
        batch_size: int,
    ) -> Tensor:
        """Returns these users' part of the loss of a batch of `batch_size`."""
        pair_users = torch.from_numpy(np.repeat(users, items.shape[1]))
        pair_items = torch.from_numpy(items.reshape(-1))
        scores = self._network(pair_users, pair_items, neighbours).view(items.shape)
        penalty = self._settings.l2 * weight_penalty(self._penalised)
        if users.size == 0:  # more processes than rows in the last batch: gradients of zero
            return scores.sum() + penalty / distributed.processes()
        part = users.size / batch_size
        return part * bpr_loss(scores[:, 0], scores[:, 1:]) + penalty / distributed.processes()
