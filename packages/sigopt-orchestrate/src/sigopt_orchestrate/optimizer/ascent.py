"""Climbs from many starts at once, inside the unit cube.

Projected BFGS with one small inverse Hessian for each start, so that the function is always asked
for all of them in one call; scipy's would ask for one at a time.
"""

from collections.abc import Callable

import numpy as np

from sigopt_orchestrate.optimizer.correlation import Array

Function = Callable[[Array], tuple[Array, Array]]
"""Points `(b, d)` to values `(b,)` and gradients `(b, d)`."""

_HALVINGS = 12
_ARMIJO = 1e-4


def ascend(function: Function, starts: Array, free: Array, iterations: int) -> tuple[Array, Array]:
    """Returns where the climbs end, `(b, d)`, and the values there, `(b,)`.

    Args:
        function: What to climb.
        starts: Where to begin, `(b, d)`; free coordinates in [0, 1].
        free: Which coordinates may move, `(d,)` booleans.
        iterations: How many steps at most.
    """
    X = starts.copy()
    value, gradient = function(X)
    count, d = X.shape
    eye = np.eye(d)
    H = np.repeat(eye[None], count, axis=0)
    active = np.isfinite(value)
    fresh = np.ones(count, dtype=bool)
    for _ in range(iterations):
        movable = free & ~(((X <= 0) & (gradient < 0)) | ((X >= 1) & (gradient > 0)))
        slope = np.where(movable, gradient, 0.0)
        active &= np.abs(slope).max(1) > 1e-7
        if not active.any():
            break
        step = _step(H, slope, movable, fresh)
        moved, new_value, new_gradient = _search_line(function, X, value, gradient, step, active)
        gained = new_value - value
        difference = moved - X
        change = gradient - new_gradient  # of the negative function's gradient
        curvature = (difference * change).sum(1)
        good = active & (curvature > 1e-10)
        _update(H, difference, change, curvature, good & fresh, good)
        # A step that gains nothing along a stale Hessian gets one more try along the gradient.
        stuck = active & (gained <= 1e-9 * np.maximum(1.0, np.abs(value)))
        H[stuck] = eye
        active &= ~(stuck & fresh)
        fresh = np.where(stuck, True, fresh & ~good)
        X, value, gradient = moved, new_value, new_gradient
    return X, value


def _step(H: Array, slope: Array, movable: Array, fresh: Array) -> Array:
    step = np.einsum("bij,bj->bi", H, slope)
    step = np.where(movable, step, 0.0)
    uphill = (step * slope).sum(1) > 0
    step = np.where(uphill[:, None], step, slope)
    longest = np.abs(step).max(1)
    limit = np.where(fresh | ~uphill, 0.05, 0.5)
    return np.asarray(step * np.minimum(1.0, limit / np.maximum(longest, 1e-300))[:, None])


def _search_line(
    function: Function, X: Array, value: Array, gradient: Array, step: Array, active: Array
) -> tuple[Array, Array, Array]:
    """Halves each step until it gains enough; a start whose step never does stays."""
    moved, new_value, new_gradient = X.copy(), value.copy(), gradient.copy()
    left = np.flatnonzero(active)
    length = 1.0
    for _ in range(_HALVINGS):
        tried = np.clip(X[left] + length * step[left], 0.0, 1.0)
        # What is held has no bounds: a category is an index.
        tried = np.where(step[left] != 0, tried, X[left])
        found, slope = function(tried)
        promised = (gradient[left] * (tried - X[left])).sum(1)
        enough = np.isfinite(found) & (found >= value[left] + _ARMIJO * promised)
        taken = left[enough]
        moved[taken], new_value[taken], new_gradient[taken] = (
            tried[enough],
            found[enough],
            slope[enough],
        )
        left = left[~enough]
        if not len(left):
            break
        length *= 0.4
    return moved, new_value, new_gradient


def _update(
    H: Array, s: Array, y: Array, curvature: Array, scaled: Array, chosen: Array
) -> None:
    """The BFGS update of the inverse Hessians that are chosen, in place."""
    scale = curvature[scaled] / (y[scaled] * y[scaled]).sum(1)
    H[scaled] = scale[:, None, None] * np.eye(H.shape[1])
    s, y, H_chosen = s[chosen], y[chosen], H[chosen]
    rho = 1.0 / curvature[chosen]
    Hy = np.einsum("bij,bj->bi", H_chosen, y)
    yHy = (y * Hy).sum(1)
    outer = np.einsum("bi,bj->bij", s, s) * ((1 + rho * yHy) * rho)[:, None, None]
    cross = np.einsum("bi,bj->bij", Hy, s) * rho[:, None, None]
    H[chosen] = H_chosen + outer - cross - cross.transpose(0, 2, 1)
