"""What an experiment optimises over and for: the part of it that the optimiser needs."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sigopt_orchestrate.server.wire.fields import Name, Number, Part, Whole
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.spec.section import refusal


class Metric(Part):
    """A number that observations report; of at most 2 optimised and 4 constrained ones."""

    name: Name | None = None
    objective: Literal["maximize", "minimize"] | None = None
    strategy: Literal["optimize", "constraint", "store"] | None = None
    threshold: Number | None = None

    @property
    def optimized(self) -> bool:
        """Whether it steers the search."""
        return self.strategy in (None, "optimize")

    @property
    def constrained(self) -> bool:
        """Whether it must reach its threshold."""
        return self.strategy == "constraint"

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return -1.0 if self.objective == "minimize" else 1.0

    def reached(self, value: float) -> bool:
        """Returns whether `value` is at the threshold or on its good side."""
        return self.threshold is None or self.sign * (value - self.threshold) >= 0


class Conditional(Part):
    """A choice on which other parameters depend."""

    name: Name
    values: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1)
    ]


class Term(Part):
    """A parameter's share in a linear constraint."""

    name: str
    weight: Number


class LinearConstraint(Part):
    """A weighted sum of parameters that must stay above or below a threshold."""

    type: Literal["greater_than", "less_than"]
    threshold: Number
    terms: Annotated[list[Term], Field(min_length=1)]


class Task(Part):
    """A cheaper way to observe: its cost is the part of the budget that one observation uses."""

    name: Name
    cost: Annotated[Number, Field(gt=0, le=1)]


class EarlyStoppingCriterion(Part):
    """When a run's checkpoints say that it may stop.

    `convergence` is SigOpt's; `asha` and `median` compare with the experiment's other runs.
    """

    name: Name
    type: Literal["convergence", "asha", "median"]
    metric: Name
    lookback_checkpoints: Annotated[Whole, Field(ge=1)] = 1
    min_checkpoints: Annotated[Whole, Field(ge=1)] = 1
    reduction: Annotated[Number, Field(gt=1)] = 3


class TrainingMonitor(Part):
    """How many checkpoints a run has at most, and when they say that it may stop."""

    max_checkpoints: Annotated[Whole, Field(ge=1, le=200)]
    early_stopping_criteria: list[EarlyStoppingCriterion] = Field(default_factory=list)


