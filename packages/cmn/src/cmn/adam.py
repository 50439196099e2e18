"""Adam: the optimiser, with a rate of its own for each weight.

torch.optim imports torch's compiler when the first optimiser is made, which takes seconds: as long
as a whole training on a small set.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Moves weights by bias-corrected running means of gradient and squared gradient.

    Args:
        rates: pairs of a weight and its step size.
    """

    def __init__(self, rates: Iterable[tuple[Tensor, float]]) -> None:
        self._rates = list(rates)
        self._means = [torch.zeros_like(weight) for weight, _ in self._rates]
        self._squares = [torch.zeros_like(weight) for weight, _ in self._rates]
        self._steps = [0] * len(self._rates)

    @torch.no_grad()
    def minimise(self, loss: Tensor) -> None:
        """Takes one step against the gradient of a loss; weights it does not reach stay."""
        for weight, _ in self._rates:
            weight.grad = None
        torch.autograd.backward(loss)
        for k, (weight, rate) in enumerate(self._rates):
            gradient = weight.grad
            if gradient is None:
                continue
            self._steps[k] += 1
            mean = self._means[k].lerp_(gradient, 1 - MEAN_DECAY)
            square = self._squares[k].lerp_(gradient.square(), 1 - SQUARE_DECAY)
            step = rate / (1 - MEAN_DECAY ** self._steps[k])
            scale = math.sqrt(1 - SQUARE_DECAY ** self._steps[k])
            weight.addcdiv_(mean, square.sqrt().div_(scale).add_(EPSILON), value=-step)
