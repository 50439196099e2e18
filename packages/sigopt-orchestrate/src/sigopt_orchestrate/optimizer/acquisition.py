"""What a further point promises, as a logarithm with its gradient.

The expected improvement over the best, or of the hypervolume for two objectives, times the
probability that every constraint is met and the trial does not fail, times the priors' belief. It
is the mean over fantasies of what the pending trials will bring. Shapes: b points of d
coordinates, m fantasies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.optimizer.gaussian_process import GaussianProcess
from sigopt_orchestrate.optimizer.improvement import (
    front,
    log_hypervolume_improvement,
    log_improvement,
    log_probability,
)

Belief = Callable[[Array], tuple[Array, Array]]
"""Points `(b, d)` to a logarithm `(b,)` and its gradient `(b, d)`."""


@dataclass(frozen=True)
class Acquisition:
    """The logarithm of what points promise.

    Attributes:
        objectives: The processes of one or two objectives with the pending points fantasised; none
            as long as no trial has met the constraints.
        best: For one objective the outcome to beat in each fantasy, `(m,)`; for two the front of
            each fantasy, and
        reference: what a point must beat in both.
        conditions: Processes that must be above 0: constraints, and that the trial succeeds.
        beliefs: What else counts.
    """

    objectives: Sequence[GaussianProcess]
    best: Sequence[Array] | Array
    reference: Array | None = None
    conditions: Sequence[GaussianProcess] = ()
    beliefs: Sequence[Belief] = field(default=())

    def __call__(self, X: Array) -> tuple[Array, Array]:
        """Returns values and gradients at points, `(b,)` and `(b, d)`."""
        value, gradient = np.zeros(len(X)), np.zeros_like(X)
        if len(self.objectives) == 1:
            parts = self._improvement(X)
            value, gradient = value + parts[0], gradient + parts[1]
        elif self.objectives:
            parts = self._hypervolume(X)
            value, gradient = value + parts[0], gradient + parts[1]
        for process in self.conditions:
            known = process.predict(X)
            log, by_mean, by_deviation = log_probability(known.mean[:, 0], known.deviation)
            value = value + log
            gradient = gradient + known.pull_back(by_mean[:, None], by_deviation)
        for belief in self.beliefs:
            log, by_point = belief(X)
            value, gradient = value + log, gradient + by_point
        return value, gradient

    def _improvement(self, X: Array) -> tuple[Array, Array]:
        known = self.objectives[0].predict(X)
        log, by_mean, by_deviation = log_improvement(
            known.mean, known.deviation[:, None], np.asarray(self.best)
        )
        value, share = _log_mean(log)
        return value, known.pull_back(share * by_mean, (share * by_deviation).sum(1))

    def _hypervolume(self, X: Array) -> tuple[Array, Array]:
        assert self.reference is not None  # noqa: S101
        known = [process.predict(X) for process in self.objectives]
        deviation = np.stack([k.deviation for k in known], axis=1)
        logs, slopes = [], []
        for i in range(known[0].mean.shape[1]):
            mean = np.stack([k.mean[:, i] for k in known], axis=1)
            log, by_mean, by_deviation = log_hypervolume_improvement(
                mean, deviation, self.best[i], self.reference
            )
            logs.append(log)
            slopes.append((by_mean, by_deviation))
        value, share = _log_mean(np.stack(logs, axis=1))
        by_means = np.stack([s[0] for s in slopes], axis=2)  # (b, 2, m)
        by_deviations = np.stack([s[1] for s in slopes], axis=2)
        gradient = np.zeros_like(X)
        for j, k in enumerate(known):
            gradient += k.pull_back(share * by_means[:, j], (share * by_deviations[:, j]).sum(1))
        return value, gradient


def incumbents(processes: Sequence[GaussianProcess], feasible: Array) -> list[Array] | Array:
    """Returns what is to be beaten in each fantasy: see `Acquisition.best`.

    It is what the processes believe of the points they know, so that noise is not taken for
    progress.

    Args:
        processes: Of one or two objectives, pending points included.
        feasible: Which of their points count, booleans.
    """
    means = [process.predict(process.points[feasible]).mean for process in processes]
    if len(means) == 1:
        return np.asarray(means[0].max(0))
    return [front(np.stack([m[:, i] for m in means], 1)) for i in range(means[0].shape[1])]


def _log_mean(logs: Array) -> tuple[Array, Array]:
    """The logarithm of the mean over columns, and the share of each in it."""
    top = logs.max(1, keepdims=True)
    scaled = np.exp(logs - top)
    total = scaled.sum(1, keepdims=True)
    return (top + np.log(total / logs.shape[1]))[:, 0], scaled / total
