"""Logarithms of expected improvements, with their derivatives, exact where nothing underflows.

log EI after Ament et al. (2023), "Unexpected Improvements to Expected Improvement". Of two
independent objectives, the expected hypervolume improvement is a sum over the strips between
neighbours of the front, each a product of two expected improvements (Emmerich et al., 2011).
"""

import math

import numpy as np
from scipy.special import erfcx, log_ndtr

from sigopt_orchestrate.optimizer.correlation import Array

_LOG_2PI_HALF = 0.5 * math.log(2 * math.pi)
_LOG_PI_HALF_HALF = 0.5 * math.log(math.pi / 2)
_FAR = -1e4


def log_standard_improvement(z: Array) -> Array:
    """Returns log(phi(z) + z Phi(z)), of any shape."""
    near = np.maximum(z, -1.0)
    direct = np.log(np.exp(-0.5 * near * near - _LOG_2PI_HALF) + near * np.exp(log_ndtr(near)))
    below = np.minimum(z, -1.0)
    capped = np.maximum(below, _FAR)
    tail = np.log(-np.expm1(np.log(-capped * erfcx(-capped / math.sqrt(2))) + _LOG_PI_HALF_HALF))
    tail = np.where(below < _FAR, -2.0 * np.log(-below), tail)
    return np.where(z > -1.0, direct, -0.5 * below * below - _LOG_2PI_HALF + tail)


def log_improvement(mean: Array, deviation: Array, best: Array) -> tuple[Array, Array, Array]:
    """Returns the log of the expected improvement over `best`, and its derivatives.

    The arguments broadcast; the results are as what they broadcast to.

    Returns:
        The value, its derivative by the mean, and by the deviation.
    """
    z = (mean - best) / deviation
    value = log_standard_improvement(z)
    by_z = np.exp(log_ndtr(z) - value)  # Phi(z) / h(z)
    return value + np.log(deviation), by_z / deviation, (1.0 - z * by_z) / deviation


def front(Y: Array) -> Array:
    """Returns the rows of `Y`, `(n, 2)`, that none dominates, ascending by the first.

    More is better.
    """
    order = np.lexsort((-Y[:, 1], -Y[:, 0]))
    kept, highest = [], -math.inf
    for i in order:
        if Y[i, 1] > highest:
            kept.append(i)
            highest = Y[i, 1]
    return Y[kept[::-1]]


def log_hypervolume_improvement(
    mean: Array, deviation: Array, best: Array, reference: Array
) -> tuple[Array, Array, Array]:
    """Returns the log of the expected hypervolume improvement, and its derivatives.

    Args:
        mean: Of both objectives, `(b, 2)`; more is better.
        deviation: Of both, `(b, 2)`.
        best: The front, `(k, 2)`, as `front` returns it, all of it above the reference.
        reference: What a point must beat in both to count, `(2,)`.

    Returns:
        The value, `(b,)`, its derivatives by the means and by the deviations, `(b, 2)` each.
    """
    lows = np.concatenate((reference[:1], best[:, 0]))  # (k + 1,) where the strips begin
    heights = np.concatenate((best[:, 1], reference[1:]))  # (k + 1,) what they are filled to
    first = log_improvement(mean[:, :1], deviation[:, :1], lows)
    second = log_improvement(mean[:, 1:], deviation[:, 1:], heights)
    beyond = np.concatenate((first[0][:, 1:], np.full((len(mean), 1), -np.inf)), axis=1)
    width = first[0] + np.log1p(-np.exp(np.minimum(beyond - first[0], -1e-12)))
    parts = width + second[0]  # (b, k + 1)
    top = parts.max(1, keepdims=True)
    value = top[:, 0] + np.log(np.exp(parts - top).sum(1))
    share = np.exp(parts - value[:, None])
    weight = np.exp(second[0] - value[:, None])
    gradients = []
    for by_first, by_second in zip(first[1:], second[1:], strict=True):
        steep = np.exp(first[0]) * by_first  # of the improvements themselves, (b, k + 1)
        after = np.concatenate((steep[:, 1:], np.zeros((len(mean), 1))), axis=1)
        gradients.append(
            np.stack((((steep - after) * weight).sum(1), (share * by_second).sum(1)), axis=1)
        )
    return value, gradients[0], gradients[1]


def log_probability(mean: Array, deviation: Array) -> tuple[Array, Array, Array]:
    """Returns log P(a normal variable is above 0), and its derivatives by mean and deviation."""
    z = mean / deviation
    value = log_ndtr(z)
    by_z = np.exp(-0.5 * z * z - _LOG_2PI_HALF - value)
    return value, by_z / deviation, -z * by_z / deviation
