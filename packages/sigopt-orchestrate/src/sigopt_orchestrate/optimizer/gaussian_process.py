"""An exact Gaussian process and its predictions with gradients, made for a few hundred points.

Everything that is done often is a matrix product: predictions go through the inverse of the
Cholesky factor, and gradients through the coefficients of the kernel's derivative, so that no
array has three axes. Shapes: n observed points, b asked ones, p features, d parameters, and m
columns of outcomes that share the points (fantasies of what pending trials will bring).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.correlation import (
    Array,
    Features,
    Shape,
    correlation,
    squared_distances,
)

_DRAWN_NOISE = 1e-7


@dataclass(frozen=True)
class Hyperparameters:
    """What a Gaussian process is fitted by.

    Attributes:
        shape: Of the correlation.
        lengthscales: One for each parameter, `(d,)`.
        variance: Of the function about its mean.
        mean: Of the function.
        noise: The variance of the noise that is the same everywhere.
    """

    shape: Shape
    lengthscales: Array
    variance: float
    mean: float
    noise: float


class GaussianProcess:
    """A Gaussian process that knows some outcomes.

    Args:
        features: From points to features.
        given: Its hyperparameters.
        X: Observed points, `(n, d)`.
        Y: Their outcomes, `(n, m)`.
        noise: Variances of the noise of each outcome beside the hyperparameters' one, `(n,)`.

    Raises:
        SuggestionError: If the kernel matrix cannot be factorised.
    """

    def __init__(
        self, features: Features, given: Hyperparameters, X: Array, Y: Array, noise: Array
    ) -> None:
        self.hyperparameters = given
        self._features = features
        self._X, self._Y, self._noise = X, Y, noise
        self._scales = given.lengthscales[features.owner]
        self._Z = features.of(X) / self._scales
        value, _ = correlation(given.shape, squared_distances(self._Z, self._Z))
        K = given.variance * value
        K[np.diag_indices_from(K)] = given.variance + noise + given.noise
        factor = cholesky(K)
        self._inverse_factor = lapack.dtrtri(factor, lower=1)[0]  # (n, n)
        self._weights = self._inverse_factor.T @ (self._inverse_factor @ (Y - given.mean))

    @property
    def points(self) -> Array:
        """The observed points, `(n, d)`."""
        return self._X

    @property
    def columns(self) -> int:
        """How many columns of outcomes there are, m."""
        return int(self._Y.shape[1])

    def predict(self, X: Array) -> "Prediction":
        """Returns what is known of the function at points, `(b, d)`."""
        given = self.hyperparameters
        Z = self._features.of(X) / self._scales
        value, slope = correlation(given.shape, squared_distances(Z, self._Z))
        cross = given.variance * value  # (b, n)
        solved = cross @ self._inverse_factor.T  # (b, n)
        variance = np.maximum(given.variance - (solved * solved).sum(1), 1e-12 * given.variance)
        mean = given.mean + cross @ self._weights
        return Prediction(self, Z, slope, solved, mean, np.sqrt(variance))

    def covariance(self, X: Array, others: Array) -> Array:
        """Returns the posterior covariance of the function between points, `(b, c)`."""
        given = self.hyperparameters
        Z, Z_others = (self._features.of(points) / self._scales for points in (X, others))
        prior = given.variance * correlation(given.shape, squared_distances(Z, Z_others))[0]
        solved, solved_others = (
            given.variance
            * correlation(given.shape, squared_distances(z, self._Z))[0]
            @ self._inverse_factor.T
            for z in (Z, Z_others)
        )
        return np.asarray(prior - solved @ solved_others.T)

    def fantasised(self, X: Array, normals: Array) -> "GaussianProcess":
        """Returns the process that has seen what it believes of `X`, once for each column.

        Args:
            X: Points still being tried, `(p, d)`.
            normals: Standard normal numbers, `(p, m)`: each column draws one joint outcome.
        """
        if not len(X):
            return self
        if self.columns != 1:
            raise ValueError("outcomes are fantasised once")
        covariance = self.covariance(X, X)
        largest = float(np.abs(np.diag(covariance)).max())
        covariance[np.diag_indices_from(covariance)] += 1e-9 * max(largest, 1e-12)
        drawn = self.predict(X).mean + _root(covariance) @ normals  # (p, m)
        # What is drawn is the function itself, without the noise that observations have.
        given = replace(self.hyperparameters, noise=_DRAWN_NOISE)
        return GaussianProcess(
            self._features,
            given,
            np.concatenate((self._X, X)),
            np.concatenate((np.repeat(self._Y, normals.shape[1], axis=1), drawn)),
            np.concatenate((self._noise + self.hyperparameters.noise, np.zeros(len(X)))),
        )


@dataclass(frozen=True)
class Prediction:
    """The posterior at some points, and the way back from there to the points.

    Attributes:
        mean: Of the function, one for each column of outcomes, `(b, m)`.
        deviation: Its standard deviation, the same for all columns, `(b,)`.
    """

    _process: GaussianProcess
    _Z: Array
    _slope: Array
    _solved: Array
    mean: Array
    deviation: Array

    def pull_back(self, by_mean: Array, by_deviation: Array) -> Array:
        """Returns the gradient by the points, `(b, d)`, from those by what was predicted.

        Args:
            by_mean: `(b, m)`.
            by_deviation: `(b,)`.
        """
        process = self._process
        by_variance = 0.5 * by_deviation / self.deviation
        inverse = self._solved @ process._inverse_factor  # noqa: SLF001, (b, n)
        coefficients = by_mean @ process._weights.T - 2.0 * by_variance[:, None] * inverse  # noqa: SLF001
        T = coefficients * self._slope * process.hyperparameters.variance  # (b, n)
        by_z = 2.0 * (self._Z * T.sum(1)[:, None] - T @ process._Z)  # noqa: SLF001
        return process._features.gradient(by_z / process._scales)  # noqa: SLF001


def cholesky(K: Array) -> Array:
    """Returns the lower Cholesky factor.

    Raises:
        SuggestionError: If `K` is not positive definite by more than rounding.
    """
    diagonal = float(np.mean(np.diag(K)))
    for jitter in (0.0, 1e-10, 1e-8, 1e-6):
        attempt = K if not jitter else K + jitter * diagonal * np.eye(len(K))
        factor, failed = lapack.dpotrf(attempt, lower=1, clean=1)
        if not failed and np.isfinite(factor[-1, -1]):
            return np.asarray(factor)
    raise SuggestionError("the model failed: its kernel matrix is not positive definite")


def _root(covariance: Array) -> Array:
    """Returns R with R R' = `covariance`, however little is left of it but rounding errors."""
    try:
        return cholesky(covariance)
    except SuggestionError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
