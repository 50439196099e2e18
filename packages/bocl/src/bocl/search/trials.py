"""What a search sees: trials, their objective, and what any searcher must answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bocl.growth import Growth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bocl.search.space import Space


@dataclass(frozen=True)
class Trial:
    """A growth that was tried.

    Attributes:
        accuracy: on validation, 0 to 1.
        cost: its known cost as a share of the first task's network.
    """

    growth: Growth
    accuracy: float
    cost: float


@dataclass(frozen=True)
class Problem:
    """One task's search: maximise accuracy - alpha * cost(growth).

    Attributes:
        cost: exact and known for every growth, never modelled.
        alpha: accuracy that one whole first network's worth of growth must bring.
        validation: samples behind each accuracy.
        seed: of what the search draws.
        landscapes: of earlier tasks' searches, expected logit of accuracy by growth.
        hasty: whether trials end before new units have learned what they can, so that they flatter
            no growth.
    """

    space: Space
    cost: Callable[[Growth], float]
    alpha: float
    validation: int
    seed: int
    landscapes: Sequence[Mapping[Growth, float]] = ()
    hasty: bool = False

    def objective(self, trial: Trial) -> float:
        """Returns J of a trial as observed, noise included."""
        return trial.accuracy - self.alpha * trial.cost


@dataclass(frozen=True)
class Recommendation:
    """The growth to train, and what the search believes.

    Attributes:
        landscape: posterior mean of accuracy by growth; for searchers without a model, the trials.
        deviations: posterior standard deviation of accuracy; empty without a model.
    """

    growth: Growth
    landscape: dict[Growth, float]
    deviations: dict[Growth, float] = field(default_factory=dict)


class Searcher(Protocol):
    """A search as a function of its trials, so that a resumed one goes on as if never stopped."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def only(self) -> Growth | None:
        """The growth of every task where there is nothing to search, else None."""
        ...

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:
        """Returns up to `count` growths to try next; none when the search is over."""
        ...

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:
        """Returns the growth to train."""
        ...


def best_observed(problem: Problem, trials: Sequence[Trial]) -> Recommendation:
    """Returns the best draw, the way searchers without a model choose."""
    best = max(trials, key=problem.objective)
    landscape: dict[Growth, float] = {}
    for trial in trials:  # of one growth there may be several
        landscape[trial.growth] = max(trial.accuracy, landscape.get(trial.growth, 0.0))
    return Recommendation(best.growth, landscape)
