"""A network per task, which cannot forget: at full width, and at the size of a rival."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl.baselines.plain import Baseline, PlainBatch, PlainData, PlainNetwork
from bocl.errors import SettingsError
from bocl.parameters import Parameters
from bocl.training import train

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.streams.samples import Samples
    from bocl.trunks.architectures import Trunk


class Separate(Baseline):
    """Trains a network of the trunk's base widths for every task.

    Args:
        copies: every network after the first starts as a copy of the first, with a fresh head.
    """

    name = "separate"

    def __init__(self, *args: Any, copies: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.copies = copies
        self._learned: list[tuple[PlainNetwork, dict[str, Tensor]]] = []

    @property
    def parameters(self) -> int:
        """The sum over all networks."""
        return sum(w.numel() for _, weights in self._learned for w in weights.values())

    def _network(self, task: int) -> PlainNetwork:  # noqa: ARG002
        return PlainNetwork(self.trunk)

    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        network, weights = self._learned[task]
        return network.logits(weights, self.trunk.enter(inputs))

    def _learn(self, samples: Samples, task: int) -> None:
        network = self._network(task)
        start = network.initial(self.classes[task], self.seed, self.name, "weights", task)
        if self.copies and task:
            first = self._learned[0][1]
            start |= {name: weight for name, weight in first.items() if "head" not in name}
        parameters = Parameters(start)

        def loss(leaves: Mapping[str, Tensor], batch: PlainBatch, _: torch.Generator) -> Tensor:
            return functional.cross_entropy(network.logits(leaves, batch.entry), batch.targets)

        data = PlainData(self.trunk, samples, flips=self.flips)
        train(parameters, data, loss, self.schedule, (self.seed, self.name, task))
        self._learned.append((network, parameters.copies()))


class EqualSizeSeparate(Separate):
    """Trains separate networks that together have no more weights than a rival: the honest rival.

    Args:
        total: weights of all networks together.
        tasks: planned; each gets an equal part of the total.
    """

    name = "separate, equal size"

    def __init__(self, *args: Any, total: int, tasks: int, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if tasks < 1:
            raise SettingsError(f"tasks is {tasks}; it must be 1 or more")
        self.total = total
        self.tasks = tasks

    def _network(self, task: int) -> PlainNetwork:
        widths = widths_within(self.trunk, self.classes[task], self.total // self.tasks)
        return PlainNetwork(self.trunk, widths)


def size(trunk: Trunk, widths: tuple[int, ...], classes: int) -> int:
    """Returns the weights of a plain network."""
    shapes = PlainNetwork(trunk, widths).shapes(classes)
    return sum(math.prod(shape) for shape in shapes.values())


def widths_within(trunk: Trunk, classes: int, budget: int) -> tuple[int, ...]:
    """Returns the widest widths, in the base widths' proportion, that a budget of weights allows.

    Raises:
        SettingsError: even one unit per level is too much.
    """
    least = size(trunk, (1,) * len(trunk.base), classes)
    if budget < least:
        raise SettingsError(
            f"the budget of {budget} weights a task is too small; one unit per level takes {least}"
        )

    def scaled(factor: float) -> tuple[int, ...]:
        return tuple(max(1, math.floor(width * factor)) for width in trunk.base)

    low, high = 0.0, 1.0
    while size(trunk, scaled(high), classes) <= budget:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        fits = size(trunk, scaled(middle), classes) <= budget
        low, high = (middle, high) if fits else (low, middle)
    return scaled(low)
