"""Significance: how sure a mean over users is, and whether one model is better than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmn.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.evaluation import Evaluation

RESAMPLES = 2000
RESAMPLES_AT_A_TIME = 200


@dataclass(frozen=True)
class Paired:
    """One model against another on the same users.

    Attributes:
        difference: mean over users of the first less the second.
        low: lower end of its bootstrap interval.
        high: upper end.
        p_value: of the paired t-test, two-sided; 1 where the two never differ.
    """

    difference: float
    low: float
    high: float
    p_value: float


def interval(
    values: NDArray[np.float64], level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Returns the bootstrap percentile interval of the mean of values (m,), 2,000 resamples.

    Args:
        values: one number for each user.
        level: confidence, between 0 and 1.
        seed: of the resampling.

    Raises:
        ParameterError: level is out of range or there are no values.
    """
    if not 0 < level < 1:
        raise ParameterError(f"level is {level}; a number between 0 and 1 is allowed")
    if values.size == 0:
        raise ParameterError("values has 0 numbers; at least 1 is needed")
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[generator.integers(values.size, size=(RESAMPLES_AT_A_TIME, values.size))].mean(1)
            for _ in range(RESAMPLES // RESAMPLES_AT_A_TIME)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(
    first: Evaluation, second: Evaluation, metric: str, level: float = 0.95, seed: int = 0
) -> Paired:
    """Compares two models on the users both were measured on.

    Args:
        first: one model's evaluation.
        second: the other's, of the same users.
        metric: a name such as `ndcg@10`.
        level: confidence of the interval.
        seed: of the resampling.

    Raises:
        ParameterError: the users differ, or a metric was not measured.
    """
    from scipy.stats import ttest_rel  # noqa: PLC0415  slow to import

    if not np.array_equal(first.users, second.users):
        raise ParameterError(
            f"the evaluations are of {first.users.size} and {second.users.size} users that are"
            " not the same; a paired test needs the same users"
        )
    for evaluation in (first, second):
        if metric not in evaluation.per_user:
            raise ParameterError(
                f"metric is {metric!r}; {', '.join(evaluation.per_user)} were measured"
            )
    differences = first.per_user[metric] - second.per_user[metric]
    p_value = 1.0
    if differences.any():
        with np.errstate(all="ignore"):
            p_value = float(ttest_rel(first.per_user[metric], second.per_user[metric]).pvalue)
    low, high = interval(differences, level, seed)
    return Paired(float(differences.mean()), low, high, p_value)
