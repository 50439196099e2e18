"""The search for the point of highest acquisition: spread, look near the best, climb, step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize

from sigopt_orchestrate.optimizer.ascent import Function, ascend
from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.optimizer.lattice import Lattice

_SPREAD = 384
_SCALES = (0.2, 0.05, 0.01, 0.002)
_NEAR = 16  # points near each incumbent at each scale
_STARTS = 5  # of the spread, and as many of those near the incumbents
_CLIMBERS = 3
_STEPS = 8
_ITERATIONS = 40
_CONSTRAINED = 4  # climbs under linear constraints
_LISTED = 4.0e8  # floating point operations that looking at a whole finite space may take
_CHUNK = 2048
_SAME = 1e-6  # of the unit cube; closer points teach the model nothing new
_BESIDE = 1e-3  # likewise; closer to a trial under way, one had better wait for it


class Search:
    """One search; it remembers the points it has looked at that may be suggested.

    Args:
        acquisition: What to maximise over legal points.
        lattice: Where they lie.
        known: Points with an outcome, not to be returned, `(t, d)`.
        pending: Points under way, to be kept a little away from, `(p, d)`.
        cost: Floating point operations of looking at one point, roughly.
    """

    def __init__(
        self, acquisition: Function, lattice: Lattice, known: Array, pending: Array, cost: float
    ) -> None:
        self._acquisition = acquisition
        self._lattice = lattice
        self._known, self._pending = known, pending
        self._cost = cost
        self._points: list[Array] = [np.empty((0, lattice.space.dimension))]
        self._values: list[Array] = [np.empty(0)]

    def run(self, incumbents: Sequence[Array], rng: np.random.Generator) -> Array | None:
        """Returns the best legal point that may be suggested, `(d,)`; None if none was found.

        Args:
            incumbents: The best points known, around which to look closely.
            rng: Of the spread and of the looks around the incumbents.
        """
        lattice = self._lattice
        size = lattice.space.size
        if size is not None and size * self._cost <= _LISTED:
            self._look(lattice.everything())
            return self._best()
        spread = self._look(lattice.draw(rng, _SPREAD))
        near = self._look(
            np.concatenate(
                [lattice.near(rng, x, s, _NEAR) for x in incumbents for s in _SCALES]
                or [np.empty((0, lattice.space.dimension))]
            )
        )
        starts = [_top(*spread, _STARTS), _top(*near, _STARTS)]
        ended = self._climb(np.concatenate(starts))
        for point in _top(*ended, _CLIMBERS):
            self._step(point)
        return self._best()

    def _best(self) -> Array | None:
        points, values = np.concatenate(self._points), np.concatenate(self._values)
        return _top(points, values, 1)[0] if len(points) else None

    def _look(self, X: Array) -> tuple[Array, Array]:
        """Evaluates legal points; returns those of them that may be suggested, and their values."""
        if not len(X):
            return X, np.empty(0)
        value = np.concatenate(
            [self._acquisition(X[i : i + _CHUNK])[0] for i in range(0, len(X), _CHUNK)]
        )
        usable = np.isfinite(value) & untaken(X, self._known, self._pending)
        self._points.append(X[usable])
        self._values.append(value[usable])
        return X[usable], value[usable]

    def _climb(self, starts: Array) -> tuple[Array, Array]:
        """Follows the gradient from each start, discrete coordinates held, wide ints relaxed."""
        free = self._lattice.free
        if not len(starts) or not free.any():
            return self._look(starts)
        if self._lattice.space.is_constrained:
            ends = self._climb_within(starts)
        else:
            ends = self._lattice.snap(ascend(self._acquisition, starts, free, _ITERATIONS)[0])
        return self._look(np.concatenate((ends, starts)))

    def _climb_within(self, starts: Array) -> Array:
        """Climbs from a few starts by sequential quadratic programming, inside the constraints."""
        space, free = self._lattice.space, self._lattice.free
        A, b = map(np.array, zip(*space.half_spaces(), strict=True))
        ends = [starts[:0]]
        for start in starts[:: max(1, len(starts) // _CONSTRAINED)]:
            found = minimize(
                self._negative,
                start,
                jac=True,
                method="SLSQP",
                bounds=[(0, 1) if moves else (u, u) for u, moves in zip(start, free, strict=True)],
                constraints=[LinearConstraint(A, b, np.inf)],
                options={"maxiter": _ITERATIONS},
            )
            if not np.isfinite(found.x).all():
                continue
            end = self._lattice.snap(found.x[None])[0]
            moved = space.repaired(end.tolist())
            if moved is not None:
                ends.append(np.array([space.encode(moved)]))
        return np.concatenate(ends)

    def _negative(self, point: Array) -> tuple[float, Array]:
        value, gradient = self._acquisition(point[None])
        return -float(value[0]), -gradient[0]

    def _step(self, point: Array) -> None:
        """Takes the best discrete step as long as one helps, climbing after each."""
        value = float(self._acquisition(point[None])[0][0])
        for _ in range(_STEPS):
            found, values = self._look(self._lattice.steps(point))
            if not len(found) or values.max() <= value:
                return
            ended, values = self._climb(_top(found, values, 1))
            point, value = _top(ended, values, 1)[0], float(values.max())


def untaken(X: Array, known: Array, pending: Array) -> NDArray[np.bool_]:
    """Returns which rows of `X`, `(b, d)`, are apart from all known and all pending points."""
    return _apart(X, known, _SAME) & _apart(X, pending, _BESIDE)


def _apart(X: Array, others: Array, distance: float) -> NDArray[np.bool_]:
    if len(X) < len(others):
        return np.array([np.abs(others - row).max(1).min() > distance for row in X], dtype=bool)
    nearest = np.full(len(X), np.inf)
    for row in others:
        np.minimum(nearest, np.abs(X - row).max(1), out=nearest)
    return nearest > distance


def _top(points: Array, values: Array, count: int) -> Array:
    """The rows of the highest values, the highest first; of equal ones the first by coordinates."""
    if len(points) > 4 * count:
        kept = np.argpartition(-values, count)[: 2 * count]
        kept = np.flatnonzero(values >= values[kept[np.argsort(-values[kept])][count - 1]])
        points, values = points[kept], values[kept]
    order = np.lexsort((*points.T[::-1], -values))
    chosen: list[int] = []
    for i in order:
        if len(chosen) == count:
            break
        if not any((points[i] == points[j]).all() for j in chosen):
            chosen.append(int(i))
    return points[chosen]
