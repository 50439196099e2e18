"""Adam: the optimiser of Kingma and Ba (2015), for what trains here.

Not torch.optim.Adam, whose construction alone imports torch's compiler: four CPU seconds, more than
pre-training takes on a small set. The updates are the same, which a test holds it to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

DECAY = 0.9
SQUARE_DECAY = 0.999
EPSILON = 1e-8


@dataclass
class _Moments:
    """Running means of one parameter's gradient and of its square, over `steps` steps."""

    mean: Tensor
    square: Tensor
    steps: int = 0


class Adam:
    """Steps along the mean gradient, each coordinate scaled by its usual size.

    Args:
        groups: parameters, each group with its step size.
    """

    def __init__(self, groups: Iterable[tuple[Iterable[Tensor], float]]) -> None:
        self._rates = [(parameter, rate) for group, rate in groups for parameter in group]
        self._moments = [
            _Moments(torch.zeros_like(parameter), torch.zeros_like(parameter))
            for parameter, _ in self._rates
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient, and takes the gradients away."""
        for (parameter, rate), moments in zip(self._rates, self._moments, strict=True):
            gradient = parameter.grad
            if gradient is None:
                continue
            moments.steps += 1
            moments.mean.lerp_(gradient, 1 - DECAY)
            moments.square.mul_(SQUARE_DECAY).addcmul_(gradient, gradient, value=1 - SQUARE_DECAY)
            size = moments.square.sqrt().div_(math.sqrt(1 - SQUARE_DECAY**moments.steps))
            unbiased = rate / (1 - DECAY**moments.steps)
            parameter.addcdiv_(moments.mean, size.add_(EPSILON), value=-unbiased)
            parameter.grad = None
