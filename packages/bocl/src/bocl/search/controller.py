"""RCL's reinforcement controller: an LSTM that draws a width per level, trained by actor-critic.

From the code of Xu & Zhu (NeurIPS 2018): two layers of 100 cells, a softmax per level over 0...29
new units, a fixed random input state, a linear value baseline, a new controller for every task, and
the trial of the best observed reward wins. Ours draws among the space's widths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from bocl import seeds
from bocl.growth import Growth
from bocl.parameters import Adam, Parameters
from bocl.search.trials import Recommendation, best_observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bocl.search.trials import Problem, Trial

CELLS, LAYERS, RATE = 100, 2, 1e-3


class ReinforceSearch:
    """Learns by policy gradient which widths are rewarded."""

    name = "reinforce"
    only: Growth | None = None

    def __init__(self, most_trials: int = 50) -> None:
        self.most_trials = most_trials

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:
        """Returns draws of the controller after it has learned from all trials so far."""
        count = min(count, self.most_trials - len(trials))
        if count <= 0:
            return []
        controller = _Controller(problem)
        for trial in trials:
            controller.learn(trial.growth, problem.objective(trial))
        generator = seeds.generator(problem.seed, "reinforce", len(trials))
        return [controller.draw(generator) for _ in range(count)]

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:
        """Returns the best draw."""
        return best_observed(problem, trials)


class _Controller:
    def __init__(self, problem: Problem) -> None:
        levels = len(problem.space.largest)
        self._widths = [
            sorted({growth.widths[level] for growth in problem.space.choices})
            for level in range(levels)
        ]
        self._choices = set(problem.space.choices)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(problem.seed % 2**31)
            self._state = torch.randn(1, levels, CELLS)
            self._lstm = nn.LSTM(CELLS, CELLS, LAYERS, batch_first=True)
            self._heads = nn.ModuleList(nn.Linear(CELLS, len(w)) for w in self._widths)
            self._value = nn.Linear(CELLS, 1)
        modules = {"lstm": self._lstm, "heads": self._heads, "value": self._value}
        named = {
            f"{prefix}.{name}": weight
            for prefix, module in modules.items()
            for name, weight in module.named_parameters()
        }
        self._parameters = Parameters(named)
        for name, weight in named.items():  # the modules compute with the leaves' memory
            leaf = self._parameters.leaves[name]
            weight.data = leaf.data
            weight.grad = leaf.grad
        self._adam = Adam(self._parameters)

    def _policy(self) -> tuple[list[Tensor], Tensor]:
        outputs, _ = self._lstm(self._state)
        logs = [
            torch.log_softmax(head(outputs[0, level]), 0) for level, head in enumerate(self._heads)
        ]
        return logs, self._value(outputs[0, -1]).squeeze()

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> Growth:
        logs, _ = self._policy()
        for _ in range(1000):
            widths = tuple(
                options[int(torch.multinomial(log.exp(), 1, generator=generator))]
                for options, log in zip(self._widths, logs, strict=True)
            )
            if (growth := Growth(widths)) in self._choices:
                return growth
        return min(self._choices)

    def learn(self, growth: Growth, reward: float) -> None:
        logs, value = self._policy()
        chosen = torch.stack(
            [
                log[options.index(width)]
                for log, options, width in zip(logs, self._widths, growth.widths, strict=True)
            ]
        )
        advantage = reward - value
        loss = -chosen.sum() * advantage.detach() + advantage.square()
        self._adam.minimise(loss, RATE)
