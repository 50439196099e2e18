"""The bodies of suggestions, queued suggestions and observations."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sigopt_orchestrate.server.wire.fields import Assignments, Body, Id, Metadata, Number, Part
from sigopt_orchestrate.spec.section import refusal


def _task_name(value: object) -> object:
    """A task is sent by its name or as the object that the server answers with."""
    return value.get("name") if isinstance(value, dict) else value


TaskName = Annotated[
    str, BeforeValidator(_task_name), WithJsonSchema({"type": "string", "maxLength": 100})
]


class Evaluation(Part):
    """One metric's value.

    Attributes:
        value_stddev: The standard deviation of its noise.
    """

    name: str | None = None
    value: Number
    value_stddev: Annotated[Number, Field(ge=0, le=1e150)] | None = None


class SuggestionCreate(Part):
    """Asks for a suggestion, or makes one of the caller's own assignments."""

    assignments: Assignments | None = None
    task: TaskName | None = None
    metadata: Metadata | None = None


class SuggestionUpdate(Part):
    """Changes a suggestion's metadata."""

    metadata: Metadata | None = None


class QueuedSuggestionCreate(Part):
    """Has these assignments suggested before any that the optimiser chooses."""

    assignments: Assignments
    task: TaskName | None = None


class _ObservationBody(Body):
    suggestion: Id | None = None
    assignments: Assignments | None = None
    value: Number | None = None
    value_stddev: Annotated[Number, Field(ge=0, le=1e150)] | None = None
    values: Annotated[list[Evaluation], Field(max_length=50)] | None = None
    failed: bool | None = None
    metadata: Metadata | None = None
    task: TaskName | None = None
    no_optimize: bool | None = None

    @property
    def evaluations(self) -> list[Evaluation] | None:
        """The values, also where one was sent as `value`; None where none were sent."""
        if self.value is not None:
            return [Evaluation(value=self.value, value_stddev=self.value_stddev)]
        return self.values

    def _check_values(self) -> None:
        if self.value is not None and self.values is not None:
            raise refusal("cannot be given beside value", "values")
        if self.value_stddev is not None and self.value is None:
            raise refusal("needs value", "value_stddev")
        if self.failed and self.evaluations:
            raise refusal("excludes value and values", "failed")


class ObservationCreate(_ObservationBody):
    """Reports how a suggestion, or assignments of the caller's own, did."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.suggestion is None) == (self.assignments is None):
            raise refusal("exactly one of suggestion and assignments must be given", "assignments")
        if self.suggestion is not None and self.task is not None:
            raise refusal("comes from the suggestion", "task")
        self._check_values()
        return self


class ObservationUpdate(_ObservationBody):
    """Changes the keys given."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.suggestion is not None and self.assignments is not None:
            raise refusal("cannot be given beside suggestion", "assignments")
        self._check_values()
        return self


class ObservationBatch(Body):
    """Reports many observations, all or none.

    Attributes:
        dry_run: Whether only to check them.
    """

    observations: Annotated[list[Any], Field(max_length=2500)]
    dry_run: bool | None = None
    no_optimize: bool | None = None
    fields: str | None = None
