"""What the parts of an experiment must have in common."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sigopt_orchestrate.spec.parameters import CategoricalParameter
from sigopt_orchestrate.spec.section import refusal

if TYPE_CHECKING:
    from sigopt_orchestrate.spec.experiment import Experiment
    from sigopt_orchestrate.spec.parameters import Parameter

MOST_GRID_POINTS = 1_000_000
"""Of a whole grid: a search that goes through all of it holds its axes, and counts."""

GRID_TOO_LARGE = f"make a grid of more than {MOST_GRID_POINTS:,} points, as many as are allowed"
"""What is said of parameters that make a larger one."""

TASK = "task"
"""The name under which a trial finds its task among the assignments."""


def check_search(experiment: "Experiment") -> None:
    """Raises the refusal of whatever in the experiment's search keys does not fit together."""
    _check_metrics(experiment)
    _check_conditions(experiment)
    _check_linear_constraints(experiment)
    _check_tasks(experiment)
    rule = experiment.early_stopping
    names = [metric.name for metric in experiment.metrics]
    if rule is not None and rule.metric not in names:
        raise refusal(f"must be one of the metrics: {', '.join(names)}", "early_stopping", "metric")
    if experiment.num_solutions > 1 and len(experiment.objectives) > 1:
        raise refusal("must be 1 with two objectives", "num_solutions")
    if experiment.num_solutions > 1 and experiment.conditionals:
        raise refusal("must be 1 with conditionals", "num_solutions")
    if experiment.optimizer.algorithm == "grid":
        _check_grid(experiment)


def refuse_repeated(kind: str, names: Sequence[object], *place: str | int) -> None:
    """Raises a refusal if one of `names` is there twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise refusal(f"{name!r} is defined more than once", kind, index, *place)


def _check_metrics(experiment: "Experiment") -> None:
    objectives = experiment.objectives
    if not 1 <= len(objectives) <= 2:
        raise refusal(
            f"{len(objectives)} have strategy optimize, but one or two must; "
            "the others take strategy constraint or store",
            "metrics",
        )
    if len(experiment.constraints) > 4:
        raise refusal(f"at most 4 may be constraints, not {len(experiment.constraints)}", "metrics")
    for index, metric in enumerate(experiment.metrics):
        place = ("metrics", index, "threshold")
        if metric.strategy == "constraint" and metric.threshold is None:
            raise refusal("a metric of strategy constraint needs one", *place)
        if metric.threshold is None or metric.strategy == "constraint":
            continue
        if metric.strategy == "store":
            raise refusal("is not for a metric of strategy store", *place)
        if len(objectives) < 2:
            raise refusal("an objective has one only beside a second objective", *place)


def _check_conditions(experiment: "Experiment") -> None:
    values = {c.name: c.values for c in experiment.conditionals}
    for index, conditional in enumerate(experiment.conditionals):
        if len(set(conditional.values)) < len(conditional.values):
            raise refusal("each value is listed once", "conditionals", index, "values")
    for index, parameter in enumerate(experiment.parameters):
        for name, wanted in parameter.conditions.items():
            place = ("parameters", index, "conditions")
            if name not in values:
                raise refusal(f"{name!r} is not one of the conditionals", *place)
            if not set(wanted) <= set(values[name]):
                raise refusal(f"must be values of {name}: {', '.join(values[name])}", *place)


def _check_linear_constraints(experiment: "Experiment") -> None:
    known = {p.name: p for p in experiment.parameters}
    for index, constraint in enumerate(experiment.linear_constraints):
        place = ("linear_constraints", index, "terms")
        names = [term.name for term in constraint.terms]
        if len(set(names)) < len(names):
            raise refusal("each parameter has one term", *place)
        for position, name in enumerate(names):
            parameter = known.get(name)
            if parameter is None:
                raise refusal(f"{name!r} is not a parameter", *place, position)
            if (
                isinstance(parameter, CategoricalParameter)
                or parameter.transformation is not None
                or parameter.grid is not None
                or parameter.conditions
            ):
                raise refusal(
                    f"{name!r} must be a double or an int with bounds, without transformation "
                    "and conditions",
                    *place,
                    position,
                )
        if len({known[name].type for name in names}) > 1:
            raise refusal("must be all doubles or all ints", *place)


def _check_tasks(experiment: "Experiment") -> None:
    tasks = experiment.tasks
    if not tasks:
        return
    if len(tasks) < 2 or [task.cost for task in tasks].count(1) != 1:
        raise refusal("must be at least two, exactly one of cost 1", "tasks")
    refuse_repeated("tasks", [task.name for task in tasks], "name")
    if len(experiment.objectives) > 1 or experiment.constraints or experiment.num_solutions > 1:
        raise refusal("are for one objective without constraints and one solution", "tasks")
    if TASK in {*experiment.known_names()}:
        raise refusal(f"{TASK!r} is the name of the trial's task", "parameters")


def _check_grid(experiment: "Experiment") -> None:
    for index, parameter in enumerate(experiment.parameters):
        if parameter.type == "double" and parameter.grid is None:
            raise refusal("a grid is required where algorithm is grid", "parameters", index)
    size = math.prod(map(_levels, experiment.parameters))
    if size > MOST_GRID_POINTS:
        raise refusal(GRID_TOO_LARGE, "parameters")


def _levels(parameter: "Parameter") -> int:
    if parameter.type == "categorical":
        return len(parameter.categorical_values)
    if parameter.grid is not None:
        return len(parameter.grid)
    return int(parameter.bounds.max - parameter.bounds.min) + 1
