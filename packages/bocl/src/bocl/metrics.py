"""The field's measures of an accuracy matrix R, R[i, j] after task i on task j."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Metrics:
    """Measures after the last task.

    Attributes:
        accuracy: ACC, mean of the last row.
        backward: BWT, mean of R[T-1, j] - R[j, j] over j < T-1; 0 for one task.
        forward: FWT, mean of R[j-1, j] - chance over j > 0; NaN where it is undefined.
        forgetting: mean of max_i R[i, j] - R[T-1, j] over j < T-1; 0 for one task.
    """

    accuracy: float
    backward: float
    forward: float
    forgetting: float


def measure(matrix: NDArray[np.float64], classes: list[int] | None = None) -> Metrics:
    """Returns the measures of a matrix (tasks, tasks); entries above the diagonal may be NaN.

    Args:
        matrix: R.
        classes: per task, for chance level; without it FWT is NaN.
    """
    tasks = len(matrix)
    last, learned = matrix[-1], np.diag(matrix)
    if tasks == 1:
        return Metrics(float(last[0]), 0.0, math.nan, 0.0)
    best = np.array([matrix[j:, j].max() for j in range(tasks - 1)])
    forward = math.nan
    if classes is not None:
        ahead = np.array([matrix[j - 1, j] - 1 / classes[j] for j in range(1, tasks)])
        forward = float(ahead.mean())
    return Metrics(
        accuracy=float(last.mean()),
        backward=float((last - learned)[:-1].mean()),
        forward=forward,
        forgetting=float((best - last[:-1]).mean()),
    )
