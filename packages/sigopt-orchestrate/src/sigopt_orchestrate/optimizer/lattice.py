"""Many points of a space at once: which are legal, what lies near them.

Shapes: b points of d coordinates.
"""

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.axes import CategoricalAxis
from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.optimizer.space import Space

WIDE = 16
"""An ordered axis with more levels than this is climbed as if it were a double, then rounded."""
_LISTED = 10_000  # levels of one axis that are kept as a list


class Lattice:
    """A space whose points are rows of arrays.

    Args:
        space: Of one experiment.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._levels: list[Array | None] = []
        for a in space.axes:
            listed = a.levels is not None and a.levels <= _LISTED
            self._levels.append(np.array(a.grid()) if listed else None)
        last = space.full_task is not None
        self._searched = list(range(space.dimension - last))
        self.free = np.array(
            [
                not isinstance(a, CategoricalAxis) and (a.levels is None or a.levels > WIDE)
                for a in space.axes
            ]
        )
        self._stepped = [j for j in self._searched if not self.free[j]]

    def snap(self, X: Array) -> Array:
        """Returns the legal points nearest to the rows of `X`; see `Space.snap`."""
        X = np.array(X)
        for j, (a, levels) in enumerate(zip(self.space.axes, self._levels, strict=True)):
            if levels is not None:
                X[:, j] = _nearest(levels, X[:, j])
            elif a.levels is not None:
                X[:, j] = [a.encode(a.decode(u)) for u in X[:, j]]
            else:
                X[:, j] = np.clip(X[:, j], 0.0, 1.0)
        if self.space.has_conditions:
            X = np.array([self.space.snap(row) for row in X.tolist()]).reshape(X.shape)
        return X

    def allowed(self, X: Array) -> NDArray[np.bool_]:
        """Returns which rows satisfy the linear constraints, `(b,)`."""
        if not self.space.is_constrained:
            return np.ones(len(X), dtype=bool)
        return np.array([self.space.allows(row) for row in X.tolist()], dtype=bool)

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Returns random legal points, about `count` that satisfy the linear constraints."""
        uniforms = rng.random((count, self.space.dimension))
        X = np.array([self.space.draw(row) for row in uniforms.tolist()])
        if not self.space.is_constrained:
            return X
        good = self.allowed(X)
        kept = [X[good]]
        for row in X[~good][: max(0, count // 4 - int(good.sum()))]:
            moved = self.space.repaired(row.tolist())
            if moved is not None:
                kept.append(np.array([self.space.encode(moved)]))
        X = np.concatenate(kept)
        return X[self.allowed(X)]

    def near(self, rng: np.random.Generator, centre: Array, scale: float, count: int) -> Array:
        """Returns legal points near a point, `(d,)`; half of them move one coordinate only."""
        d = len(self._searched)
        chosen = rng.random((count, d)) < 0.5
        single = np.arange(count) % 2 == 0
        chosen[single] = False
        chosen[np.arange(count), rng.integers(0, d, count)] = True
        X = np.repeat(centre[None], count, axis=0)
        noise = scale * rng.standard_normal((count, d))
        for j in self._searched:
            rows = np.flatnonzero(chosen[:, j])
            levels = self._levels[j]
            if self.free[j] or levels is None:
                X[rows, j] += noise[rows, j]
            elif isinstance(self.space.axes[j], CategoricalAxis):
                X[rows, j] = levels[rng.integers(0, len(levels), len(rows))]
            else:
                at = np.searchsorted(levels, centre[j] - 1e-12)
                reach = max(1, round(2 * scale * len(levels)))
                step = rng.integers(1, reach + 1, len(rows)) * rng.choice([-1, 1], len(rows))
                X[rows, j] = levels[np.clip(at + step, 0, len(levels) - 1)]
        X = self.snap(X)
        return X[self.allowed(X)]

    def steps(self, point: Array) -> Array:
        """Returns the legal points one step of one held coordinate away from a point, `(d,)`."""
        found = []
        for j in self._stepped:
            levels = self._levels[j]
            if levels is None:
                continue
            if isinstance(self.space.axes[j], CategoricalAxis):
                others = levels[levels != point[j]]
            else:
                at = int(np.argmin(np.abs(levels - point[j])))
                others = levels[[i for i in (at - 1, at + 1) if 0 <= i < len(levels)]]
            moved = np.repeat(point[None], len(others), axis=0)
            moved[:, j] = others
            found.append(moved)
        if not found:
            return np.empty((0, len(point)))
        X = self.snap(np.concatenate(found))
        return X[self.allowed(X)]

    def everything(self) -> Array:
        """Returns all points of a finite space that satisfy the linear constraints."""
        if self.space.has_conditions or any(levels is None for levels in self._levels):
            X = np.array(list(self.space.all_points()))
        else:
            grids = [levels for levels in self._levels if levels is not None]
            if self.space.full_task is not None:
                grids[-1] = np.array([self.space.full_task])
            X = np.stack([g.ravel() for g in np.meshgrid(*grids, indexing="ij")], axis=1)
        return X[self.allowed(X)]


def _nearest(levels: Array, u: Array) -> Array:
    right = np.clip(np.searchsorted(levels, u), 1, max(1, len(levels) - 1))
    if len(levels) == 1:
        return np.full_like(u, levels[0])
    left = right - 1
    return np.where(u - levels[left] <= levels[right] - u, levels[left], levels[right])
