"""Climbs from many starts at once, inside the unit cube.

Projected BFGS with one small inverse Hessian for each start, so that the function is always asked
for all of them in one call; scipy's would ask for one at a time.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.correlation import Array

Function = Callable[[Array], tuple[Array, Array]]
"""Points `(b, d)` to values `(b,)` and gradients `(b, d)`."""

_SHORTENINGS = 12
_ARMIJO = 1e-4


def ascend(
    function: Function, starts: Array, free: NDArray[np.bool_], iterations: int
) -> tuple[Array, Array]:
    """Returns where the climbs end, `(b, d)`, and the values there, `(b,)`.

    Args:
        function: What to climb.
        starts: Where to begin, `(b, d)`; free coordinates in [0, 1].
        free: Which coordinates may move, `(d,)`.
        iterations: How many steps at most.
    """
    climbs = _Climbs(function, starts, free)
    for _ in range(iterations):
        if not climbs.advance():
            break
    return climbs.X, climbs.value


class _Climbs:
    """Climbs under way: where they are, and the inverse Hessian of each, `(b, d, d)`."""

    def __init__(self, function: Function, starts: Array, free: NDArray[np.bool_]) -> None:
        self._function, self._free = function, free
        self.X = starts.copy()
        self.value, self._gradient = function(self.X)
        count, d = self.X.shape
        self._H = np.repeat(np.eye(d)[None], count, axis=0)
        self._active = np.isfinite(self.value)
        self._fresh = np.ones(count, dtype=bool)  # whose Hessian knows nothing yet

    def advance(self) -> bool:
        """Takes one step of each climb; returns whether any is still under way."""
        X, gradient = self.X, self._gradient
        movable = self._free & ~(((X <= 0) & (gradient < 0)) | ((X >= 1) & (gradient > 0)))
        slope = np.where(movable, gradient, 0.0)
        self._active &= np.abs(slope).max(1) > 1e-7
        if not self._active.any():
            return False
        moved, value, new_gradient = self._search_line(self._direction(slope, movable))
        gained = value - self.value
        s, y = moved - X, gradient - new_gradient  # y is of the negative function
        curvature = (s * y).sum(1)
        good = self._active & (curvature > 1e-10)
        self._learn(s, y, curvature, good)
        # A step that gains nothing along a stale Hessian gets one more try along the gradient.
        stuck = self._active & (gained <= 1e-9 * np.maximum(1.0, np.abs(self.value)))
        self._H[stuck] = np.eye(X.shape[1])
        self._active &= ~(stuck & self._fresh)
        self._fresh = np.where(stuck, True, self._fresh & ~good)
        self.X, self.value, self._gradient = moved, value, new_gradient
        return True

    def _direction(self, slope: Array, movable: NDArray[np.bool_]) -> Array:
        step = np.where(movable, np.einsum("bij,bj->bi", self._H, slope), 0.0)
        uphill = (step * slope).sum(1) > 0
        step = np.where(uphill[:, None], step, slope)
        limit = np.where(self._fresh | ~uphill, 0.05, 0.5)
        longest = np.maximum(np.abs(step).max(1), 1e-300)
        return np.asarray(step * np.minimum(1.0, limit / longest)[:, None])

    def _search_line(self, step: Array) -> tuple[Array, Array, Array]:
        """Shortens each step until it gains enough; a climb whose step never does stays."""
        moved, value, gradient = self.X.copy(), self.value.copy(), self._gradient.copy()
        left, length = np.flatnonzero(self._active), 1.0
        for _ in range(_SHORTENINGS):
            tried = np.clip(self.X[left] + length * step[left], 0.0, 1.0)
            # What is held has no bounds: a category is an index.
            tried = np.where(step[left] != 0, tried, self.X[left])
            found, slope = self._function(tried)
            promised = (self._gradient[left] * (tried - self.X[left])).sum(1)
            enough = np.isfinite(found) & (found >= self.value[left] + _ARMIJO * promised)
            taken = left[enough]
            moved[taken], value[taken], gradient[taken] = (
                tried[enough],
                found[enough],
                slope[enough],
            )
            left, length = left[~enough], length * 0.4
            if not len(left):
                break
        return moved, value, gradient

    def _learn(self, s: Array, y: Array, curvature: Array, good: NDArray[np.bool_]) -> None:
        """The BFGS update of the inverse Hessians of the `good` climbs."""
        first = good & self._fresh
        scale = curvature[first] / (y[first] * y[first]).sum(1)
        self._H[first] = scale[:, None, None] * np.eye(s.shape[1])
        s, y, H, rho = s[good], y[good], self._H[good], 1.0 / curvature[good]
        Hy = np.einsum("bij,bj->bi", H, y)
        both = ((1 + rho * (y * Hy).sum(1)) * rho)[:, None, None]
        outer = np.einsum("bi,bj->bij", s, s) * both
        cross = np.einsum("bi,bj->bij", Hy, s) * rho[:, None, None]
        self._H[good] = H + outer - cross - cross.transpose(0, 2, 1)
