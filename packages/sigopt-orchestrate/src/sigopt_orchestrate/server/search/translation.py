"""An API experiment in the optimiser's terms, which allow fewer names and no fixed parameters."""

from typing import Any

from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.server.search.question import Trial
from sigopt_orchestrate.server.wire.definition import Definition, Metric
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.spec.consistency import TASK

_UNLIMITED = 1_000_000
_ALGORITHMS = {"offline": "bayesian", "random": "random", "grid": "grid"}


class Translation:
    """Translates one experiment's definition, its trials and the optimiser's choices."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._conditionals = {c.name: f"c{i}" for i, c in enumerate(definition.conditionals)}
        self._parameters = [p for p in definition.parameters if not _is_fixed(p)]
        self._names = {p.name: f"p{i}" for i, p in enumerate(self._parameters)}
        self._metrics = [*definition.optimized, *definition.constrained]

    def spec(self, seed: int) -> Experiment:
        """Returns the experiment as the optimiser knows it."""
        definition = self._definition
        budget = definition.budget
        conditionals = [
            {"name": self._conditionals[c.name], "values": c.values}
            for c in definition.conditionals
        ]
        searched = [{"name": self._names[p.name], **self._axis(p)} for p in self._parameters]
        nothing = {"name": "nothing", "type": "int", "bounds": {"min": 0, "max": 1}}
        return Experiment.model_validate(
            {
                "name": "api",
                "command": ["true"],
                "parameters": searched or [nothing],
                "conditionals": conditionals,
                "linear_constraints": [
                    {
                        "type": constraint.type,
                        "threshold": constraint.threshold,
                        "terms": [
                            {"name": self._names[term.name], "weight": term.weight}
                            for term in constraint.terms
                        ],
                    }
                    for constraint in definition.linear_constraints
                ],
                "metrics": [_metric(i, metric) for i, metric in enumerate(self._metrics)],
                "tasks": [{"name": task.name, "cost": task.cost} for task in definition.tasks],
                "num_solutions": definition.solutions,
                "budget": max(1, min(int(budget), _UNLIMITED)) if budget else _UNLIMITED,
                "optimizer": {"algorithm": _ALGORITHMS[definition.type], "seed": seed % 2**31},
            }
        )

    def observed(self, trial: Trial) -> Observed | None:
        """Returns an observation; None where its assignments are no longer in the space."""
        assignments = self.assignments(trial)
        if assignments is None:
            return None
        if trial.values is None:
            return Observed(assignments, None)
        names = [str(metric.name) for metric in self._metrics]
        values = [trial.values.get(name) for name in names]
        present = tuple(value for value in values if value is not None)
        if len(present) < len(names):
            return Observed(assignments, None)
        return Observed(assignments, present, self._deviations(trial, names))

    def assignments(self, trial: Trial) -> Assignments | None:
        """Returns a trial's assignments; None where they are no longer in the space."""
        given = trial.assignments
        translated: Assignments = {}
        for conditional in self._definition.conditionals:
            value = given.get(conditional.name, conditional.values[0])
            if value not in conditional.values:
                return None
            translated[self._conditionals[conditional.name]] = value
        active = {p.name for p in self._definition.active(given)}
        for parameter in self._parameters:
            if parameter.name in active:
                value = given.get(parameter.name)
                fitting = _fitting(parameter, _past(parameter) if value is None else value)
                if fitting is None:
                    return None
                translated[self._names[parameter.name]] = fitting
        if self._definition.tasks:
            known = {task.name for task in self._definition.tasks}
            if trial.task not in known:
                return None
            translated[TASK] = str(trial.task)
        return translated if self._parameters else {**translated, "nothing": 0}

    def choice(self, chosen: Assignments) -> tuple[dict[str, Any], str | None]:
        """Returns the optimiser's choice as assignments and task, inactive parameters left out."""
        assignments: dict[str, Any] = {
            name: chosen[own] for name, own in self._conditionals.items()
        }
        for parameter in self._definition.active(assignments):
            own = self._names.get(parameter.name)
            value = chosen[own] if own is not None else (parameter.grid or [0])[0]
            assignments[parameter.name] = _typed(parameter, value)
        return assignments, str(chosen[TASK]) if self._definition.tasks else None

    def _axis(self, parameter: Parameter) -> dict[str, Any]:
        conditions = {
            self._conditionals[name]: values
            for name, values in (parameter.conditions or {}).items()
        }
        if parameter.type == "categorical":
            values = parameter.categorical_values
            return {"type": "categorical", "categorical_values": values, "conditions": conditions}
        axis: dict[str, Any] = {
            "type": parameter.type,
            "transformation": parameter.transformation,
            "conditions": conditions,
        }
        if parameter.grid is not None:
            return {**axis, "grid": [_typed(parameter, v) for v in sorted(parameter.grid)]}
        axis["bounds"] = {"min": parameter.low, "max": parameter.high}
        if parameter.prior is not None:
            axis["prior"] = parameter.prior.model_dump()
        return axis

    @staticmethod
    def _deviations(trial: Trial, names: list[str]) -> tuple[float, ...] | None:
        deviations = tuple(trial.deviations.get(name) or 0.0 for name in names)
        return deviations if any(deviations) else None


def _is_fixed(parameter: Parameter) -> bool:
    return parameter.grid is not None and len(parameter.grid) == 1


def _metric(index: int, metric: Metric) -> dict[str, Any]:
    return {
        "name": f"m{index}",
        "objective": metric.objective or "maximize",
        "strategy": "constraint" if metric.constrained else "optimize",
        "threshold": metric.threshold,
    }


def _past(parameter: Parameter) -> Any:
    """What an observation had that is older than the parameter."""
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


def _fitting(parameter: Parameter, value: Any) -> Any:
    """The value of the space that is nearest; None for what is none."""
    if parameter.type == "categorical":
        return value if value in (parameter.categorical_values or ()) else None
    if isinstance(value, str):
        return None
    if parameter.grid is not None:
        return min(parameter.grid, key=lambda known: abs(known - value))
    return min(max(value, parameter.low), parameter.high)


def _typed(parameter: Parameter, value: Any) -> Any:
    if parameter.type == "int":
        return int(value)
    return float(value) if parameter.type == "double" else value
