"""RCL's reinforcement controller: an LSTM that draws a width per level, trained by actor-critic.

From the code of Xu & Zhu (NeurIPS 2018): two layers of 100 cells, a softmax per level over 0...29
new units, a fixed random input state, a linear value baseline, a new controller for every task, and
the trial of the best observed reward wins. Ours draws among the space's widths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.func import functional_call

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


class _Policy(nn.Module):
    """The log probabilities of each level's widths, and the reward that is expected."""

    def __init__(self, options: Sequence[int]) -> None:
        super().__init__()
        self.lstm = nn.LSTM(CELLS, CELLS, LAYERS, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(CELLS, count) for count in options)
        self.value = nn.Linear(CELLS, 1)

    def forward(self, state: Tensor) -> tuple[list[Tensor], Tensor]:
        outputs, _ = self.lstm(state)
        logs = [
            torch.log_softmax(head(outputs[0, level]), 0) for level, head in enumerate(self.heads)
        ]
        return logs, self.value(outputs[0, -1]).squeeze()


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
            self._module = _Policy([len(widths) for widths in self._widths])
        self._parameters = Parameters(dict(self._module.named_parameters()))
        self._adam = Adam(self._parameters)

    def _policy(self) -> tuple[list[Tensor], Tensor]:
        found: tuple[list[Tensor], Tensor] = functional_call(
            self._module, self._parameters.leaves, (self._state,)
        )
        return found

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
