"""Hyperparameters at the maximum of their posterior, by L-BFGS with analytic gradients.

Priors: log-normal lengthscales that grow with the square root of the dimension (Hvarfner et al.,
"Vanilla Bayesian Optimization Performs Great in High Dimensions", 2024), a log-normal variance
round 1, a standard normal mean, and a gamma on the noise that lets
outcomes without noise have none.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from sigopt_orchestrate.optimizer.correlation import (
    Array,
    Features,
    Shape,
    correlation,
    squared_distances,
)
from sigopt_orchestrate.optimizer.gaussian_process import Hyperparameters

LENGTHSCALE_LOC, LENGTHSCALE_SCALE = math.sqrt(2), math.sqrt(3)
VARIANCE_SCALE = 1.0
NOISE_SHAPE, NOISE_RATE = 1.02, 6.0
LEAST_NOISE = 1e-7
_LONGEST = math.log(1e3)
_LEAST_LOG_VARIANCE = math.log(1e-2)
_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Limits:
    """How short lengthscales, and how large the variance and the noise may become."""

    shortest: float = 5e-3
    most_variance: float = 1e3
    most_noise: float = 1.0


LIMITS = Limits()


@dataclass(frozen=True)
class Fit:
    """The result of a fit.

    Attributes:
        given: The hyperparameters.
        evidence: The logarithm of their posterior density, up to a constant.
    """

    given: Hyperparameters
    evidence: float


def fit(
    features: Features,
    shape: Shape,
    X: Array,
    y: Array,
    noise: Array,
    *,
    start: Hyperparameters | None = None,
    iterations: int = 60,
    limits: Limits = LIMITS,
) -> Fit:
    """Returns hyperparameters at a maximum of their posterior.

    Args:
        features: From points to features.
        shape: Of the correlation.
        X: Points, `(n, d)`.
        y: Standardised outcomes, `(n,)`.
        noise: Known variances of their noise, `(n,)`.
        start: Where to begin; the priors' modes without it.
        iterations: Of L-BFGS, at most.
        limits: Of the lengthscales and the noise.
    """
    density = Density(features, shape, X, y, noise)
    d = X.shape[1]
    begin = density.vector(start or prior_modes(d, shape))
    lengthscale = (math.log(limits.shortest), _LONGEST)
    bounds_noise = (math.log(LEAST_NOISE), math.log(limits.most_noise))
    begin[:d] = np.maximum(begin[:d], lengthscale[0])
    bounds_variance = (_LEAST_LOG_VARIANCE, math.log(limits.most_variance))
    bounds = [lengthscale] * d + [bounds_variance, (-10.0, 10.0), bounds_noise]
    found = minimize(
        density,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "ftol": 1e-8, "gtol": 1e-4},
    )
    return Fit(density.hyperparameters(found.x), -float(found.fun))


def prior_modes(d: int, shape: Shape, noise: float = 1e-3) -> Hyperparameters:
    """Returns the modes of the priors of lengthscales in `d` dimensions, variance and mean."""
    lengthscale = math.exp(_loc(d) - LENGTHSCALE_SCALE**2)
    return Hyperparameters(shape, np.full(d, lengthscale), 1.0, 0.0, noise)


def _loc(d: int) -> float:
    return LENGTHSCALE_LOC + 0.5 * math.log(d)


class Density:
    """The negative logarithm of the hyperparameters' posterior density, and its gradient.

    Its argument is `(d + 3,)`: the logarithms of lengthscales and of the variance, the mean, the
    logarithm of the noise. Densities are those of the quantities themselves, not of logarithms.
    """

    def __init__(self, features: Features, shape: Shape, X: Array, y: Array, noise: Array) -> None:
        self._F, self._owner = features.of(X), features.owner
        self._shape: Shape = shape
        self._y, self._noise, self._d = y, noise, X.shape[1]
        self._loc = _loc(self._d)

    def vector(self, given: Hyperparameters) -> Array:
        """Returns the argument that stands for hyperparameters."""
        noise = math.log(max(given.noise, LEAST_NOISE))
        rest = [math.log(given.variance), given.mean, noise]
        return np.concatenate((np.log(given.lengthscales), rest))

    def hyperparameters(self, theta: Array) -> Hyperparameters:
        """Returns the hyperparameters that an argument stands for."""
        d = self._d
        variance, noise = math.exp(theta[d]), math.exp(theta[d + 2])
        return Hyperparameters(self._shape, np.exp(theta[:d]), variance, float(theta[d + 1]), noise)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Returns the value and its gradient; a huge value where the matrix has no factor."""
        value, gradient = self._likelihood(theta)
        prior, by_theta = self._prior(theta)
        return -(value + prior), -(gradient + by_theta)

    def _likelihood(self, theta: Array) -> tuple[float, Array]:
        d, n = self._d, len(self._y)
        given = self.hyperparameters(theta)
        Z = self._F / given.lengthscales[self._owner]
        value, slope = correlation(self._shape, squared_distances(Z, Z))
        K = given.variance * value
        K[np.diag_indices(n)] = given.variance + self._noise + given.noise
        factor, failed = lapack.dpotrf(K, lower=1, clean=1)
        if failed:
            return -1e10, np.zeros_like(theta)
        half = lapack.dpotri(factor, lower=1)[0]  # below the diagonal; 0 above it
        inverse = half + half.T
        inverse[np.diag_indices(n)] *= 0.5
        centred = self._y - given.mean
        alpha = inverse @ centred
        log_determinant = 2.0 * float(np.log(np.diag(factor)).sum())
        likelihood = -0.5 * (float(centred @ alpha) + log_determinant + n * _LOG_2PI)
        G = 0.5 * (np.outer(alpha, alpha) - inverse)
        W = G * slope * given.variance
        by_feature = -4.0 * ((Z * Z * W.sum(1)[:, None]).sum(0) - (Z * (W @ Z)).sum(0))
        trace = float(np.trace(G))
        off_diagonal = float((G * value).sum()) - float(G.diagonal() @ value.diagonal())
        gradient = np.empty_like(theta)
        gradient[:d] = np.bincount(self._owner, by_feature, minlength=d)
        gradient[d] = given.variance * (off_diagonal + trace)
        gradient[d + 1] = alpha.sum()
        gradient[d + 2] = given.noise * trace
        return likelihood, gradient

    def _prior(self, theta: Array) -> tuple[float, Array]:
        d = self._d
        away = (theta[:d] - self._loc) / LENGTHSCALE_SCALE
        spread = float(theta[d]) / VARIANCE_SCALE
        mean, log_noise = float(theta[d + 1]), float(theta[d + 2])
        noise = math.exp(log_noise)
        value = float((-0.5 * away * away - theta[:d]).sum())
        value -= 0.5 * spread * spread + 0.5 * mean * mean
        value += (NOISE_SHAPE - 1) * log_noise - NOISE_RATE * noise
        gradient = np.empty_like(theta)
        gradient[:d] = -away / LENGTHSCALE_SCALE - 1.0
        gradient[d] = -spread / VARIANCE_SCALE
        gradient[d + 1] = -mean
        gradient[d + 2] = (NOISE_SHAPE - 1) - NOISE_RATE * noise
        return value, gradient
