"""Train: steps over the memory network.

Letters: B positives, n negatives of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn import distributed
from cmn.fused_step import FusedStep
from cmn.objective import bpr_loss, weight_penalty
from cmn.optimisers import OPTIMISERS, LookedUp
from cmn.segments import Ragged

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
        rates: dict[Tensor, float] = {
            weight: rate * settings.memory_rate if id(weight) in slow else rate
            for weight in network.parameters()
        }
        self.optimiser = OPTIMISERS[settings.optimizer](rates.items(), settings.clip_norm)
        self._fused: FusedStep | None = None
        if settings.engine == "numba":
            self._fused = FusedStep(network, neighbourhoods, settings, self.optimiser, rates)

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
            if self._fused is not None:
                losses.append(self._fused(users, items))
                continue
            mine = distributed.share(users.size)
            scores, looked_up = self._score(users[mine], items[mine])
            loss = self._loss(scores, users.size)
            self.optimiser.minimise(loss, looked_up)
            losses.append(loss.item())
        return distributed.total(float(np.mean(losses)))

    def loss(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> Tensor:
        """Returns the loss of users (B,) and their items (B, 1 + n), the positive first.

        Every pair is scored once; the positive's score serves all its negatives.
        """
        return self._loss(self._score(users, items)[0], users.size)

    def _score(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> tuple[Tensor, dict[Tensor, LookedUp] | None]:
        """Returns r_ui, (B, 1 + n), and for RMSProp the rows of the memories it comes from."""
        network = self._network
        pair_users = torch.from_numpy(np.repeat(users, items.shape[1]))
        pair_items = torch.from_numpy(items.reshape(-1))
        neighbours = self._neighbourhoods.gather(pair_items)
        if self._settings.exclude_self:
            neighbours = neighbours.without(pair_users)
        if self._settings.optimizer != "rmsprop":
            return network(pair_users, pair_items, neighbours).view(items.shape), None
        read, place = _distinct(neighbours.members, len(network.user_memory))
        asking, _ = _distinct(pair_users[place[pair_users] < 0], len(network.user_memory))
        place[asking] = len(read) + torch.arange(len(asking))
        ranked, place_of_item = torch.unique(pair_items, return_inverse=True)
        looked_up: dict[Tensor, LookedUp] = {
            network.user_memory: LookedUp(network.user_memory, torch.cat([read, asking])),
            network.item_memory: LookedUp(network.item_memory, ranked),
            network.external_memory: LookedUp(network.external_memory, read),
        }
        keys, item, values = (looked.values for looked in looked_up.values())
        members = Ragged(place[neighbours.members], neighbours.segments, neighbours.offsets)
        user = keys.index_select(0, place[pair_users])
        scores = network.respond(user, item.index_select(0, place_of_item), keys, values, members)
        return scores.view(items.shape), looked_up

    def _loss(self, scores: Tensor, batch_size: int) -> Tensor:
        """Returns the part that scores (B, 1 + n) have in the loss of a batch of `batch_size`."""
        penalty = self._settings.l2 * weight_penalty(self._penalised)
        if len(scores) == 0:  # more processes than rows in the last batch: gradients of zero
            return scores.sum() + penalty / distributed.processes()
        part = len(scores) / batch_size
        return part * bpr_loss(scores[:, 0], scores[:, 1:]) + penalty / distributed.processes()


def _distinct(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the distinct ones of rows below `count`, and each one's place among them or -1."""
    there = torch.zeros(count, dtype=torch.bool)
    there[rows] = True
    distinct = torch.nonzero(there).flatten()
    place = torch.full((count,), -1)
    place[distinct] = torch.arange(len(distinct))
    return distinct, place
