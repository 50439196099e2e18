"""An API experiment in the optimiser's terms: names it allows, grids as indices, no conditions."""

from typing import Any

from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.server.search.question import Trial
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.spec import Assignments, Experiment

_UNLIMITED = 1_000_000


class Translation:
    """Translates one experiment's definition, its trials and the optimiser's choices.

    An inactive parameter stands at one fixed value, so that the model sees no difference where
    there is none. An ordered grid is the index into it. A thing with one value is not searched.
    Where there are tasks, the model sees which one an observation was of as one more parameter.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._conditionals = [c for c in definition.conditionals if len(c.values) > 1]
        self._parameters = [p for p in definition.parameters if not _is_fixed(p)]
        self._tasks = [task.name for task in sorted(definition.tasks, key=lambda t: t.cost)]

    def spec(self, seed: int) -> Experiment:
        """Returns the experiment as the optimiser knows it."""
        searched: list[dict[str, Any]] = [
            {"name": f"c{i}", "type": "categorical", "categorical_values": c.values}
            for i, c in enumerate(self._conditionals)
        ]
        searched += [{"name": f"p{i}", **_axis(p)} for i, p in enumerate(self._parameters)]
        if self._tasks:
            searched.append({"name": "task", "type": "int", "bounds": _range(len(self._tasks))})
        budget = self._definition.budget
        return Experiment.model_validate(
            {
                "name": "api",
                "command": ["true"],
                "parameters": searched or [{"name": "nothing", "type": "int", "bounds": _range(2)}],
                "metrics": [
                    {"name": f"m{i}", "objective": metric.objective or "maximize"}
                    for i, metric in enumerate(self._definition.optimized)
                ],
                "budget": max(1, min(int(budget), _UNLIMITED)) if budget else _UNLIMITED,
                "optimizer": {
                    "algorithm": "bayesian" if self._definition.type == "offline" else "random",
                    "seed": seed % 2**31,
                },
            }
        )

    def observed(self, trial: Trial) -> Observed | None:
        """Returns an observation; None where its assignments are no longer in the space.

        One that misses a constraint metric's threshold counts as failed: the search stays away.
        """
        assignments = self.assignments(trial)
        if assignments is None:
            return None
        values = trial.values
        if values is None:
            return Observed(assignments, None)
        for metric in self._definition.constrained:
            value = values.get(str(metric.name))
            if value is None or not metric.reached(value):
                return Observed(assignments, None)
        wanted = [values.get(metric.name) for metric in self._definition.optimized]  # type: ignore[arg-type]
        present = tuple(value for value in wanted if value is not None)
        return Observed(assignments, present if len(present) == len(wanted) else None)

    def assignments(self, trial: Trial) -> Assignments | None:
        """Returns a trial's assignments; None where they are no longer in the space."""
        given = trial.assignments
        translated: Assignments = {}
        for i, conditional in enumerate(self._conditionals):
            value = given.get(conditional.name, conditional.values[0])
            if value not in conditional.values:
                return None
            translated[f"c{i}"] = value
        active = {p.name for p in self._definition.active(given)}
        for i, parameter in enumerate(self._parameters):
            value = given.get(parameter.name) if parameter.name in active else None
            coordinate = _encode(parameter, _neutral(parameter) if value is None else value)
            if coordinate is None:
                return None
            translated[f"p{i}"] = coordinate
        if self._tasks:
            translated["task"] = self._tasks.index(trial.task) if trial.task in self._tasks else 0
        return translated or {"nothing": 0}

    def choice(self, chosen: Assignments) -> dict[str, Any]:
        """Returns the optimiser's choice as assignments, inactive parameters left out."""
        assignments: dict[str, Any] = {}
        searched = {c.name: chosen[f"c{i}"] for i, c in enumerate(self._conditionals)}
        for conditional in self._definition.conditionals:
            assignments[conditional.name] = searched.get(conditional.name, conditional.values[0])
        values = {p.name: _decode(p, chosen[f"p{i}"]) for i, p in enumerate(self._parameters)}
        for parameter in self._definition.active(assignments):
            value = values.get(parameter.name)
            assignments[parameter.name] = _neutral(parameter) if value is None else value
        return assignments


def _is_fixed(parameter: Parameter) -> bool:
    return parameter.grid is not None and len(parameter.grid) == 1


def _range(count: int) -> dict[str, int]:
    return {"min": 0, "max": count - 1}


def _axis(parameter: Parameter) -> dict[str, Any]:
    if parameter.type == "categorical":
        return {"type": "categorical", "categorical_values": parameter.categorical_values}
    if parameter.grid is not None:
        return {"type": "int", "bounds": _range(len(parameter.grid))}
    bounds = {"min": parameter.low, "max": parameter.high}
    return {"type": parameter.type, "bounds": bounds, "transformation": parameter.transformation}


def _neutral(parameter: Parameter) -> Any:
    """What an inactive parameter stands at, and one that an old observation did not have yet."""
    if parameter.default_value is not None:
        return parameter.default_value
    if parameter.type == "categorical":
        return (parameter.categorical_values or [""])[0]
    if parameter.grid is not None:
        return sorted(parameter.grid)[len(parameter.grid) // 2]
    if parameter.transformation == "log":
        return (parameter.low * parameter.high) ** 0.5
    middle = parameter.low / 2 + parameter.high / 2
    return int(middle) if parameter.type == "int" else middle


def _encode(parameter: Parameter, value: Any) -> Any:
    if parameter.type == "categorical":
        return value if value in (parameter.categorical_values or ()) else None
    if isinstance(value, str):
        return None
    if parameter.grid is not None:
        grid = sorted(parameter.grid)
        return min(range(len(grid)), key=lambda i: abs(grid[i] - value))
    return min(max(value, parameter.low), parameter.high)


def _decode(parameter: Parameter, value: Any) -> Any:
    if parameter.grid is not None:
        chosen = sorted(parameter.grid)[value]
        return int(chosen) if parameter.type == "int" else chosen
    return value
