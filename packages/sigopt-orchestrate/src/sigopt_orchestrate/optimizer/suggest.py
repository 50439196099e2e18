"""The next trial's assignments as a pure function of the experiment and what is known."""

import logging
import math
from collections.abc import Sequence

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.points import Observed, Suggestion
from sigopt_orchestrate.optimizer.quasi_random import next_point
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.spec import Assignments, Experiment

_log = logging.getLogger(__name__)


def suggest(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Suggestion:
    """Returns what to try next.

    The first trial takes the experiment's defaults, if there are any; the next ones fill the space
    evenly, and then a Gaussian process of all observations chooses, see `wants_model`. The same
    arguments give the same suggestion to the bit, and the order of `history` and of `pending` does
    not matter.

    Args:
        experiment: Its parameters, objectives, budget and optimizer options count.
        history: All observations; one whose values are not all finite counts as a failed one.
        pending: The assignments of the trials without an observation.

    Raises:
        KeyError: If assignments lack a parameter.
        ValueError: If assignments have a categorical value that the experiment has not.
    """
    if not history and not pending and experiment.defaults is not None:
        return Suggestion(experiment.defaults, "default")
    if wants_model(experiment, history, pending):
        from sigopt_orchestrate.optimizer.bayesian import propose  # noqa: PLC0415, imports torch

        try:
            proposal = propose(experiment, [_checked(o) for o in history], pending)
        except SuggestionError as error:
            _log.warning("%s; a quasi-random point takes its place", error, exc_info=True)
            proposal = None
        if proposal is not None:
            return Suggestion(proposal, "bayesian")
    return suggest_quasi_random(experiment, history, pending)


def suggest_quasi_random(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Suggestion:
    """Returns the next point of an even spread; arguments and errors as for `suggest`."""
    space = Space(experiment.parameters)
    taken = [space.encode(a) for a in (*(o.assignments for o in history), *pending)]
    point = next_point(space, experiment.optimizer.seed, taken)
    return Suggestion(space.decode(point), "quasi-random")


def wants_model(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> bool:
    """Returns whether the next suggestion is the model's rather than an evenly spread one.

    It is once the first points, observed with success or still pending, are enough, and half of
    them, at least two, have answered: with many trials in parallel the model need not wait for the
    slowest, since it accounts for pending ones. Failures teach too little to count.
    """
    if experiment.optimizer.algorithm == "random":
        return False
    informative = sum(_checked(observed).values is not None for observed in history)
    wanted = first_points(len(experiment.parameters), experiment.budget)
    return informative >= max(2, wanted / 2) and informative + len(pending) >= wanted


def first_points(dimension: int, budget: int) -> int:
    """Returns how many trials come before the model: d + 1 within 4 to 8, half the budget at most.

    The model's priors make it useful from few points on, and what it does not know yet it explores
    better than an even spread does: more first points than these cost regret.
    """
    return max(2, min(max(4, dimension + 1), 8, budget // 2))


def _checked(observed: Observed) -> Observed:
    if observed.values is not None and not all(map(math.isfinite, observed.values)):
        return Observed(observed.assignments, None)
    return observed
