"""How alike two points are expected to be, as a function of their scaled squared distance.

Shapes: n and m points of p features, each feature the coordinate of an ordered parameter or one
of the indicators of a categorical one; d parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = Literal["squared exponential", "Matern 5/2"]


@dataclass(frozen=True)
class Features:
    """The map from points to features, in which every distance is Euclidean.

    A categorical parameter becomes one indicator for each value, so that two different values are
    at the squared distance 1 whichever they are.

    Attributes:
        levels: For each of the d coordinates, how many values a categorical one has; 0 for an
            ordered one.
    """

    levels: tuple[int, ...]

    @property
    def owner(self) -> NDArray[np.intp]:
        """The parameter that each feature belongs to, `(p,)`."""
        return np.repeat(np.arange(len(self.levels)), [max(1, n) for n in self.levels])

    def of(self, X: Array) -> Array:
        """Returns the features of points, `(n, d)` to `(n, p)`."""
        columns = []
        for j, count in enumerate(self.levels):
            if count:
                columns.append((X[:, [j]] == np.arange(count)) * np.sqrt(0.5))
            else:
                columns.append(X[:, [j]])
        return np.concatenate(columns, axis=1)

    def gradient(self, by_feature: Array) -> Array:
        """Returns the gradient by coordinates, `(n, d)`; 0 for categorical ones."""
        starts = np.concatenate(([0], np.cumsum([max(1, n) for n in self.levels])[:-1]))
        ordered = np.array([n == 0 for n in self.levels])
        return np.where(ordered, by_feature[:, starts], 0.0)


def squared_distances(A: Array, B: Array) -> Array:
    """Returns all squared distances between the rows, `(n, p)` and `(m, p)` to `(n, m)`."""
    squares = (A * A).sum(1)[:, None] + (B * B).sum(1) - 2.0 * (A @ B.T)
    return np.maximum(squares, 0.0, out=squares)


def correlation(shape: Shape, squared: Array) -> tuple[Array, Array]:
    """Returns the correlation at squared distances, and its derivative by them.

    Squared exponential: exp(-r^2 / 2). Matern 5/2: (1 + a + a^2 / 3) exp(-a), a = sqrt(5) r.
    """
    if shape == "squared exponential":
        value = np.exp(-0.5 * squared)
        return value, -0.5 * value
    a = np.sqrt(5.0 * squared)
    decay = np.exp(-a)
    return (1.0 + a + a * a / 3.0) * decay, (-5.0 / 6.0) * (1.0 + a) * decay


def features_of(levels: Sequence[int | None]) -> Features:
    """Returns the features of coordinates with these numbers of categories, None for ordered."""
    return Features(tuple(n or 0 for n in levels))
