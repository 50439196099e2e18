"""Random search, grid search and a fixed growth: what Bayesian optimisation has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl import seeds
from bocl.search.trials import Recommendation, best_observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bocl.growth import Growth
    from bocl.search.trials import Problem, Trial


class RandomSearch:
    """Tries growths drawn without replacement and takes the best draw."""

    name = "random"
    only: Growth | None = None

    def __init__(self, most_trials: int = 50) -> None:
        self.most_trials = most_trials

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:
        """Returns the next growths of one seeded shuffle."""
        order = torch.randperm(
            len(problem.space.choices), generator=seeds.generator(problem.seed, "random")
        )
        places = order[: self.most_trials][len(trials) : len(trials) + count].tolist()
        return [problem.space.choices[place] for place in places]

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:
        """Returns the best draw."""
        return best_observed(problem, trials)


class GridSearch:
    """Tries growths at even steps through the space, and takes the best draw."""

    name = "grid"
    only: Growth | None = None

    def __init__(self, most_trials: int | None = None) -> None:
        self.most_trials = most_trials

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:
        """Returns the next growths of the grid; without a limit, the whole space."""
        choices = problem.space.choices
        most = min(self.most_trials or len(choices), len(choices))
        places = [k * (len(choices) - 1) // max(1, most - 1) for k in range(most)]
        return [choices[place] for place in places[len(trials) : len(trials) + count]]

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:
        """Returns the best draw."""
        return best_observed(problem, trials)


class FixedGrowth:
    """No search: the same growth for every task."""

    name = "fixed"

    def __init__(self, growth: Growth) -> None:
        self.only: Growth | None = growth
        self._growth = growth

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:  # noqa: ARG002
        """Returns nothing to try."""
        return []

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:  # noqa: ARG002
        """Returns the given growth."""
        return Recommendation(self._growth, {})
