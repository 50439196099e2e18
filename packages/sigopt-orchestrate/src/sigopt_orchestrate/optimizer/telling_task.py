"""Which task to run at a point: what tells most about the full one for its cost."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.correlation import (
    Array,
    Features,
    correlation,
    squared_distances,
)
from sigopt_orchestrate.optimizer.gaussian_process import GaussianProcess
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.spec.consistency import TASK

_FULL_SHARE = 0.5
_LEAST = 2  # trials of a task that make a level
_LEVELLED = 400  # trials that make the levels, at most
_SMOOTH, _ROUGH = 0.5, 1e-6  # the lengthscale by the root of the dimension, and the noise


def levelled(V: Array, X: Array, features: Features, full: float) -> Array:
    """Returns values with each cheap task's level moved to the full one's.

    Cheap tasks often differ by a shift, as less training does, which the model would otherwise
    have to take for a lack of likeness. The tasks ran at different points, so that their means say
    little: the levels are the generalised least squares of one smooth function plus a level each.

    Args:
        V: Values, `(n, 1)`.
        X: Points, `(n, d)`; the last coordinate is the task.
        features: From points to features.
        full: The coordinate of the full task.
    """
    present, of_trial, counts = np.unique(X[:, -1], return_inverse=True, return_counts=True)
    known = np.flatnonzero(counts >= _LEAST)
    if full not in present[known] or len(known) < 2:
        return V
    share = max(_LEAST, _LEVELLED // len(known))
    rows = np.concatenate([_evenly(np.flatnonzero(of_trial == task), share) for task in known])
    Z = features.of(X[rows])[:, features.owner < X.shape[1] - 1]
    squared = squared_distances(Z, Z) / (_SMOOTH**2 * (X.shape[1] - 1))
    K, _ = correlation("squared exponential", squared)
    K[np.diag_indices_from(K)] += _ROUGH
    belongs = (X[rows, -1, None] == present[known]).astype(float)
    solved = np.linalg.solve(K, np.concatenate((belongs, V[rows]), axis=1))
    levels = np.linalg.solve(belongs.T @ solved[:, :-1], belongs.T @ solved[:, -1:])[:, 0]
    moved = V.copy()
    for task, level in zip(present[known], levels, strict=True):
        moved[X[:, -1] == task] += levels[present[known] == full] - level
    return moved


def _evenly(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """All of them, or `count` evenly spaced ones."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def choose_task(
    experiment: Experiment,
    process: GaussianProcess,
    point: Array,
    assignments: Assignments,
    spent: Mapping[str, int],
) -> Assignments:
    """Returns `assignments` with the task to run them as.

    The full task gets half of the cost, as only its results count in the end; otherwise it is the
    task whose observation would reduce the full one's variance most for its cost.

    Args:
        experiment: Has tasks.
        process: Of the objective; its last coordinate is the task, in the order of falling cost.
        point: The point, `(d,)`.
        assignments: What it stands for.
        spent: How many trials each task has had.
    """
    ordered = sorted(experiment.tasks, key=lambda task: -task.cost)
    cost = {task.name: task.cost * spent.get(task.name, 0) for task in ordered}
    if cost[ordered[0].name] < _FULL_SHARE * sum(cost.values()):
        return {**assignments, TASK: ordered[0].name}
    X = np.repeat(point[None], len(ordered), axis=0)
    X[:, -1] = np.arange(len(ordered))
    covariance = process.covariance(X, X)
    noise = process.hyperparameters.noise
    told = covariance[0] ** 2 / (np.diag(covariance) + noise + 1e-9)
    worth = told / np.array([task.cost for task in ordered])
    return {**assignments, TASK: ordered[int(np.argmax(worth))].name}
