"""The space of an experiment's assignments as points with one coordinate for each parameter."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence

from sigopt_orchestrate.optimizer.axes import CategoricalAxis, axis
from sigopt_orchestrate.spec import Assignments, Parameter

Point = tuple[float, ...]
"""One coordinate for each parameter, see `axes`; *legal* where it stands for an assignment."""


class Space:
    """What the optimiser may choose from.

    Attributes:
        axes: One for each parameter, in the experiment's order.
        categorical: The columns without an order.
        size: How many points there are; None where a double makes them infinitely many.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._names = [parameter.name for parameter in parameters]
        self.axes = [axis(parameter) for parameter in parameters]
        self.categorical = [i for i, a in enumerate(self.axes) if isinstance(a, CategoricalAxis)]
        levels = [a.levels for a in self.axes if a.levels is not None]
        self.size = math.prod(levels) if len(levels) == len(self.axes) else None

    @property
    def dimension(self) -> int:
        """How many coordinates a point has."""
        return len(self.axes)

    def encode(self, assignments: Assignments) -> Point:
        """Returns the point that stands for `assignments`.

        Raises:
            KeyError: If a parameter has no value.
            ValueError: If a categorical value is not one of the parameter's.
        """
        return tuple(
            a.encode(assignments[name]) for name, a in zip(self._names, self.axes, strict=True)
        )

    def decode(self, point: Sequence[float]) -> Assignments:
        """Returns the assignments nearest to `point`."""
        return {name: a.decode(u) for name, a, u in zip(self._names, self.axes, point, strict=True)}

    def snap(self, point: Sequence[float]) -> Point:
        """Returns the legal point nearest to `point`."""
        return self.encode(self.decode(point))

    def draw(self, uniforms: Sequence[float]) -> Point:
        """Returns a legal point for numbers in [0, 1), evenly spread where those are."""
        return tuple(a.draw(u) for a, u in zip(self.axes, uniforms, strict=True))

    def all_points(self) -> Iterator[Point]:
        """Yields every point of a finite space.

        Raises:
            ValueError: If the space is infinite.
        """
        if self.size is None:
            raise ValueError("a space with a double parameter has no list of all points")
        return itertools.product(*(a.grid() for a in self.axes))

    def neighbours(self, point: Point) -> Iterator[Point]:
        """Yields the legal points that differ from `point` by one step of one discrete axis."""
        for i, a in enumerate(self.axes):
            yield from ((*point[:i], u, *point[i + 1 :]) for u in a.neighbours(point[i]))

    def perturb(self, point: Point, scale: float, rng: random.Random) -> Point:
        """Returns a legal point near `point`: about half of the coordinates, at least one, move."""
        chosen = {i for i in range(self.dimension) if rng.random() < 0.5}
        chosen = chosen or {rng.randrange(self.dimension)}
        return tuple(
            a.perturb(u, scale, rng) if i in chosen else u
            for i, (a, u) in enumerate(zip(self.axes, point, strict=True))
        )
