"""Methods side by side on one stream: accuracy, forgetting, size and CPU seconds of each.

stream, methods, seeds -> outcomes (a JSON line each, so that a cut run goes on) -> table
"""

from __future__ import annotations

import json
import math
import os
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bocl.errors import CheckpointError
from bocl.metrics import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.streams.samples import Samples, Task


class Method(Protocol):
    """What is compared: every baseline, and a learner through `Grown`."""

    def fit_task(self, train: Samples) -> object:
        """Learns the next task."""
        ...

    def predict(self, inputs: Tensor, task: int) -> NDArray[np.int64]:
        """Returns labels (batch,) within a task."""
        ...

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        ...

    @property
    def cpu_s(self) -> float:
        """CPU seconds of learning."""
        ...


@dataclass(frozen=True)
class Outcome:
    """One method on one stream with one seed.

    Attributes:
        matrix: R in [0, 1] as nested lists; None where it was not measured.
        parameters: stored numbers at the end; `base`, those of one plain network.
        cpu_s: CPU seconds of all learning.
        facts: what else a table shows.
    """

    stream: str
    method: str
    seed: int
    matrix: list[list[float | None]]
    parameters: int
    base: int
    cpu_s: float
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int]:
        """Tells outcomes apart."""
        return (self.stream, self.method, self.seed)

    @property
    def accuracy(self) -> float:
        """ACC in [0, 1]."""
        return float(np.mean([value for value in self.matrix[-1] if value is not None]))

    @property
    def backward(self) -> float:
        """BWT; NaN where the diagonal was not measured."""
        matrix = np.array(self.matrix, dtype=np.float64)  # None becomes NaN
        return math.nan if np.isnan(np.diag(matrix)).any() else measure(matrix).backward


class Outcomes:
    """Outcomes in a file of JSON lines, appended one by one and synced.

    Args:
        path: of the file; it need not exist. None keeps them in memory.

    Raises:
        CheckpointError: a line is not an outcome.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[tuple[str, str, int], Outcome] = {}
        if path is None or not path.is_file():
            return
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                outcome = Outcome(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise CheckpointError(
                    f"line {number} of {str(path)!r} is not an outcome: {error}"
                ) from error
            self._found[outcome.key] = outcome

    def find(self, stream: str, method: str, seed: int) -> Outcome | None:
        """Returns what was measured before."""
        return self._found.get((stream, method, seed))

    def of(self, stream: str, method: str) -> list[Outcome]:
        """Returns the outcomes of all seeds."""
        return [o for o in self._found.values() if (o.stream, o.method) == (stream, method)]

    def add(self, outcome: Outcome) -> None:
        """Keeps an outcome."""
        self._found[outcome.key] = outcome
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def learn_tasks(
    method: Method,
    tasks: Sequence[Task],
    *,
    every_row: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Returns R (tasks, tasks), NaN where not measured, after fitting task after task.

    Args:
        method: a new one.
        tasks: a stream, or a list of its tasks, which then are made once.
        report: is told, in a line, what was learned.
        every_row: measure all tasks learned after every task; otherwise the last row alone.
    """
    count = len(tasks)
    matrix = np.full((count, count), np.nan)
    for index in range(count):
        task = tasks[index]
        method.fit_task(task.train)
        if not every_row and index < count - 1:
            report(f"{index + 1}/{count} {task.name}")
            continue
        for seen in range(index + 1):
            test = tasks[seen].test
            right = method.predict(test.inputs, seen) == test.targets.numpy()
            matrix[index, seen] = right.mean()
        report(f"{index + 1}/{count} {task.name}: {100 * matrix[index, index]:.2f} %")
    return matrix


def plain_matrix(matrix: NDArray[np.float64]) -> list[list[float | None]]:
    """Returns R as JSON takes it, with None for NaN."""
    return [[None if math.isnan(value) else value for value in row] for row in matrix.tolist()]


def markdown(rows: Sequence[Sequence[Outcome]]) -> str:
    """Returns a table with a row per method; each row's outcomes are its seeds.

    Args:
        rows: one sequence of outcomes per method, all of one stream.
    """
    lines = [
        "| method | ACC % | BWT | parameters | of base | CPU s | seeds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for outcomes in rows:
        accuracy = spread([100 * outcome.accuracy for outcome in outcomes])
        backward = spread([100 * outcome.backward for outcome in outcomes])
        parameters = statistics.fmean(outcome.parameters for outcome in outcomes)
        ratio = statistics.fmean(outcome.parameters / outcome.base for outcome in outcomes)
        seconds = statistics.fmean(outcome.cpu_s for outcome in outcomes)
        lines.append(
            f"| {outcomes[0].method} | {accuracy} | {backward} | {parameters:,.0f} | {ratio:.2f}x "
            f"| {seconds:.0f} | {len(outcomes)} |"
        )
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """Returns `mean ± deviation` over seeds, or the value of a single one; a dash for NaN."""
    mean = statistics.fmean(values)
    if math.isnan(mean):
        return "-"
    told = f"{round(mean, 2) + 0.0:.2f}"  # not -0.00
    return told if len(values) == 1 else f"{told} ± {statistics.stdev(values):.2f}"
