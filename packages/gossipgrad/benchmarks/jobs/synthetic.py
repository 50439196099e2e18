"""A model of a given size whose forward and backward pass take a given time.

Computing is slept, as where an accelerator computes while the processor is free: on a machine with
fewer cores than ranks, real arithmetic would measure the cores and not the network.
"""

import time
from typing import Any

import torch
from torch import Tensor, nn

LAYERS = 10


class _Takes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, forward_s: float, backward_s: float) -> Tensor:
        ctx.backward_s = backward_s
        time.sleep(forward_s)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        time.sleep(ctx.backward_s)
        return gradients[0], None, None


class Layer(nn.Module):
    """A linear layer that takes a third of its time forward and the rest backward."""

    def __init__(self, width: int, takes_s: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(width))
        self._takes_s = takes_s

    def forward(self, values: Tensor) -> Tensor:
        """Returns (batch, width)."""
        shaped = values @ self.weight
        return _Takes.apply(shaped, self._takes_s / 3, self._takes_s * 2 / 3)


def synthetic(megabytes: float, takes_s: float) -> tuple[nn.Sequential, Tensor]:
    """Returns a model of float32 weights, and an input for it."""
    width = round((megabytes * 1e6 / 4 / LAYERS) ** 0.5)
    layers = [Layer(width, takes_s / LAYERS) for _ in range(LAYERS)]
    return nn.Sequential(*layers), torch.full((1, width), 0.01)
