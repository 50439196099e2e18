"""What a page shows of a run, gathered from a learner and its accuracy matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bocl.complexity import base_cost
from bocl.metrics import Metrics, measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bocl.learner import BOCL
    from bocl.records import TaskRecord


@dataclass(frozen=True)
class RunFacts:
    """A finished run.

    Attributes:
        title: of the page.
        records: by task.
        matrix: R (tasks, tasks) in [0, 1]; NaN where it is undefined.
        metrics: of the matrix.
        base: parameters of one plain network of the base widths.
        alpha: accuracy that growth by the base must bring.
        levels: name of each growing layer.
    """

    title: str
    records: list[TaskRecord]
    matrix: NDArray[np.float64]
    metrics: Metrics
    base: int
    alpha: float
    levels: list[str]

    @property
    def parameters(self) -> int:
        """Stored numbers of all tasks."""
        return sum(record.parameters for record in self.records)


def facts_of(learner: BOCL, matrix: NDArray[np.float64], title: str) -> RunFacts:
    """Returns what is worth showing of a learner and its accuracy matrix (tasks, tasks).

    Raises:
        NotFittedError: the learner has learned nothing.
    """
    trunk = learner.fitted_network().trunk
    classes = [record.classes for record in learner.records]
    return RunFacts(
        title=title,
        records=learner.records,
        matrix=matrix,
        metrics=measure(matrix, classes),
        base=round(base_cost(trunk, trunk.base, classes[0], "parameters")),
        alpha=learner.settings.alpha,
        levels=[
            f"level {number} ({type(level).__name__.lower()})"
            for number, level in enumerate(trunk.levels, start=1)
        ],
    )
