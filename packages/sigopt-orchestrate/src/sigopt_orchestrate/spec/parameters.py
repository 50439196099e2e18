"""The parameters of an experiment: what the optimiser may choose."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictFloat, StrictInt, StrictStr, StringConstraints, model_validator

from sigopt_orchestrate.spec.section import Number, Section, Whole, refusal

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_\-]*$", max_length=100)]
Value = float | int | str
Assignments = dict[str, Value]
"""One value for each parameter, by its name."""


class DoubleBounds(Section):
    """The closed interval of a double parameter."""

    min: Number
    max: Number


class IntBounds(Section):
    """The closed interval of an integer parameter."""

    min: Whole
    max: Whole


def _check_range(parameter: "DoubleParameter | IntParameter") -> None:
    low, high, default = parameter.bounds.min, parameter.bounds.max, parameter.default
    if not low < high:
        raise refusal(f"min ({low:g}) must be below max ({high:g})", "bounds")
    if parameter.transformation == "log" and low <= 0:
        raise refusal(f"must be above 0 where transformation is log, not {low:g}", "bounds", "min")
    if default is not None and not low <= default <= high:
        raise refusal(f"{default:g} must lie within bounds {low:g} to {high:g}", "default")


class DoubleParameter(Section):
    """A real number between two bounds, searched on a linear or a log scale."""

    name: Name
    type: Literal["double"]
    bounds: DoubleBounds
    transformation: Literal["log"] | None = None
    default: Number | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self)
        return self


class IntParameter(Section):
    """An integer between two bounds, searched on a linear or a log scale."""

    name: Name
    type: Literal["int"]
    bounds: IntBounds
    transformation: Literal["log"] | None = None
    default: Whole | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self)
        return self


class CategoricalParameter(Section):
    """One of a list of values without an order."""

    name: Name
    type: Literal["categorical"]
    categorical_values: tuple[StrictStr | StrictInt | StrictFloat, ...] = Field(min_length=2)
    default: StrictStr | StrictInt | StrictFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        values = self.categorical_values
        repeated = {value for value in values if values.count(value) > 1}
        if repeated:
            raise refusal(f"{repeated.pop()!r} is listed more than once", "categorical_values")
        if self.default is not None and self.default not in values:
            raise refusal(f"{self.default!r} must be one of {list(values)}", "default")
        return self


Parameter = Annotated[
    DoubleParameter | IntParameter | CategoricalParameter, Field(discriminator="type")
]
