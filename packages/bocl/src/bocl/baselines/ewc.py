"""Elastic weight consolidation (Kirkpatrick et al., PNAS 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from bocl import seeds
from bocl.baselines.shared import SharedNetwork
from bocl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.baselines.plain import PlainBatch
    from bocl.streams.samples import Samples


class EWC(SharedNetwork):
    """Holds weights that mattered to earlier tasks near their values.

    The penalty is `strength / 2 * sum over tasks i of F_i (theta - theta_i)^2` with F_i the
    diagonal of task i's Fisher information. The sum over tasks is one quadratic, so only two
    vectors are kept, however many tasks there were: sum F_i and sum F_i theta_i.

    Args:
        strength: lambda.
        fisher_samples: of each task, from which F is estimated.
    """

    name = "EWC"

    def __init__(
        self, *args: Any, strength: float = 1000.0, fisher_samples: int = 1000, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        if strength < 0:
            raise SettingsError(f"strength is {strength}; it must be 0 or more")
        if fisher_samples < 1:
            raise SettingsError(f"fisher_samples is {fisher_samples}; it must be 1 or more")
        self.strength = strength
        self.fisher_samples = fisher_samples
        self._fisher: dict[str, Tensor] = {}
        self._pull: dict[str, Tensor] = {}  # sum of F_i theta_i

    @property
    def parameters(self) -> int:
        """The weights, and the two sums that the penalty needs."""
        kept = sum(fisher.numel() for fisher in self._fisher.values())
        return super().parameters + 2 * kept

    def _loss(
        self, leaves: Mapping[str, Tensor], logits: Tensor, batch: PlainBatch, span: slice
    ) -> Tensor:
        loss = self._task_loss(logits, batch, span)
        for name, fisher in self._fisher.items():
            weight = leaves[name][: len(fisher)]
            loss = (
                loss + self.strength * (weight * (0.5 * fisher * weight - self._pull[name])).sum()
            )
        return loss

    def _learned(self, samples: Samples, span: slice) -> None:
        generator = seeds.generator(self.seed, self.name, "fisher", len(self.classes))
        rows = torch.randperm(len(samples), generator=generator)[: self.fisher_samples]
        fisher = self.fisher(samples[rows].inputs, span, generator)
        for name, weight in self.weights.items():
            total, pull = fisher[name], fisher[name] * weight
            if name in self._fisher:
                total[: len(self._fisher[name])] += self._fisher[name]
                pull[: len(self._pull[name])] += self._pull[name]
            self._fisher[name], self._pull[name] = total, pull

    def fisher(self, inputs: Tensor, span: slice, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the Fisher diagonal: mean squared gradients of log p(y|x), y drawn from p(.|x).

        Args:
            inputs: (n, *input_shape).
            span: the task's place in the head.
            generator: draws the labels.
        """
        leaves = {name: weight.clone().requires_grad_() for name, weight in self.weights.items()}
        sums = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        for entry in self.trunk.enter(inputs):
            # one by one: torch.func.vmap would import torch's compiler, which takes seconds
            log_p = torch.log_softmax(self.network.logits(leaves, entry[None])[0, span], 0)
            label = torch.multinomial(log_p.detach().exp(), 1, generator=generator)[0]
            gradients = torch.autograd.grad(log_p[label], list(leaves.values()))
            for name, gradient in zip(leaves, gradients, strict=True):
                sums[name].addcmul_(gradient, gradient)
        return {name: total / len(inputs) for name, total in sums.items()}
