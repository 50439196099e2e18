"""Reinforced continual learning (Xu & Zhu, NeurIPS 2018), with its links into old units.

From the authors' code: one network is widened for every task. Old weights are fixed, but new units
of a level feed all units of the next one, the old ones too, so that a task sees old units as its
own links change them; an earlier task is the network cut back to the widths it had. Each task has
its own head. Widths are drawn by a controller that learns from reward = validation accuracy - 1e-4
per new unit, every trial is a whole training, and the best trial's weights are kept.

Ours: the schedule is the one all methods share, links into old units start at 0 instead of
N(0, .01^2), the first task has the trunk's base widths as theirs has.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl import seeds
from bocl.baselines.plain import Baseline, PlainBatch, PlainData, PlainNetwork
from bocl.baselines.separate import size
from bocl.errors import SettingsError
from bocl.growth import Growth
from bocl.parameters import Parameters
from bocl.search.controller import ReinforceSearch
from bocl.search.space import full_space
from bocl.search.trials import Problem, Trial
from bocl.streams.samples import split_validation
from bocl.training import accuracy, train
from bocl.trunks.levels import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.streams.samples import Samples

MOST, PENALTY = 29, 1e-4
HELD_OUT = 1 / 12  # of a task's samples, by which trials are judged
Widths = tuple[int, ...]


class RCL(Baseline):
    """Widens one network task by task.

    Args:
        trials: of the controller, per task.
        total: instead of a search, the same growth for every task, in the base widths' proportion,
            such that network and heads have no more weights than this after all tasks.
        tasks: planned; needed with `total`.
    """

    name = "RCL"

    def __init__(
        self,
        *args: Any,
        trials: int = 50,
        total: int | None = None,
        tasks: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        if trials < 1:
            raise SettingsError(f"trials is {trials}; it must be 1 or more")
        if total is not None and tasks is None:
            raise SettingsError("total says how large all tasks are; it needs tasks, their number")
        self.trials = trials
        self.widths: list[Widths] = []  # of the whole network, after each task
        self.total = total
        self.tasks = tasks
        self._weights: dict[str, Tensor] = {}  # of the trunk
        self._heads: list[dict[str, Tensor]] = []

    @property
    def parameters(self) -> int:
        """The widened trunk, links into old units included, and all heads."""
        heads = sum(weight.numel() for head in self._heads for weight in head.values())
        return heads + sum(weight.numel() for weight in self._weights.values())

    def _growth(self, total: int, tasks: int) -> Widths:
        """Returns the widest growth per task, in the base's proportion, within a total."""
        for factor in range(max(self.trunk.base), -1, -1):
            share = factor / max(self.trunk.base)
            growth = tuple(math.floor(share * width) for width in self.trunk.base)
            if self._planned(growth, tasks) <= total:
                return growth
        raise SettingsError(f"total is {total}; without any growth the network has more weights")

    def _planned(self, growth: Widths, tasks: int) -> int:
        """Returns the weights of trunk and heads after all tasks, heads as the first task's."""
        widths = [
            _sum(self.trunk.base, tuple(task * more for more in growth)) for task in range(tasks)
        ]
        head, classes = self.trunk.head, self.classes[0]
        heads = [
            math.prod(shape) for w in widths for shape in shapes(head, w[-1], classes).values()
        ]
        return size(self.trunk, widths[-1], classes) - sum(heads[-2:]) + sum(heads)

    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        network = PlainNetwork(self.trunk, self.widths[task])
        had = network.shapes(self.classes[task])
        cut = {
            name: weight[_corner(had[name])].contiguous() for name, weight in self._weights.items()
        }
        return network.logits(cut | self._heads[task], self.trunk.enter(inputs))

    def _learn(self, samples: Samples, task: int) -> None:
        if task == 0:
            trained = self._train(samples, self.trunk.base, task)
            widths = self.trunk.base
        elif self.total is not None and self.tasks is not None:
            widths = _sum(self.widths[-1], self._growth(self.total, self.tasks))
            trained = self._train(samples, widths, task)
        else:
            widths, trained = self._searched(samples, task)
        self._heads.append({n: w for n, w in trained.items() if n.startswith("head.")})
        self._weights = {n: w for n, w in trained.items() if not n.startswith("head.")}
        self.widths.append(widths)

    def _searched(self, samples: Samples, task: int) -> tuple[Widths, dict[str, Tensor]]:
        """Returns the widths and weights of the best trial."""
        part, held = split_validation(samples, HELD_OUT, self.seed)
        data = PlainData(self.trunk, held)
        problem = Problem(
            full_space(self.trunk.base, MOST),
            lambda growth: float(sum(growth.widths)),
            PENALTY,
            len(held),
            seeds.derive(self.seed, self.name, task),
        )
        searcher, trials = ReinforceSearch(self.trials), list[Trial]()
        best: tuple[float, Widths, dict[str, Tensor]] = (-math.inf, (), {})
        while proposed := searcher.propose(problem, trials, 1):
            widths = _sum(self.widths[-1], proposed[0].widths)
            trained = self._train(part, widths, task)
            found = accuracy(self._logits_of(widths, trained), data)
            trials.append(Trial(proposed[0], found, problem.cost(proposed[0])))
            reward = problem.objective(trials[-1])
            best = max(best, (reward, widths, trained), key=lambda scored: scored[0])
        return best[1:]

    def _logits_of(self, widths: Widths, weights: Mapping[str, Tensor]) -> Any:
        network = PlainNetwork(self.trunk, widths)
        return lambda batch: network.logits(weights, batch.entry)

    def _train(self, samples: Samples, widths: Widths, task: int) -> dict[str, Tensor]:
        """Returns all weights of the widened network, the old ones as they were."""
        network = PlainNetwork(self.trunk, widths)
        key = (self.seed, self.name, task, Growth(widths))
        start = network.initial(self.classes[task], *key)
        closed = {}
        for name, old in self._weights.items():
            corner = _corner(tuple(old.shape))
            if start[name].ndim > 1:
                start[name][: len(old)] = 0.0  # links from new units into old ones
            start[name][corner] = old
            closed[name] = torch.zeros_like(start[name], dtype=torch.bool)
            closed[name][corner] = True
        parameters = Parameters(start)

        def loss(leaves: Mapping[str, Tensor], batch: PlainBatch, _: torch.Generator) -> Tensor:
            return functional.cross_entropy(network.logits(leaves, batch.entry), batch.targets)

        data = PlainData(self.trunk, samples, flips=self.flips)
        mask = parameters.mask(closed) if closed else None
        train(parameters, data, loss, self.schedule, key, mask=mask)
        return parameters.copies()


def _sum(one: Widths, other: Widths) -> Widths:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _corner(shape: Widths) -> tuple[slice, ...]:
    """Returns the place of old weights in a widened tensor: units are added at the end."""
    return tuple(slice(0, length) for length in shape)
