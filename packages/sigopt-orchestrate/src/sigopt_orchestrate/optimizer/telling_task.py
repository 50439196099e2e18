"""Which task to run at a point: what tells most about the full one for its cost."""

from collections.abc import Mapping

import numpy as np

from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.optimizer.gaussian_process import GaussianProcess
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.spec.consistency import TASK

_FULL_SHARE = 0.5


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
