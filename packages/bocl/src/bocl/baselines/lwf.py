"""Learning without forgetting (Li & Hoiem, ECCV 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl.baselines.plain import PlainData
from bocl.baselines.shared import SharedNetwork
from bocl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.baselines.plain import PlainBatch
    from bocl.streams.samples import Samples
    from bocl.training import Data


class LwF(SharedNetwork):
    """Keeps old classes' outputs on the new task's samples close to what they were.

    With `heads="own"` the new task's cross-entropy is joined by the distillation of every old head,
    as in the paper. With `heads="growing"` (class-incremental), after N tasks the two are weighted
    1/N and 1 - 1/N (van de Ven, Tuytelaars & Tolias, Nature Machine Intelligence 2022).

    Args:
        temperature: of the distillation.
    """

    name = "LwF"

    def __init__(self, *args: Any, temperature: float = 2.0, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if temperature <= 0:
            raise SettingsError(f"temperature is {temperature}; it must be above 0")
        if self.heads == "one":
            raise SettingsError("heads is 'one'; LwF allows own, growing")
        self.temperature = temperature

    def _data(self, samples: Samples) -> Data[PlainBatch]:
        if len(self.classes) == 1:
            return super()._data(samples)
        before = {name: weight.clone() for name, weight in self.weights.items()}
        old = self.span(len(self.classes) - 1).start

        def teacher(entry: Tensor) -> Tensor:
            return self.network.logits(before, entry)[:, :old]

        return PlainData(self.trunk, samples, flips=self.flips, teacher=teacher)

    def _loss(
        self,
        leaves: Mapping[str, Tensor],  # noqa: ARG002
        logits: Tensor,
        batch: PlainBatch,
        span: slice,
    ) -> Tensor:
        loss = self._task_loss(logits, batch, span)
        if batch.teacher is None:
            return loss
        tasks = len(self.classes)
        if self.heads == "growing":
            kept = self._distillation(logits[:, : span.start], batch.teacher)
            return loss / tasks + kept * (1 - 1 / tasks)
        for earlier in range(tasks - 1):
            place = self.span(earlier)
            loss = loss + self._distillation(logits[:, place], batch.teacher[:, place])
        return loss

    def _distillation(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Returns T^2 times the mean cross-entropy of softened outputs (Hinton et al. 2015)."""
        target = torch.softmax(teacher / self.temperature, 1)
        return functional.cross_entropy(logits / self.temperature, target) * self.temperature**2
