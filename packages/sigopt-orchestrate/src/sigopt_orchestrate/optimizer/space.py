"""The space of an experiment's assignments as points with one coordinate for each parameter."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from sigopt_orchestrate.optimizer.axes import Axis, CategoricalAxis, axis
from sigopt_orchestrate.optimizer.linear import Range, relaxation_is_empty, repaired, satisfied
from sigopt_orchestrate.spec import Assignments, CategoricalParameter, Experiment, Value
from sigopt_orchestrate.spec.consistency import TASK

Point = tuple[float, ...]
"""One coordinate for each parameter, see `axes`; *legal* where it stands for an assignment."""


class Space:
    """What the optimiser may choose from.

    Conditionals come first, then the parameters; the last coordinate is the task where there are
    tasks. A parameter that does not count has its middle or its default as coordinate, so that the
    model sees no difference where there is none.

    Attributes:
        axes: One for each coordinate.
        categorical: The columns without an order.
        size: How many points there are at most; None where a double makes them infinitely many.
        full_task: The coordinate of the task of cost 1, if there are tasks.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._names = experiment.known_names()
        self.axes: list[Axis] = [
            *(CategoricalAxis(c.values) for c in experiment.conditionals),
            *map(axis, experiment.parameters),
        ]
        self._neutral = [_middle(a) for a in self.axes]
        for i, p in enumerate(experiment.parameters, start=len(experiment.conditionals)):
            if p.default is not None:
                self._neutral[i] = self.axes[i].encode(p.default)
        self.full_task: float | None = None
        if experiment.tasks:
            tasks = sorted(experiment.tasks, key=lambda task: -task.cost)
            self._names.append(TASK)
            self.axes.append(CategoricalAxis(tuple(task.name for task in tasks)))
            self._neutral.append(0.0)
            self.full_task = 0.0
        self.categorical = [i for i, a in enumerate(self.axes) if isinstance(a, CategoricalAxis)]
        levels = [a.levels for a in self.axes if a.levels is not None]
        self.size = math.prod(levels) if len(levels) == len(self.axes) else None
        self._ranges = [
            Range(p.name, p.bounds.min, p.bounds.max, p.type == "int")
            for p in experiment.parameters
            if not isinstance(p, CategoricalParameter)
        ]

    @property
    def dimension(self) -> int:
        """How many coordinates a point has."""
        return len(self.axes)

    @property
    def has_conditions(self) -> bool:
        """Whether some parameters count only with some values of the conditionals."""
        return bool(self._experiment.conditionals)

    @property
    def is_constrained(self) -> bool:
        """Whether there are linear constraints."""
        return bool(self._experiment.linear_constraints)

    def middle(self) -> Point:
        """Returns the point of the defaults, and of the middle where there are none."""
        return self.snap(self._neutral)

    def encode(self, assignments: Mapping[str, Value]) -> Point:
        """Returns the point that stands for `assignments`.

        Raises:
            KeyError: If a parameter that counts has no value.
            ValueError: If a categorical value is not one of the parameter's.
        """
        count = self._counting(assignments)
        return tuple(
            a.encode(assignments[name]) if name in count else neutral
            for name, a, neutral in zip(self._names, self.axes, self._neutral, strict=True)
        )

    def decode(self, point: Sequence[float]) -> Assignments:
        """Returns the assignments nearest to `point`, without the parameters that do not count."""
        values = {n: a.decode(u) for n, a, u in zip(self._names, self.axes, point, strict=True)}
        if not self.has_conditions:
            return values
        count = self._counting(values)
        return {name: value for name, value in values.items() if name in count}

    def snap(self, point: Sequence[float]) -> Point:
        """Returns the legal point nearest to `point`; linear constraints are not looked at."""
        return self.encode(self.decode(point))

    def draw(self, uniforms: Sequence[float]) -> Point:
        """Returns a legal point for numbers in [0, 1), evenly spread where those are.

        The task is the full one. Linear constraints are not looked at.
        """
        drawn = [a.draw(u) for a, u in zip(self.axes, uniforms, strict=True)]
        if self.full_task is not None:
            drawn[-1] = self.full_task
        return self.snap(drawn) if self.has_conditions else tuple(drawn)

    def half_spaces(self) -> list[tuple[list[float], float]]:
        """Returns the linear constraints in coordinates: pairs `(a, b)` with `a @ point >= b`."""
        found = []
        ranges = {r.name: r for r in self._ranges}
        for constraint in self._experiment.linear_constraints:
            sign = 1.0 if constraint.type == "greater_than" else -1.0
            weights, threshold = [0.0] * self.dimension, sign * constraint.threshold
            for term in constraint.terms:
                known = ranges[term.name]
                weights[self._names.index(term.name)] = (
                    sign * term.weight * (known.high - known.low)
                )
                threshold -= sign * term.weight * known.low
            found.append((weights, threshold))
        return found

    def allows(self, point: Sequence[float]) -> bool:
        """Returns whether `point` satisfies the linear constraints."""
        constraints = self._experiment.linear_constraints
        return not constraints or satisfied(constraints, self.decode(point))

    def repaired(self, point: Sequence[float]) -> Assignments | None:
        """Returns assignments near `point` that satisfy the linear constraints, None for none."""
        assignments = self.decode(point)
        constraints = self._experiment.linear_constraints
        return repaired(self._ranges, constraints, assignments) if constraints else assignments

    def is_empty(self) -> bool:
        """Returns whether it is certain that no point satisfies the linear constraints."""
        return relaxation_is_empty(self._ranges, self._experiment.linear_constraints)

    def all_points(self) -> Iterator[Point]:
        """Yields every point of a finite space once, those that linear constraints forbid too.

        Raises:
            ValueError: If the space is infinite.
        """
        if self.size is None:
            raise ValueError("a space with a double parameter has no list of all points")
        grids = [a.grid() for a in self.axes]
        if self.full_task is not None:
            grids[-1] = [self.full_task]
        points = itertools.product(*grids)
        return points if not self.has_conditions else iter(dict.fromkeys(map(self.snap, points)))

    def _counting(self, assignments: Mapping[str, object]) -> set[str]:
        if not self.has_conditions:
            return set(self._names)
        idle = {p.name for p in self._experiment.parameters}
        idle -= {p.name for p in self._experiment.active(assignments)}
        return set(self._names) - idle


def _middle(a: Axis) -> float:
    return 0.0 if isinstance(a, CategoricalAxis) else a.draw(0.5)
