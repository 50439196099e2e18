"""Suggestions that need no model: the defaults, the centre, even spreads, random draws, grids.

Nothing here imports numerics, so that the first trials start at once.
"""

import itertools
import math
import random
from collections.abc import Collection, Iterator, Sequence
from statistics import NormalDist

from sigopt_orchestrate.optimizer.quasi_random import first_new, next_point
from sigopt_orchestrate.optimizer.space import Point, Space
from sigopt_orchestrate.spec import DoubleParameter, Experiment
from sigopt_orchestrate.spec.parameters import BetaPrior, Prior

_EDGE = 1e-9


def first_point(experiment: Experiment, space: Space) -> Point:
    """Returns the middle of the space, or where the priors' densities are highest.

    Parameters with a default have that instead.
    """
    return first_new(space, itertools.repeat(space.snap(_modes(experiment, space))), ())


def spread_point(experiment: Experiment, space: Space, taken: Collection[Point]) -> Point:
    """Returns the next point of an even spread, denser where the priors are; see `next_point`."""
    return next_point(space, experiment.optimizer.seed, taken, lambda u: _bent(experiment, u))


def random_point(experiment: Experiment, space: Space, taken: Collection[Point]) -> Point:
    """Returns an independent draw from the priors, which are even where there are none."""
    rng = random.Random(f"{experiment.optimizer.seed} {len(taken)}")  # noqa: S311
    draws: Iterator[Point] = (
        space.draw(_bent(experiment, [rng.random() for _ in space.axes])) for _ in itertools.count()
    )
    return first_new(space, draws, set(taken))


def grid_point(space: Space, taken: Sequence[Point]) -> Point:
    """Returns the first combination that is not taken; after all of them they come once more."""
    seen = set(taken)
    legal = (point for point in space.all_points() if space.allows(point))
    point = next((p for p in legal if p not in seen), None)
    if point is not None:
        return point
    listed = [p for p in space.all_points() if space.allows(p)]
    return listed[len(taken) % len(listed)]


def _modes(experiment: Experiment, space: Space) -> list[float]:
    places = list(space.middle())
    for column, parameter in _with_priors(experiment):
        prior, low = parameter.prior, parameter.bounds.min
        if isinstance(prior, BetaPrior):
            a, b = prior.shape_a, prior.shape_b
            places[column] = (a - 1) / (a + b - 2) if a > 1 and b > 1 else a / (a + b)
        elif prior is not None:
            place = (prior.mean - low) / (parameter.bounds.max - low)
            places[column] = min(max(place, 0.0), 1.0)
    return places


def _bent(experiment: Experiment, uniforms: Sequence[float]) -> Sequence[float]:
    bent = list(uniforms)
    for column, parameter in _with_priors(experiment):
        if parameter.prior is not None:
            bent[column] = _quantile(parameter, parameter.prior, uniforms[column])
    return bent


def _with_priors(experiment: Experiment) -> Iterator[tuple[int, DoubleParameter]]:
    first = len(experiment.conditionals)
    for column, parameter in enumerate(experiment.parameters, start=first):
        if isinstance(parameter, DoubleParameter) and parameter.prior is not None:
            yield column, parameter


def _quantile(parameter: DoubleParameter, prior: Prior, level: float) -> float:
    """The place in [0, 1) below which a share `level` of the prior within the bounds lies."""
    low, span = parameter.bounds.min, parameter.bounds.max - parameter.bounds.min
    if isinstance(prior, BetaPrior):
        return _beta_quantile(prior, level)
    belief = NormalDist(prior.mean, prior.scale)
    below, above = belief.cdf(low), belief.cdf(parameter.bounds.max)
    wanted = below + level * (above - below)
    if not 0 < wanted < 1 or above - below < 1e-12:
        return level
    return min(max((belief.inv_cdf(wanted) - low) / span, 0.0), 1.0 - _EDGE)


def _beta_quantile(prior: BetaPrior, level: float) -> float:
    """By summing the density over fine bins: good to a thousandth, which is enough to spread."""
    bins = 1000
    a, b = prior.shape_a - 1, prior.shape_b - 1
    logs = [a * math.log((i + 0.5) / bins) + b * math.log1p(-(i + 0.5) / bins) for i in range(bins)]
    top = max(logs)
    weights = [math.exp(log - top) for log in logs]
    left = level * sum(weights)
    for i, weight in enumerate(weights):
        if left <= weight:
            return min((i + left / weight) / bins, 1.0 - _EDGE)
        left -= weight
    return 1.0 - _EDGE
