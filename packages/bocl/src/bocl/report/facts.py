"""What a page shows of a run, gathered from a learner and its accuracy matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bocl.candidate import Candidate
from bocl.complexity import base_cost, growth_cost
from bocl.growth import Growth
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
        costs: by task, each growth of its landscape's cost as a share of the base; empty without a
            search.
    """

    title: str
    records: list[TaskRecord]
    matrix: NDArray[np.float64]
    metrics: Metrics
    base: int
    alpha: float
    levels: list[str]
    costs: list[dict[Growth, float]]

    @property
    def parameters(self) -> int:
        """Stored numbers of all tasks."""
        return sum(record.parameters for record in self.records)


def facts_of(learner: BOCL, matrix: NDArray[np.float64], title: str) -> RunFacts:
    """Returns what is worth showing of a learner and its accuracy matrix (tasks, tasks).

    Raises:
        NotFittedError: the learner has learned nothing.
    """
    network = learner.fitted_network()
    trunk, settings = network.trunk, learner.settings
    costs: list[dict[Growth, float]] = []
    for task, record in enumerate(learner.records):
        if not record.landscape:
            costs.append({})
            continue
        block = network.blocks[task]
        units = [network.widths(level)[:task] for level in range(1, len(trunk.levels) + 1)]
        inputs = trunk.input_units if block.inputs is None else len(block.inputs)
        largest = Growth(settings.largest or trunk.base)
        candidate = Candidate(
            trunk,
            largest,
            classes=record.classes,
            inputs=inputs,
            old_units=units,
            gate_kind=settings.gates,
        )
        unit = base_cost(trunk, trunk.base, record.classes, settings.cost)
        costs.append(
            {
                growth: growth_cost(candidate, growth, settings.cost) / unit
                for growth in record.landscape
            }
        )
    classes = [record.classes for record in learner.records]
    return RunFacts(
        title=title,
        records=learner.records,
        matrix=matrix,
        metrics=measure(matrix, classes),
        base=round(base_cost(trunk, trunk.base, classes[0], "parameters")),
        alpha=settings.alpha,
        levels=[
            f"level {number} ({type(level).__name__.lower()})"
            for number, level in enumerate(trunk.levels, start=1)
        ],
        costs=costs,
    )
