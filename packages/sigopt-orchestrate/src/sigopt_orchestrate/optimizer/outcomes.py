"""Reported values as the model wants them: more is better, mean 0, variance 1.

Where most values are far below the best ones, as losses of a network that diverged, their
distances below the best are compressed like logarithms: `warp`. The surrogate decides by evidence
which compression makes the values most like draws from a Gaussian process.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sigopt_orchestrate.optimizer.correlation import Array

NO_WARP = math.inf


@dataclass(frozen=True)
class Outcomes:
    """Standardised outcomes.

    Attributes:
        values: `(n,)`; more is better.
        noise: The variances that the reported standard deviations stand for, `(n,)`.
        log_volume: The logarithm of how much the map stretches the values' space, for evidence.
        of: The map itself, from a reported value to an outcome.
    """

    values: Array
    noise: Array
    log_volume: float
    of: Callable[[float], float]


def standardise(
    values: Array, sign: float, deviations: Array | None = None, warp: float = NO_WARP
) -> Outcomes:
    """Returns standardised outcomes, finite whatever the scale of the finite `values`.

    With `u` the distance below the best in units of the median distance, an outcome is
    `-warp log(1 + u / warp)`, shifted and scaled to mean 0 and variance 1.

    Args:
        values: As reported, `(n,)`, at least one.
        sign: 1 where more is better, -1 where less is.
        deviations: The standard deviations that were reported with them, `(n,)`; 0 for none.
        warp: How far below the best, in medians, distances start to be compressed.
    """
    largest = float(np.abs(values).max()) or 1.0
    ascending = sign * values / largest
    below = ascending.max() - ascending
    if below.max() <= 1e-13:  # nothing but rounding
        return Outcomes(np.zeros_like(values), np.zeros_like(values), 0.0, lambda _: 0.0)
    # The median may be rounding beside the largest; the squares of the quotients must be finite.
    unit = max(float(np.median(below)), 1e-100 * float(below.max())) or float(below.max())
    u = below / unit
    slopes = 1.0 / (1.0 + np.maximum(u, 0.0) / warp)
    warped = _warped(u, warp)
    mean, deviation = float(warped.mean()), float(warped.std())
    noise = np.zeros_like(u)
    if deviations is not None:
        noise = (deviations / largest / unit * slopes / deviation) ** 2
    volume = float(np.log(slopes).sum()) - len(values) * math.log(deviation)
    top = float(ascending.max())

    def of(value: float) -> float:
        place = (top - sign * value / largest) / unit
        return (float(_warped(np.array(place), warp)) - mean) / deviation

    return Outcomes((warped - mean) / deviation, noise, volume, of)


def _warped(u: Array, warp: float) -> Array:
    if warp == NO_WARP:
        return -u
    return np.asarray(np.where(u > 0, -warp * np.log1p(np.maximum(u, 0.0) / warp), -u))


def margins(values: Array, sign: float, threshold: float) -> Array:
    """Returns how far values are beyond a threshold, compressed on both sides of it, `(n,)`.

    Above 0 is the good side. The unit is the median distance from the threshold.
    """
    largest = max(float(np.abs(values).max()), abs(threshold)) or 1.0
    beyond = sign * (values / largest - threshold / largest)
    unit = max(float(np.median(np.abs(beyond))), 1e-100)
    return np.asarray(np.sign(beyond) * np.log1p(np.abs(beyond) / unit))
