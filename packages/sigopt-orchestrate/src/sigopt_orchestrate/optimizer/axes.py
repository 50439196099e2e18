"""One parameter as one coordinate.

A double or an int lies in [0, 1], linear or logarithmic as the experiment asks; a categorical
parameter is the index of its value, a name without an order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sigopt_orchestrate.spec import (
    CategoricalParameter,
    DoubleParameter,
    IntParameter,
    Parameter,
    Value,
)


class Axis(Protocol):
    """One coordinate of the space."""

    @property
    def levels(self) -> int | None:
        """How many values there are; None for a double."""

    def encode(self, value: Value) -> float:
        """Returns the coordinate of `value`."""

    def decode(self, coordinate: float) -> Value:
        """Returns the value nearest to `coordinate`."""

    def draw(self, uniform: float) -> float:
        """Returns the legal coordinate for `uniform` in [0, 1); all levels are equally likely."""

    def grid(self) -> Sequence[float]:
        """Returns every legal coordinate; none for a double."""


@dataclass(frozen=True)
class Scale:
    """The map of the interval [low, high] to [0, 1]; neither direction overflows.

    Attributes:
        log: Whether equal ratios are equal distances.
    """

    low: float
    high: float
    log: bool

    def to_unit(self, number: float) -> float:
        """Returns `number`'s place in [0, 1]."""
        low, high, number = (self._bend(x) / 2 for x in (self.low, self.high, number))
        return min(max((number - low) / (high - low), 0.0), 1.0) if low < high else 0.0

    def from_unit(self, place: float) -> float:
        """Returns the number at `place` in [0, 1]; 0 and 1 give the bounds exactly."""
        if not 0 < place < 1:
            return self.low if place <= 0 else self.high
        bent = self._bend(self.low) * (1 - place) + self._bend(self.high) * place
        return min(max(math.exp(bent) if self.log else bent, self.low), self.high)

    def _bend(self, number: float) -> float:
        return math.log(number) if self.log else number


@dataclass(frozen=True)
class DoubleAxis:
    """A real number."""

    scale: Scale
    levels: None = None

    def encode(self, value: Value) -> float:
        """Returns the coordinate of `value`."""
        return self.scale.to_unit(float(value))

    def decode(self, coordinate: float) -> float:
        """Returns the number at `coordinate`."""
        return self.scale.from_unit(coordinate)

    def draw(self, uniform: float) -> float:
        """Returns `uniform`: every coordinate is legal."""
        return uniform

    def grid(self) -> Sequence[float]:
        """Returns nothing: there is no end of them."""
        return ()


@dataclass(frozen=True)
class IntAxis:
    """An integer; its legal coordinates are those of the whole numbers."""

    scale: Scale
    low: int
    high: int

    @property
    def levels(self) -> int:
        """How many integers there are."""
        return self.high - self.low + 1

    def encode(self, value: Value) -> float:
        """Returns the coordinate of `value`."""
        return self.scale.to_unit(float(value))

    def decode(self, coordinate: float) -> int:
        """Returns the integer nearest to `coordinate`."""
        return self._clamp(round(self.scale.from_unit(coordinate)))

    def draw(self, uniform: float) -> float:
        """Returns a legal coordinate; each integer gets the share it has on the axis' scale."""
        # Half a step beyond both bounds, else the first and the last would get half a share.
        wide = Scale(self.low - 0.5, self.high + 0.5, self.scale.log)
        return self.encode(self._clamp(round(wide.from_unit(uniform))))

    def grid(self) -> Sequence[float]:
        """Returns the coordinates of all integers, ascending."""
        return [self.encode(value) for value in range(self.low, self.high + 1)]

    def _clamp(self, value: int) -> int:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class GridAxis:
    """One of some ascending numbers, which lie on the axis' scale as far apart as they are."""

    scale: Scale
    values: tuple[float, ...]

    @property
    def levels(self) -> int:
        """How many values there are."""
        return len(self.values)

    def encode(self, value: Value) -> float:
        """Returns the coordinate of the value nearest to `value`."""
        number = float(value)
        nearest = min(self.values, key=lambda v: abs(v - number))
        return self.scale.to_unit(nearest)

    def decode(self, coordinate: float) -> float:
        """Returns the value whose coordinate is nearest to `coordinate`."""
        return min(self.values, key=lambda v: abs(self.scale.to_unit(v) - coordinate))

    def draw(self, uniform: float) -> float:
        """Returns a legal coordinate; all values are equally likely."""
        index = min(int(uniform * self.levels), self.levels - 1)
        return self.scale.to_unit(self.values[index])

    def grid(self) -> Sequence[float]:
        """Returns the coordinates of all values, ascending."""
        return [self.scale.to_unit(value) for value in self.values]


@dataclass(frozen=True)
class CategoricalAxis:
    """One of some names; its coordinates are 0, 1, 2, ... and mean nothing but sameness."""

    values: tuple[Value, ...]

    @property
    def levels(self) -> int:
        """How many values there are."""
        return len(self.values)

    def encode(self, value: Value) -> float:
        """Returns the index of `value`."""
        return float(self.values.index(value))

    def decode(self, coordinate: float) -> Value:
        """Returns the value with the index nearest to `coordinate`."""
        return self.values[min(max(round(coordinate), 0), self.levels - 1)]

    def draw(self, uniform: float) -> float:
        """Returns an index; all are equally likely."""
        return float(min(int(uniform * self.levels), self.levels - 1))

    def grid(self) -> Sequence[float]:
        """Returns all indices."""
        return [float(index) for index in range(self.levels)]


def axis(parameter: Parameter) -> Axis:
    """Returns the coordinate that stands for `parameter`."""
    if isinstance(parameter, CategoricalParameter):
        return CategoricalAxis(parameter.categorical_values)
    if parameter.grid is not None:
        return GridAxis(_scale(parameter), parameter.grid)
    if isinstance(parameter, DoubleParameter):
        return DoubleAxis(_scale(parameter))
    return IntAxis(_scale(parameter), parameter.bounds.min, parameter.bounds.max)


def _scale(parameter: DoubleParameter | IntParameter) -> Scale:
    bounds = parameter.bounds
    return Scale(float(bounds.min), float(bounds.max), parameter.transformation == "log")
