"""The parameters of an experiment: what may be chosen for each."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sigopt_orchestrate.server.wire.fields import Exact, Name, Number, Part, Whole
from sigopt_orchestrate.spec.section import refusal

Choice = Annotated[str, Field(min_length=1, max_length=50)]


class Bounds(Part):
    """A closed interval."""

    min: Exact
    max: Exact


class NormalPrior(Part):
    """A belief that good values lie around `mean`."""

    name: Literal["normal"]
    mean: Number
    scale: Annotated[Number, Field(gt=0)]


class BetaPrior(Part):
    """A belief about the place within the bounds, as a beta distribution on [0, 1]."""

    name: Literal["beta"]
    shape_a: Annotated[Number, Field(gt=0)]
    shape_b: Annotated[Number, Field(gt=0)]


def _choice_name(value: object) -> object:
    """A categorical value is sent as its name or, as it is answered, as an object with it."""
    if isinstance(value, dict):
        if "name" not in value:
            raise refusal("is required", "name")
        return value["name"]
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Parameter(Part):
    """One parameter; active where each of its `conditions` holds.

    Attributes:
        type: `double` and `int` have `bounds` or a `grid`, `categorical` has `categorical_values`.
        transformation: `log` searches equal ratios alike; for doubles with positive values.
        prior: Where good values are thought to lie; for doubles with bounds and without log.
        conditions: Values by conditional.
        default_value: What past suggestions had, for a parameter added later.
    """

    name: Name
    type: Literal["double", "int", "categorical"]
    bounds: Bounds | None = None
    grid: Annotated[list[Exact], Field(min_length=1, max_length=10_000)] | None = None
    categorical_values: (
        Annotated[
            list[
                Annotated[
                    Choice,
                    BeforeValidator(_choice_name),
                    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 50}),
                ]
            ],
            Field(min_length=2, max_length=1000),
        ]
        | None
    ) = None
    transformation: Literal["log"] | None = None
    prior: Annotated[NormalPrior | BetaPrior, Field(discriminator="name")] | None = None
    conditions: dict[str, Annotated[list[str], BeforeValidator(_listed)]] | None = None
    default_value: Annotated[Any, WithJsonSchema({"type": ["number", "string", "null"]})] = None
    precision: Whole | None = None

    @property
    def low(self) -> float:
        """The least value of a number."""
        return self.bounds.min if self.bounds else min(self.grid or ())

    @property
    def high(self) -> float:
        """The greatest value of a number."""
        return self.bounds.max if self.bounds else max(self.grid or ())

    def refuse_unfit(self, value: object, *, within: bool = True) -> Any:
        """Returns `value` if the parameter can have it, as an int for an int.

        Args:
            value: What is to be assigned.
            within: Whether it must lie within the bounds or on the grid, too.

        Raises:
            ValueError: If the parameter cannot have it, with what is allowed.
        """
        if self.type == "categorical":
            if value not in (self.categorical_values or ()):
                raise ValueError(f"must be one of {self.categorical_values}, not {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number, not {value!r}")
        if self.type == "int":
            if value != int(value):
                raise ValueError(f"must be a whole number, not {value!r}")
            value = int(value)
        if within and self.grid is not None and value not in self.grid:
            raise ValueError(f"must be on the grid {self.grid[:10]}, not {value!r}")
        if within and not self.low <= value <= self.high:
            raise ValueError(f"must lie within {self.low:g} to {self.high:g}, not {value!r}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.type == "categorical":
            self._check_categorical()
        else:
            self._check_number()
        if self.prior is not None and (
            self.type != "double" or self.bounds is None or self.transformation
        ):
            raise refusal("only doubles with bounds and without a transformation have one", "prior")
        if self.default_value is not None:
            try:
                self.refuse_unfit(self.default_value)
            except ValueError as error:
                raise refusal(str(error), "default_value") from None
        return self

    def _check_categorical(self) -> None:
        values = self.categorical_values
        if values is None:
            raise refusal("is required for a categorical parameter", "categorical_values")
        if len(set(values)) < len(values):
            raise refusal("must be distinct", "categorical_values")
        for key in ("bounds", "grid", "transformation"):
            if getattr(self, key) is not None:
                raise refusal("a categorical parameter has none", key)

    def _check_number(self) -> None:
        if (self.bounds is None) == (self.grid is None):
            raise refusal(f"a parameter of type {self.type} has either bounds or a grid", "bounds")
        if self.categorical_values is not None:
            raise refusal("only a categorical parameter has them", "categorical_values")
        if self.transformation and self.type == "int":
            raise refusal("only a double may have one", "transformation")
        if self.bounds is not None and not self.bounds.min < self.bounds.max:
            raise refusal(
                f"must be above min ({self.bounds.min:g}), not {self.bounds.max:g}", "bounds", "max"
            )
        if self.grid is not None and len(set(self.grid)) < len(self.grid):
            raise refusal("values must be distinct", "grid")
        where = "grid" if self.bounds is None else "bounds"
        if self.type == "int":
            numbers = self.grid or [self.low, self.high]
            if any(number != int(number) or abs(number) > 2**53 for number in numbers):
                raise refusal("must be whole numbers of at most 2^53 for an int", where)
        if self.transformation and self.low <= 0:
            raise refusal("must be above 0 where transformation is log", where)
