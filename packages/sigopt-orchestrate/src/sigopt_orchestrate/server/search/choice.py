"""Chooses what to suggest next: everything but the model's own choice, which takes a process."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer import Suggestion
from sigopt_orchestrate.optimizer.suggest import suggest_quasi_random, wants_model
from sigopt_orchestrate.server.search.linear import middle, repaired
from sigopt_orchestrate.server.search.question import MAX_HISTORY, Question
from sigopt_orchestrate.server.search.translation import Translation
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.parameters import BetaPrior, NormalPrior, Parameter
from sigopt_orchestrate.spec import Assignments, Experiment

Model = Callable[[Experiment, list[Any], list[Assignments]], Suggestion]
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What to try next, for which task, and how it was chosen."""

    assignments: dict[str, Any]
    task: str | None
    source: str


def choose(question: Question, model: Model) -> Choice:
    """Returns the answer to `question`, valid whatever the model says.

    Args:
        question: The experiment and what is known.
        model: Asks the optimiser's process; it may raise SuggestionError or TimeoutError, and an
            evenly spread point takes its place.

    Raises:
        SuggestionError: If no point satisfies the linear constraints.
    """
    definition = question.definition
    task = question.task or _next_task(question)
    if definition.type == "grid":
        return Choice(_grid_point(question), task, "grid")
    translation = Translation(definition)
    history = [o for trial in question.history if (o := translation.observed(trial)) is not None]
    pending = [a for t in question.pending if (a := translation.assignments(t)) is not None]
    spec = translation.spec(seed=question.experiment_id)
    if wants_model(spec, history, pending):
        try:
            suggestion = model(spec, history, pending)
            point = repaired(definition, translation.choice(suggestion.assignments))
            if point is not None:
                return Choice(point, task, suggestion.source)
        except (SuggestionError, TimeoutError):
            pass  # logged where it happened
    # A history that is cut off has one length for ever: the seed goes on in its place.
    block = question.suggested // MAX_HISTORY
    for turn in range(_TRIES):
        spread = translation.spec(seed=question.experiment_id * 7919 + block * _TRIES + turn)
        suggestion = suggest_quasi_random(spread, history, pending)
        drawn = translation.choice(suggestion.assignments)
        point = repaired(definition, _with_priors(definition, drawn, turn))
        if point is not None:
            return Choice(point, task, suggestion.source)
    raise SuggestionError("no point was found that satisfies the linear constraints")


def feasible(definition: Definition) -> bool:
    """Returns whether a point that satisfies the linear constraints was found."""
    return not definition.linear_constraints or repaired(definition, middle(definition)) is not None


def _next_task(question: Question) -> str | None:
    """The task that has used the least of the budget so far: many cheap trials, few full ones."""
    tasks = question.definition.tasks
    if not tasks:
        return None
    return min(tasks, key=lambda task: (question.spent.get(task.name, 0.0), task.cost)).name


def _grid_point(question: Question) -> dict[str, Any]:
    """The first point of the grid that has been neither observed nor suggested; round and round."""
    parameters = question.definition.parameters
    lists = [_levels(parameter) for parameter in parameters]
    names = [parameter.name for parameter in parameters]
    size = 1
    for levels in lists:
        size *= len(levels)
    trials = [*question.history, *question.pending]
    taken = {tuple(trial.assignments.get(name) for name in names) for trial in trials}
    start = question.suggested % size if question.suggested > len(taken) else 0
    points = itertools.islice(itertools.product(*lists), start, None)
    point = next((p for p in points if p not in taken), None)
    if point is None:
        point = next(itertools.islice(itertools.product(*lists), question.suggested % size, None))
    return dict(zip(names, point, strict=True))


def _levels(parameter: Parameter) -> list[Any]:
    if parameter.type == "categorical":
        return list(parameter.categorical_values or ())
    if parameter.grid is None:
        return list(range(int(parameter.low), int(parameter.high) + 1))
    return [int(v) if parameter.type == "int" else v for v in parameter.grid]


def _with_priors(definition: Definition, point: dict[str, Any], turn: int) -> dict[str, Any]:
    """Bends an even spread to where the priors say that good values lie."""
    bent = dict(point)
    for parameter in definition.parameters:
        if parameter.prior is not None and parameter.name in bent:
            span = parameter.high - parameter.low
            place = (bent[parameter.name] - parameter.low) / span
            value = _quantile(parameter, parameter.prior, place, turn)
            bent[parameter.name] = min(max(value, parameter.low), parameter.high)
    return bent


def _quantile(
    parameter: Parameter, prior: NormalPrior | BetaPrior, place: float, turn: int
) -> float:
    if isinstance(prior, BetaPrior):
        rng = random.Random(f"{parameter.name} {place!r} {turn}")  # noqa: S311
        share = rng.betavariate(prior.shape_a, prior.shape_b)
        return parameter.low + share * (parameter.high - parameter.low)
    belief = NormalDist(prior.mean, prior.scale)
    below, above = belief.cdf(parameter.low), belief.cdf(parameter.high)
    level = below + place * (above - below)
    if not 0 < level < 1 or above - below < 1e-12:
        return parameter.low + place * (parameter.high - parameter.low)
    return belief.inv_cdf(level)
