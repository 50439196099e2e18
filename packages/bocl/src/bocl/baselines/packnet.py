"""PackNet (Mallya & Lazebnik, CVPR 2018): each task trains, prunes and then owns some weights."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl.baselines.plain import Baseline, PlainData, PlainNetwork
from bocl.errors import SettingsError
from bocl.parameters import Parameters
from bocl.training import train

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.baselines.plain import PlainBatch
    from bocl.streams.samples import Samples

FREE = 0


class PackNet(Baseline):
    """Packs tasks into one network by masks.

    A task trains all weights that no earlier task owns, keeps the largest of every layer, and
    trains those again; the rest is free for later tasks. It sees its own and earlier tasks' weights
    only. Biases and normalisations belong to the first task, as in the paper; every task has its
    own head.

    Args:
        tasks: planned; each keeps an equal share of every layer, the last all that is left.
        retrain: share of the schedule's epochs that goes to training after pruning, as the paper's
            half as many epochs again: a third of the total.
    """

    name = "PackNet"

    def __init__(self, *args: Any, tasks: int, retrain: float = 1 / 3, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if tasks < 1:
            raise SettingsError(f"tasks is {tasks}; it must be 1 or more")
        if not 0 < retrain < 1:
            raise SettingsError(f"retrain is {retrain}; it must lie between 0 and 1")
        self.tasks = tasks
        self.retrain = retrain
        self.network = PlainNetwork(self.trunk)
        self._weights: dict[str, Tensor] = {}  # of the trunk, all tasks'
        self._owner: dict[str, Tensor] = {}  # uint8: FREE, or the owning task + 1
        self._heads: list[dict[str, Tensor]] = []

    @property
    def parameters(self) -> int:
        """Trunk, heads, and a byte (a quarter number) per trunk weight for its owner."""
        trunk = sum(weight.numel() for weight in self._weights.values())
        owners = sum(-(-owner.numel() // 4) for owner in self._owner.values())
        return trunk + owners + sum(w.numel() for head in self._heads for w in head.values())

    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        seen = {
            name: weight * ((self._owner[name] != FREE) & (self._owner[name] <= task + 1))
            for name, weight in self._weights.items()
        }
        return self.network.logits(seen | self._heads[task], self.trunk.enter(inputs))

    def _learn(self, samples: Samples, task: int) -> None:
        if task >= self.tasks:
            raise SettingsError(f"task {task} is one too many: tasks is {self.tasks}")
        fresh = self.network.initial(self.classes[task], self.seed, self.name, "weights", task)
        head = {name: weight for name, weight in fresh.items() if name.startswith("head.")}
        if task == 0:
            self._weights = {name: w for name, w in fresh.items() if name not in head}
            self._owner = {
                name: torch.full(w.shape, FREE if w.ndim > 1 else 1, dtype=torch.uint8)
                for name, w in self._weights.items()
            }
        parameters = Parameters(self._weights | head)
        data = PlainData(self.trunk, samples, flips=self.flips)

        def loss(leaves: Mapping[str, Tensor], batch: PlainBatch, _: torch.Generator) -> Tensor:
            return functional.cross_entropy(self.network.logits(leaves, batch.entry), batch.targets)

        again = max(1, round(self.schedule.epochs * self.retrain))
        first = dataclasses.replace(self.schedule, epochs=max(1, self.schedule.epochs - again))
        key = (self.seed, self.name, task)
        closed = {name: self._closed(name, task) for name in self._weights}
        train(parameters, data, loss, first, key, mask=parameters.mask(closed))
        self._prune(parameters, task)
        closed = {
            name: (owner == FREE) | self._closed(name, task) for name, owner in self._owner.items()
        }
        second = dataclasses.replace(self.schedule, epochs=again)
        train(parameters, data, loss, second, (*key, "again"), mask=parameters.mask(closed))
        trained = parameters.copies()
        self._heads.append({name: trained[name] for name in head})
        self._weights = {name: trained[name] for name in self._weights}

    def _closed(self, name: str, task: int) -> Tensor:
        """Returns where weights belong to earlier tasks."""
        owner = self._owner[name]
        return (owner != FREE) & (owner < task + 1)

    @torch.no_grad()
    def _prune(self, parameters: Parameters, task: int) -> None:
        """Gives the task its share of each layer's free weights, largest first; zeroes the rest."""
        for name, owner in self._owner.items():
            weight = parameters.leaves[name]
            free = owner == FREE
            count = round(int(free.sum()) / (self.tasks - task))
            if not count:
                continue
            size = weight.detach().abs().masked_fill(~free, -1.0).flatten()
            owner.view(-1)[size.topk(count).indices] = task + 1
            weight.masked_fill_(owner == FREE, 0.0)