class Definition(Part):
    """Everything about an experiment that its suggestions depend on."""

    type: Literal["offline", "random", "grid"] = "offline"
    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=100)]
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=50)] = Field(
        default_factory=lambda: [Metric()]
    )
    conditionals: list[Conditional] = Field(default_factory=list)
    linear_constraints: list[LinearConstraint] = Field(default_factory=list)
    tasks: list[Task] = Field(default_factory=list)
    num_solutions: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    budget: Annotated[Number, Field(ge=0)] | None = None
    parallel_bandwidth: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    training_monitor: TrainingMonitor | None = None

    @property
    def optimized(self) -> list[Metric]:
        """The one or two metrics that steer the search."""
        return [metric for metric in self.metrics if metric.optimized]

    @property
    def constrained(self) -> list[Metric]:
        """The metrics that must reach a threshold."""
        return [metric for metric in self.metrics if metric.constrained]

    @property
    def solutions(self) -> int:
        """How many different solutions are wanted."""
        return self.num_solutions or 1

    @property
    def full_task(self) -> str | None:
        """The task whose cost is 1."""
        return next((task.name for task in self.tasks if task.cost == 1), None)

    def active(self, assignments: dict[str, Any]) -> list[Parameter]:
        """Returns the parameters that are active where the conditionals have these values."""
        return [
            p
            for p in self.parameters
            if all(assignments.get(name) in values for name, values in (p.conditions or {}).items())
        ]

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        """An explicit null is as good as an absent key."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_repeated("parameters", [p.name for p in self.parameters])
        _refuse_repeated("conditionals", [c.name for c in self.conditionals])
        _refuse_repeated("metrics", [m.name for m in self.metrics])
        self._check_metrics()
        self._check_conditions()
        self._check_tasks()
        for index, constraint in enumerate(self.linear_constraints):
            self._check_constraint(index, constraint)
        self._check_budget()
        return self

    def _check_metrics(self) -> None:
        if not 1 <= len(self.optimized) <= 2:
            raise refusal(f"1 or 2 must be optimized, not {len(self.optimized)}", "metrics")
        if len(self.constrained) > 4:
            raise refusal(f"at most 4 may be constraints, not {len(self.constrained)}", "metrics")
        for index, metric in enumerate(self.metrics):
            if metric.name is None and len(self.metrics) > 1:
                raise refusal("is required where there is more than one", "metrics", index, "name")
            if metric.constrained and metric.threshold is None:
                raise refusal("a constraint needs one", "metrics", index, "threshold")
            if metric.threshold is not None and not metric.constrained:
                if not metric.optimized:
                    raise refusal("a stored metric has none", "metrics", index, "threshold")
                if len(self.optimized) < 2:
                    raise refusal(
                        "an optimized metric has one only beside a second optimized metric",
                        "metrics",
                        index,
                        "threshold",
                    )

    def _check_conditions(self) -> None:
        values = {conditional.name: conditional.values for conditional in self.conditionals}
        for index, conditional in enumerate(self.conditionals):
            _refuse_repeated("conditionals", conditional.values, index, "values")
            if conditional.name in {p.name for p in self.parameters}:
                raise refusal("is a parameter's name, too", "conditionals", index, "name")
        if values and self.solutions > 1:
            raise refusal("cannot be combined with num_solutions above 1", "conditionals")
        if values and self.type == "grid":
            raise refusal("cannot be combined with type grid", "conditionals")
        for index, parameter in enumerate(self.parameters):
            for name, wanted in (parameter.conditions or {}).items():
                place = ("parameters", index, "conditions", name)
                if name not in values:
                    raise refusal("is not a conditional of the experiment", *place)
                if not wanted or not set(wanted) <= set(values[name]):
                    raise refusal(f"must be values of the conditional: {values[name]}", *place)

    def _check_tasks(self) -> None:
        if not self.tasks:
            return
        if len(self.tasks) < 2:
            raise refusal("must be at least 2", "tasks")
        _refuse_repeated("tasks", [task.name for task in self.tasks])
        _refuse_repeated("tasks", [task.cost for task in self.tasks])
        if self.full_task is None:
            raise refusal("exactly one must have cost 1", "tasks")
        if len(self.optimized) > 1 or self.constrained or self.solutions > 1:
            raise refusal(
                "cannot be combined with several optimized metrics, constraint metrics or "
                "num_solutions above 1",
                "tasks",
            )

    def _check_constraint(self, index: int, constraint: LinearConstraint) -> None:
        _refuse_repeated(
            "linear_constraints", [term.name for term in constraint.terms], index, "terms"
        )
        known = {p.name: p for p in self.parameters}
        types = set()
        for position, term in enumerate(constraint.terms):
            place = ("linear_constraints", index, "terms", position, "name")
            parameter = known.get(term.name)
            if parameter is None:
                raise refusal(f"{term.name!r} is not a parameter", *place)
            if parameter.type == "categorical" or parameter.grid or parameter.transformation:
                raise refusal(
                    f"{term.name!r} must be a double or an int with bounds and without log", *place
                )
            if parameter.conditions:
                raise refusal(f"{term.name!r} must have no conditions", *place)
            types.add(parameter.type)
        if len(types) > 1:
            raise refusal("must be all doubles or all ints", "linear_constraints", index, "terms")
        if types == {"int"} and len(constraint.terms) > 10:
            raise refusal("at most 10 ints", "linear_constraints", index, "terms")

    def _check_budget(self) -> None:
        if self.type == "grid":
            for index, parameter in enumerate(self.parameters):
                if parameter.type == "double" and parameter.grid is None:
                    raise refusal("is required where type is grid", "parameters", index, "grid")
            return
        needs = {
            "two optimized metrics": len(self.optimized) > 1,
            "constraint metrics": bool(self.constrained),
            "num_solutions above 1": self.solutions > 1,
            "tasks": bool(self.tasks),
        }
        for what, needed in needs.items():
            if needed and self.budget is None:
                raise refusal(f"is required with {what}", "budget")
        if self.solutions > 1 and len(self.optimized) > 1:
            raise refusal("must be 1 with two optimized metrics", "num_solutions")


def _refuse_repeated(kind: str, names: Iterable[object], *place: str | int) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise refusal(f"{name!r} is given more than once", kind, *place)
