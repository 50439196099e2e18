"""The bodies that create and change experiments and AI experiments."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from sigopt_orchestrate.server.errors import InvalidError, invalid_body
from sigopt_orchestrate.server.wire.definition import (
    Conditional,
    Definition,
    LinearConstraint,
    Metric,
    Task,
    TrainingMonitor,
)
from sigopt_orchestrate.server.wire.fields import Metadata, Name, Number, Part, Whole
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.spec.consistency import GRID_TOO_LARGE, MOST_GRID_POINTS
from sigopt_orchestrate.spec.section import refusal


class _ExperimentBody(Part):
    """Keys beyond these are passed over: old scripts send what the old service once knew."""

    model_config = ConfigDict(populate_by_name=True)

    name: Name | None = None
    parameters: list[Parameter] | None = None
    metrics: list[Metric] | None = None
    conditionals: list[Conditional] | None = None
    linear_constraints: list[LinearConstraint] | None = None
    num_solutions: Whole | None = None
    parallel_bandwidth: Whole | None = None
    training_monitor: TrainingMonitor | None = None
    metadata: Metadata | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """The keys of the definition that were sent, nulls included."""
        sent = self.model_dump(exclude_unset=True)
        return {key: value for key, value in sent.items() if key in Definition.model_fields}


class AIExperimentCreate(_ExperimentBody):
    """Creates an AI experiment, whose observations are its training runs."""

    name: Name
    parameters: list[Parameter]
    metrics: list[Metric]
    type: Literal["offline", "random", "grid"] | None = None
    budget: Number | None = None
    tasks: list[Task] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tasks:
            raise refusal("an AI experiment has none; create an experiment", "tasks")
        for index, metric in enumerate(self.metrics):
            if metric.name is None:
                raise refusal("is required", "metrics", index, "name")
        return self


class AIExperimentUpdate(_ExperimentBody):
    """Changes the keys given; the lists of parameters and metrics are complete ones."""

    budget: Number | None = None
    state: Literal["active", "deleted"] | None = None


class ExperimentCreate(_ExperimentBody):
    """Creates an experiment that is observed through suggestions and observations."""

    name: Name
    parameters: list[Parameter]
    type: Literal["offline", "random", "grid"] | None = None
    budget: Number | None = Field(default=None, alias="observation_budget")
    tasks: list[Task] | None = None
    project: str | None = None


class ExperimentUpdate(_ExperimentBody):
    """Changes the keys given; the lists of parameters and metrics are complete ones."""

    budget: Number | None = Field(default=None, alias="observation_budget")
    tasks: list[Task] | None = None
    project: str | None = None
    state: Literal["active", "deleted"] | None = None


def build(given: dict[str, Any], *, runs_only: bool) -> Definition:
    """Returns the definition that these keys make.

    Args:
        given: The keys.
        runs_only: Whether it is an AI experiment's; others call their budget otherwise.

    Raises:
        InvalidError: If it breaks a rule of the API; see `Definition`.
    """
    try:
        definition = Definition.model_validate(given)
    except ValidationError as error:
        said = str(invalid_body(error))
        named = said if runs_only or not said.startswith("budget") else f"observation_{said}"
        raise InvalidError(named) from None
    if definition.type == "grid":
        size = 1
        for parameter in definition.parameters:
            size *= _levels(parameter)
        if size > MOST_GRID_POINTS:
            raise InvalidError(f"parameters: {GRID_TOO_LARGE}")
        return definition.model_copy(update={"budget": float(size)})
    return definition


def change(definition: Definition, given: dict[str, Any], *, runs_only: bool) -> Definition:
    """Returns `definition` with the keys of an update carried out.

    Raises:
        InvalidError: If the update touches what is fixed at creation, or its result is invalid.
    """
    changed = build({**definition.model_dump(), **given}, runs_only=runs_only)
    _check_parameters(definition, changed)
    _check_metrics(definition, changed)
    for key in ("linear_constraints", "tasks", "conditionals"):
        if getattr(definition, key) != getattr(changed, key):
            raise InvalidError(f"{key}: cannot be changed after the experiment was created")
    return changed


def _check_parameters(before: Definition, after: Definition) -> None:
    known = {p.name: p for p in before.parameters}
    for index, parameter in enumerate(after.parameters):
        old = known.get(parameter.name)
        if old is None and parameter.default_value is None:
            raise InvalidError(
                f"parameters[{index}].default_value: is required for the new parameter "
                f"{parameter.name!r}"
            )
        if old is not None and old.type != parameter.type:
            raise InvalidError(
                f"parameters[{index}].type: cannot be changed, {parameter.name!r} is {old.type}"
            )


def _check_metrics(before: Definition, after: Definition) -> None:
    if len(before.metrics) != len(after.metrics):
        raise InvalidError("metrics: none can be added or removed after creation")
    old = {metric.name: metric for metric in before.metrics}
    for index, metric in enumerate(after.metrics):
        was = old.get(metric.name)
        if was is None:
            raise InvalidError(f"metrics[{index}].name: {metric.name!r} is not a metric of it")
        if was.sign != metric.sign:
            raise InvalidError(f"metrics[{index}].objective: cannot be changed")
        if (was.strategy or "optimize") != (metric.strategy or "optimize"):
            raise InvalidError(f"metrics[{index}].strategy: cannot be changed")


def _levels(parameter: Parameter) -> int:
    if parameter.type == "categorical":
        return len(parameter.categorical_values or ())
    return len(parameter.grid) if parameter.grid else int(parameter.high - parameter.low) + 1
