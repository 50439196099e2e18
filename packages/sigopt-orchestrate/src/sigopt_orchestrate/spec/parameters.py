"""The parameters of an experiment: what the optimiser may choose."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictFloat, StrictInt, StrictStr, StringConstraints, model_validator

from sigopt_orchestrate.spec.section import Number, Section, Whole, refusal

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_\-]*$", max_length=100)]
Value = float | int | str
Assignments = dict[str, Value]
"""One value for each parameter, by its name."""


class NormalPrior(Section):
    """A belief that good values lie about a mean."""

    name: Literal["normal"]
    mean: Number
    scale: Annotated[Number, Field(gt=0)]


class BetaPrior(Section):
    """A belief about where between the bounds good values lie, as a beta distribution."""

    name: Literal["beta"]
    shape_a: Annotated[Number, Field(gt=0)]
    shape_b: Annotated[Number, Field(gt=0)]


Prior = Annotated[NormalPrior | BetaPrior, Field(discriminator="name")]
Conditions = dict[str, Annotated[tuple[StrictStr, ...], Field(min_length=1)]]
"""By conditional, with which of its values a parameter counts; without any it always does."""


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
    grid = parameter.grid
    if grid is not None:
        if list(grid) != sorted(set(grid)):
            raise refusal("must ascend, each value once", "grid")
        if (grid[0], grid[-1]) != (low, high):
            raise refusal("is not for a parameter with a grid, whose ends are its bounds", "bounds")
        if default is not None and default not in grid:
            raise refusal(f"{default:g} must be one of the grid", "default")
    if getattr(parameter, "prior", None) and (grid or parameter.transformation):
        raise refusal("is for a parameter with neither grid nor transformation", "prior")


def _bounds_from_grid(data: Any) -> Any:
    """The ends of a grid are its parameter's bounds."""
    grid = data.get("grid") if isinstance(data, dict) else None
    if grid is None or data.get("bounds") is not None:
        return data
    numbers = isinstance(grid, list | tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in grid
    )
    if not numbers or len(grid) < 2:
        raise refusal("must be a list of at least 2 numbers", "grid")
    return {**data, "bounds": {"min": min(grid), "max": max(grid)}}


class DoubleParameter(Section):
    """A real number between two bounds, or of a grid, searched on a linear or a log scale."""

    name: Name
    type: Literal["double"]
    bounds: DoubleBounds
    transformation: Literal["log"] | None = None
    grid: Annotated[tuple[Number, ...], Field(min_length=2)] | None = None
    default: Number | None = None
    prior: Prior | None = None
    conditions: Conditions = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        return _bounds_from_grid(data)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self)
        return self


class IntParameter(Section):
    """An integer between two bounds, or of a grid, searched on a linear or a log scale."""

    name: Name
    type: Literal["int"]
    bounds: IntBounds
    transformation: Literal["log"] | None = None
    grid: Annotated[tuple[Whole, ...], Field(min_length=2)] | None = None
    default: Whole | None = None
    conditions: Conditions = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        return _bounds_from_grid(data)

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
    conditions: Conditions = Field(default_factory=dict)

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
