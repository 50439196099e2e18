"""Moves points into the region that linear constraints leave, and finds one there.

For doubles by cyclic projection (Agmon 1954) with a margin, for ints by a search that looks at
values near the wanted ones first and leaves out what no continuation could repair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_INFEASIBLE = 2  # what scipy's linprog calls it
_ROUNDS = 2000
_NODES = 20_000
_NEAR = 64  # values of an int that are tried, the nearest first


class Term(Protocol):
    """A parameter's share in a linear constraint."""

    @property
    def name(self) -> str:
        """The parameter."""

    @property
    def weight(self) -> float:
        """What its value is multiplied by."""


class Constraint(Protocol):
    """A weighted sum that is to be `greater_than` or `less_than` a threshold, or equal to it."""

    @property
    def type(self) -> str:
        """Which of the two."""

    @property
    def threshold(self) -> float:
        """The threshold."""

    @property
    def terms(self) -> Sequence[Term]:
        """The sum."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values of a parameter: the numbers, or the whole numbers, between two bounds."""

    name: str
    low: float
    high: float
    whole: bool


@dataclass(frozen=True, slots=True)
class _Half:
    """`sum(weight * value) >= threshold`."""

    weights: Mapping[str, float]
    threshold: float

    def slack(self, values: Mapping[str, Any]) -> float:
        return sum(w * values[name] for name, w in self.weights.items()) - self.threshold


def satisfied(constraints: Sequence[Constraint], assignments: Mapping[str, Any]) -> bool:
    """Returns whether `assignments` satisfy all `constraints`, to the last bit."""
    for constraint in constraints:
        total = sum(term.weight * assignments[term.name] for term in constraint.terms)
        if constraint.type == "greater_than" and not total >= constraint.threshold:
            return False
        if constraint.type == "less_than" and not total <= constraint.threshold:
            return False
    return True


def repaired(
    ranges: Sequence[Range], constraints: Sequence[Constraint], assignments: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Returns `assignments` moved a little way, so that they satisfy all linear constraints.

    Args:
        ranges: Of the parameters that the constraints name, at least.
        constraints: Each of them names doubles only or ints only.
        assignments: Values within their ranges.

    Returns:
        None if no point was found; `assignments` themselves where they do already.
    """
    if satisfied(constraints, assignments):
        return dict(assignments)
    names = {term.name for constraint in constraints for term in constraint.terms}
    halves = [_half(constraint) for constraint in constraints]
    wholes = [r for r in ranges if r.name in names and r.whole]
    doubles = [r for r in ranges if r.name in names and not r.whole]
    moved: dict[str, Any] = dict(assignments)
    for group, move in ((doubles, _project), (wholes, _search)):
        mine = [half for half in halves if set(half.weights) <= {r.name for r in group}]
        found = move(group, mine, moved) if mine else {}
        if found is None:
            return None
        moved |= found
    return moved if satisfied(constraints, moved) else None


def relaxation_is_empty(ranges: Sequence[Range], constraints: Sequence[Constraint]) -> bool:
    """Returns whether not even real values within the ranges satisfy all constraints.

    A linear program, in the unit cube; it tells in milliseconds what projections tell by failing.
    """
    from scipy.optimize import linprog  # noqa: PLC0415 - slow to import, and rarely wanted

    named = {term.name for constraint in constraints for term in constraint.terms}
    known = [r for r in ranges if r.name in named]
    rows, bounds = [], []
    for half in map(_half, constraints):
        rows.append([-half.weights.get(r.name, 0.0) * (r.high - r.low) for r in known])
        at_low = sum(half.weights.get(r.name, 0.0) * r.low for r in known)
        bounds.append(at_low - half.threshold)
    found = linprog([0.0] * len(known), A_ub=rows, b_ub=bounds, bounds=[(0.0, 1.0)] * len(known))
    return bool(found.status == _INFEASIBLE)


def _half(constraint: Constraint) -> _Half:
    sign = 1.0 if constraint.type == "greater_than" else -1.0
    weights = {term.name: sign * term.weight for term in constraint.terms}
    return _Half(weights, sign * constraint.threshold)


def _project(
    parameters: Sequence[Range], halves: Sequence[_Half], start: Mapping[str, Any]
) -> dict[str, float] | None:
    """Cyclic projections in the unit cube, where every parameter counts alike.

    The margin lets it end inside, not on a face that rounding may lie beyond; a thin region gets
    a smaller one.
    """
    spans = {p.name: p.high - p.low for p in parameters}
    lows = {p.name: p.low for p in parameters}
    for margin in (1e-3, 1e-6, 1e-9, 0.0):
        values = {p.name: float(start[p.name]) for p in parameters}
        for _ in range(_ROUNDS):
            if all(half.slack(values) >= 0 for half in halves):
                return values
            for half in halves:
                steep = {name: w * spans[name] for name, w in half.weights.items()}
                norm = sum(g * g for g in steep.values())
                short = margin * norm**0.5 - half.slack(values)
                if short > 0 and norm > 0:
                    for name, g in steep.items():
                        values[name] += short / norm * g * spans[name]
            for name, value in values.items():
                values[name] = min(max(value, lows[name]), lows[name] + spans[name])
    return None


def _search(
    parameters: Sequence[Range], halves: Sequence[_Half], start: Mapping[str, Any]
) -> dict[str, int] | None:
    """Depth first, each int near its wanted value first, as far as all constraints can be met."""
    reach = [
        {
            p.name: max(half.weights.get(p.name, 0.0) * b for b in (p.low, p.high))
            for p in parameters
        }
        for half in halves
    ]
    left = _NODES

    def descend(index: int, chosen: dict[str, int], wide: bool) -> dict[str, int] | None:
        nonlocal left
        if index == len(parameters):
            return chosen
        parameter = parameters[index]
        for value in _nearest(parameter, start[parameter.name], wide=wide):
            left -= 1
            if left < 0:
                return None
            attempt = {**chosen, parameter.name: value}
            if _can_be_met(halves, reach, attempt):
                found = descend(index + 1, attempt, wide)
                if found is not None:
                    return found
        return None

    for wide in (False, True):
        left = _NODES
        found = descend(0, {}, wide)
        if found is not None:
            return found
    return None


def _can_be_met(
    halves: Sequence[_Half], reach: Sequence[Mapping[str, float]], chosen: Mapping[str, int]
) -> bool:
    return all(
        sum(w * chosen[n] if n in chosen else most[n] for n, w in half.weights.items())
        >= half.threshold
        for half, most in zip(halves, reach, strict=True)
    )


def _nearest(parameter: Range, wanted: float, *, wide: bool) -> list[int]:
    """Values of an int, the nearest first; evenly spread ones, too, where `wide`."""
    low, high = int(parameter.low), int(parameter.high)
    centre = min(max(round(wanted), low), high)
    near = range(max(low, centre - _NEAR // 2), min(high, centre + _NEAR // 2) + 1)
    values = set(near) | {low, high}
    if wide:
        step = max(1, (high - low) // _NEAR)
        values |= set(range(low, high + 1, step))
    return sorted(values, key=lambda value: (abs(value - centre), value))
