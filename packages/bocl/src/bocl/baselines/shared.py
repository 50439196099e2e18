"""One network that all tasks share, and fine-tuning it, which forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

from bocl.baselines.plain import CHUNK, Baseline, PlainBatch, PlainData, PlainNetwork
from bocl.errors import NotFittedError, SettingsError
from bocl.parameters import Parameters
from bocl.training import Data, train

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.streams.samples import Samples
    from bocl.training import Schedule
    from bocl.trunks.architectures import Trunk

Heads = Literal["own", "one", "growing"]
HEADS = ("own", "one", "growing")


class SharedNetwork(Baseline):
    """A trunk all of whose weights go on training.

    Args:
        heads: `own`, a head per task; `one`, the same head for all (tasks with the same labels);
            `growing`, one head over the classes of all tasks, with which `predict_class` tells
            classes apart without a task's name.
    """

    def __init__(
        self,
        trunk: Trunk,
        schedule: Schedule,
        *,
        heads: Heads = "own",
        seed: int = 0,
        flips: bool = False,
    ) -> None:
        super().__init__(trunk, schedule, seed=seed, flips=flips)
        if heads not in HEADS:
            raise SettingsError(f"heads is {heads!r}; allowed are: {', '.join(HEADS)}")
        self.heads = heads
        self.network = PlainNetwork(trunk)
        self.weights: dict[str, Tensor] = {}

    @property
    def parameters(self) -> int:
        """All weights of trunk and heads."""
        return sum(weight.numel() for weight in self.weights.values())

    def span(self, task: int) -> slice:
        """Returns the place of a task's classes in the head."""
        first = 0 if self.heads == "one" else sum(self.classes[:task])
        return slice(first, first + self.classes[task])

    def predict_class(self, inputs: Tensor) -> NDArray[np.int64]:
        """Returns classes (batch,), numbered on from task to task, over all tasks learned.

        Raises:
            NotFittedError: no task is learned yet.
        """
        if not self.classes:
            raise NotFittedError(f"{self.name} has learned no task yet; call fit_task first")
        with torch.no_grad():
            parts = [
                self._all_logits(self.weights, part).argmax(1)
                for part in torch.split(inputs, CHUNK)
            ]
        return torch.cat(parts).numpy()

    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        return self._all_logits(self.weights, inputs)[:, self.span(task)]

    def _all_logits(self, weights: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        return self.network.logits(weights, self.trunk.enter(inputs))

    def _learn(self, samples: Samples, task: int) -> None:
        self._make_room(task)
        parameters = Parameters(self.weights)
        span = self.span(task)

        def loss(leaves: Mapping[str, Tensor], batch: PlainBatch, _: torch.Generator) -> Tensor:
            logits = self.network.logits(leaves, batch.entry)
            return self._loss(leaves, logits, batch, span)

        key = (self.seed, self.name, task)
        train(parameters, self._data(samples), loss, self.schedule, key)
        self.weights = parameters.copies()
        self._learned(samples, span)

    def _make_room(self, task: int) -> None:
        """Gives the head rows for a task's classes; old rows stay."""
        total = max(self.span(earlier).stop for earlier in range(task + 1))
        fresh = self.network.initial(total, self.seed, self.name, "weights", task)
        for name, weight in self.weights.items():
            fresh[name][: len(weight)] = weight
        self.weights = fresh

    def _data(self, samples: Samples) -> Data[PlainBatch]:
        return PlainData(self.trunk, samples, flips=self.flips)

    def _loss(
        self,
        leaves: Mapping[str, Tensor],  # noqa: ARG002  others penalise weights
        logits: Tensor,
        batch: PlainBatch,
        span: slice,
    ) -> Tensor:
        return self._task_loss(logits, batch, span)

    def _task_loss(self, logits: Tensor, batch: PlainBatch, span: slice) -> Tensor:
        if self.heads == "growing":
            return functional.cross_entropy(logits[:, : span.stop], batch.targets + span.start)
        return functional.cross_entropy(logits[:, span], batch.targets)

    def _learned(self, samples: Samples, span: slice) -> None:
        """Takes down what the next task needs to know of this one."""


class FineTune(SharedNetwork):
    """Goes on training on every new task: what forgetting looks like."""

    name = "fine-tune"
