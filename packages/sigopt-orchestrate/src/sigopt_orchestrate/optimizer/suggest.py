"""The next trial's assignments as a pure function of the experiment and what is known."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.peers import PACKAGES, propose_as_peer
from sigopt_orchestrate.optimizer.plain import first_point, grid_point, random_point, spread_point
from sigopt_orchestrate.optimizer.points import Observed, Suggestion
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.optimizer.tasks import next_task
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.spec.consistency import TASK

MODELLESS = frozenset({"quasi-random", "random", "grid"})
"""The algorithms that learn nothing from observations."""

_log = logging.getLogger(__name__)


def suggest(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Suggestion:
    """Returns what to try next.

    The first trial takes the experiment's defaults, or the centre of the space; the next ones fill
    the space evenly, and then a Gaussian process of all observations chooses, see `wants_model`.
    The same arguments give the same suggestion to the bit, and the order of `history` and of
    `pending` does not matter.

    Args:
        experiment: Its space, metrics, budget and optimizer options count.
        history: All observations; one whose values are not all finite counts as a failed one.
        pending: The assignments of the trials without an observation.

    Raises:
        KeyError: If assignments lack a parameter.
        ValueError: If assignments have a categorical value that the experiment has not.
        SuggestionError: If no point was found that satisfies the linear constraints.
    """
    if not history and not pending and _starts_at_defaults(experiment):
        return _first(experiment)
    if wants_model(experiment, history, pending):
        try:
            proposal = _modelled(experiment, [_checked(o) for o in history], pending)
        except SuggestionError as error:
            _log.warning("%s; a quasi-random point takes its place", error, exc_info=True)
            proposal = None
        if proposal is not None:
            return Suggestion(proposal, experiment.optimizer.algorithm)
    return suggest_plainly(experiment, history, pending)


def suggest_several(
    experiment: Experiment,
    history: Sequence[Observed],
    pending: Sequence[Assignments],
    count: int,
) -> list[Suggestion]:
    """Returns `count` suggestions to try together; arguments and errors as for `suggest`.

    Each counts as pending for those after it.
    """
    found: list[Suggestion] = []
    for _ in range(count):
        waiting = [*pending, *(s.assignments for s in found)]
        found.append(suggest(experiment, history, waiting))
    return found


def suggest_plainly(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Suggestion:
    """Returns a suggestion without a model; arguments and errors as for `suggest`."""
    space = Space(experiment)
    taken = [space.encode(a) for a in (*(o.assignments for o in history), *pending)]
    algorithm = experiment.optimizer.algorithm
    if algorithm == "grid":
        point = grid_point(space, taken)
    elif algorithm == "random":
        point = random_point(experiment, space, taken)
    else:
        algorithm = "quasi-random"
        point = spread_point(experiment, space, taken)
    assignments = space.decode(point)
    if experiment.tasks:
        assignments = _with_task(experiment, assignments, history, pending)
    return Suggestion(assignments, algorithm)


def wants_model(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> bool:
    """Returns whether the next suggestion is the model's rather than an evenly spread one.

    It is once the first points, observed with success or still pending, are enough, and half of
    them, at least two, have answered: with many trials in parallel the model need not wait for the
    slowest, since it accounts for pending ones. Failures teach too little to count.
    """
    if experiment.optimizer.algorithm in MODELLESS:
        return False
    if experiment.optimizer.algorithm in PACKAGES:  # they have first points of their own
        return True
    informative = sum(_checked(observed).values is not None for observed in history)
    wanted = first_points(len(experiment.parameters), experiment.budget)
    return informative >= max(2, wanted / 2) and informative + len(pending) >= wanted


def is_feasible(experiment: Experiment) -> bool:
    """Returns whether a point that satisfies the linear constraints was found."""
    if not experiment.linear_constraints:
        return True
    space = Space(experiment)
    if space.is_empty():
        return False
    try:
        spread_point(experiment, space, ())
    except SuggestionError:
        return False
    return True


def first_points(dimension: int, budget: int) -> int:
    """Returns how many trials come before the model: two more than there are dimensions.

    At least 4 and at most 10, and about a fifth of the budget: the model's priors make it useful
    from few points on. With fewer, it takes the first good basin for the only one: on Hartmann6 it
    ended in the second best one in half of the runs with 5 first points, in a fifth with 7.
    """
    return max(2, min(budget // 2, max(4, min(dimension + 2, 10, budget // 5))))


def _modelled(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments | None:
    if experiment.optimizer.algorithm in PACKAGES:
        return propose_as_peer(experiment, history, pending)
    from sigopt_orchestrate.optimizer.bayesian import propose  # noqa: PLC0415, imports numerics

    return propose(experiment, history, pending)


def _starts_at_defaults(experiment: Experiment) -> bool:
    return experiment.optimizer.algorithm == "bayesian"


def _first(experiment: Experiment) -> Suggestion:
    space = Space(experiment)
    if experiment.defaults is not None and space.allows(space.encode(experiment.defaults)):
        return Suggestion(space.decode(space.encode(experiment.defaults)), "default")
    return Suggestion(space.decode(first_point(experiment, space)), "centre")


def _with_task(
    experiment: Experiment,
    assignments: Assignments,
    history: Sequence[Observed],
    pending: Sequence[Assignments],
) -> Assignments:
    known = [*(o.assignments for o in history), *pending]
    names = [str(a.get(TASK)) for a in known]
    spent = {task.name: names.count(task.name) for task in experiment.tasks}
    return {**assignments, TASK: next_task(experiment, spent)}


def _checked(observed: Observed) -> Observed:
    if observed.values is not None and not all(map(math.isfinite, observed.values)):
        return replace(observed, values=None, deviations=None)
    return observed
