"""How much of a metric each parameter explains, by a variance analysis of a Gaussian process.

The trials of a search crowd where values are good, so that plain averages over them confound the
parameters; the process fitted to them can be asked about points that are spread evenly. What is
returned are total effects (Homma and Saltelli, 1996): the variance that is left in a parameter when
all others are known, interactions included. Estimated after Jansen (1999): redraw one parameter,
and see by how much the prediction changes. That is a permutation importance without the noise.
"""

from collections.abc import Sequence

import numpy as np

from sigopt_orchestrate.optimizer.correlation import Array, features_of
from sigopt_orchestrate.optimizer.surrogate import of_objective

_MODELLED = 300
_POINTS = 1024
Column = Sequence[float | str | None]
"""A parameter's value in each trial; None where it did not count."""


def total_effects(columns: Sequence[Column], values: Sequence[float]) -> list[float]:
    """Returns the share of each parameter in the sum of the total effects.

    A number's place is its rank among those tried, so that a logarithmic range needs no mention.
    Which parameters count at all is drawn from the trials and held.

    Args:
        columns: One for each parameter.
        values: Finite, one for each trial, not all the same.

    Returns:
        Equal shares where the process sees no effect at all.

    Raises:
        SuggestionError: If the numerics fail.
    """
    rng = np.random.default_rng(0)
    # In any order but the trials' own: the process decides what it is by its first points.
    kept = rng.permutation(_spread(len(values)))
    trials = _Trials([[column[i] for i in kept] for column in columns])
    observed = np.array([values[i] for i in kept], dtype=float)
    with np.errstate(all="ignore"):
        features = features_of(trials.levels)
        process = of_objective(features, trials.X, observed, 1.0, None).process
    drawn, redrawn = trials.draw(rng)
    before = process.predict(drawn).mean[:, 0]
    effects = []
    for j in range(len(columns)):
        changed = drawn.copy()
        changed[:, j] = redrawn[:, j]
        effects.append(float(np.mean((process.predict(changed).mean[:, 0] - before) ** 2)))
    total = sum(effects)
    return [effect / total if total > 0 else 1 / len(effects) for effect in effects]


class _Trials:
    """Trials as points; the last coordinate says which parameters counted, a set without an order.

    Attributes:
        X: `(n, p + 1)`.
        levels: How many values each coordinate has; None for a number, whose place is in [0, 1].
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._counts = np.array([[v is not None for v in column] for column in columns])
        patterns, of_trial = np.unique(self._counts, axis=1, return_inverse=True)
        coded = [_coded(column) for column in columns]
        pattern = np.asarray(of_trial, dtype=float).ravel()
        self.X = np.stack([*(places for places, _ in coded), pattern], axis=1)
        self.levels = [*(levels for _, levels in coded), patterns.shape[1]]

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Returns points with the same parameters counting, and others to take one each from."""
        rows = rng.integers(0, len(self.X), _POINTS)
        drawn, redrawn = self.X[rows], self.X[rows]
        for j, counts in enumerate(self._counts):
            free = np.flatnonzero(counts[rows])
            known = self.X[counts, j]
            for points in (drawn, redrawn):
                if self.levels[j] is None:
                    points[free, j] = rng.random(len(free))
                elif len(free):
                    points[free, j] = rng.choice(np.unique(known), len(free))
        return drawn, redrawn


def _spread(count: int) -> list[int]:
    """Rows to model: all of them, or an even share."""
    return sorted(
        set(np.linspace(0, count - 1, min(count, _MODELLED)).round().astype(int).tolist())
    )


def _coded(column: Column) -> tuple[Array, int | None]:
    """Coordinates, `(n,)`, and how many levels they have; None for numbers.

    A number that does not count is in the middle, so that the process sees no difference.
    """
    present = [v for v in column if v is not None]
    if any(isinstance(v, str) for v in present):
        names = {name: i for i, name in enumerate(dict.fromkeys(map(str, column)))}
        return np.array([float(names[str(v)]) for v in column]), len(names)
    ranks = {v: i for i, v in enumerate(sorted(set(present)))}
    last = max(1, len(ranks) - 1)
    return np.array([0.5 if v is None else ranks[v] / last for v in column]), None
