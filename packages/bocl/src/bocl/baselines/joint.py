"""Joint training on all tasks at once: not continual, the field's upper bound for one network."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl.baselines.plain import PlainBatch, PlainData
from bocl.baselines.shared import SharedNetwork
from bocl.parameters import Parameters
from bocl.training import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.streams.samples import Samples


class Joint(SharedNetwork):
    """Trains one network on the samples of all tasks so far, which it keeps.

    The training, with the schedule's epochs over all samples, runs when predictions are asked for,
    so that a stream evaluated once at its end costs one training.
    """

    name = "joint"

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._kept: list[Samples] = []
        self._stale = False

    def predict(self, inputs: Tensor, task: int) -> NDArray[np.int64]:
        """Returns labels (batch,) within a task, after training on samples not yet seen."""
        self.fit_now()
        return super().predict(inputs, task)

    def predict_class(self, inputs: Tensor) -> NDArray[np.int64]:
        """Returns classes (batch,) over all tasks, after training on samples not yet seen."""
        self.fit_now()
        return super().predict_class(inputs)

    def fit_now(self) -> None:
        """Trains afresh on all samples kept, if any came since the last training."""
        if not self._stale:
            return
        started = time.process_time()
        self.weights = {}
        self._make_room(len(self._kept) - 1)
        parameters = Parameters(self.weights)
        spans = [self.span(task) for task in range(len(self._kept))]
        data = _Union(
            [PlainData(self.trunk, samples, flips=self.flips) for samples in self._kept],
            [span.start for span in spans],
        )
        # a task's samples compete among the task's own classes, or, with a growing head, among all
        closed = torch.zeros(len(spans), len(self.weights["head.bias"]))
        if self.heads != "growing":
            closed.fill_(-torch.inf)
            for task, span in enumerate(spans):
                closed[task, span] = 0.0

        def loss(leaves: Mapping[str, Tensor], batch: _UnionBatch, _: torch.Generator) -> Tensor:
            logits = self.network.logits(leaves, batch.entry) + closed[batch.tasks]
            return functional.cross_entropy(logits, batch.targets)

        train(parameters, data, loss, self.schedule, (self.seed, self.name, len(spans)))
        self.weights = parameters.copies()
        self._stale = False
        self.cpu_s += time.process_time() - started

    def _learn(self, samples: Samples, task: int) -> None:  # noqa: ARG002
        self._kept.append(samples)
        self._stale = True


@dataclass(frozen=True)
class _UnionBatch(PlainBatch):
    """Samples of several tasks; `tasks` (batch,) says whose each is."""

    tasks: Tensor | None = None


class _Union:
    """The samples of all tasks as one data set, none copied; labels by their place in the head."""

    def __init__(self, parts: Sequence[PlainData], firsts: Sequence[int]) -> None:
        self._parts = parts
        self._firsts = firsts
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def batch(self, rows: Tensor, coin: torch.Generator | None = None) -> _UnionBatch:
        """Returns some rows, sorted by task."""
        rows = rows.sort().values
        tasks = torch.searchsorted(self._ends, rows, right=True)
        entries, targets = [], []
        for task in sorted(set(tasks.tolist())):
            start = int(self._ends[task - 1]) if task else 0
            part = self._parts[task].batch(rows[tasks == task] - start, coin)
            entries.append(part.entry)
            targets.append(part.targets + self._firsts[task])
        return _UnionBatch(torch.cat(entries), torch.cat(targets), tasks=tasks)
