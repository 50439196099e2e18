"""Trainable weights as views on one vector, and Adam on that vector.

One vector makes an optimiser step one operation, however many weights there are: the kernel that
`torch.optim.Adam(fused=True)` calls. torch.optim itself would also import torch's compiler when its
first optimiser is made, which takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Parameters:
    """Named leaves that share one vector, as their gradients do.

    Attributes:
        vector: (total,), what the leaves look at.
        gradient: (total,), where backward adds.
        leaves: name to leaf.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        sizes = [value.numel() for value in values.values()]
        self.vector = torch.cat([value.detach().reshape(-1) for value in values.values()])
        self.gradient = torch.zeros_like(self.vector)
        self.leaves: dict[str, Tensor] = {}
        parts = zip(
            values.items(),
            torch.split(self.vector, sizes),
            torch.split(self.gradient, sizes),
            strict=True,
        )
        for (name, value), part, gradient in parts:
            leaf = part.view(value.shape).requires_grad_()
            leaf.grad = gradient.view(value.shape)
            self.leaves[name] = leaf

    def copies(self) -> dict[str, Tensor]:
        """Returns the weights as contiguous tensors of their own."""
        return {name: leaf.detach().clone() for name, leaf in self.leaves.items()}

    def mask(self, zeros: Mapping[str, Tensor]) -> Tensor:
        """Returns (total,) of 1, with 0 where a name's boolean tensor says so."""
        parts = [
            (~zeros[name] if name in zeros else torch.ones_like(leaf, dtype=torch.bool)).reshape(-1)
            for name, leaf in self.leaves.items()
        ]
        return torch.cat(parts).to(self.vector.dtype)


class Adam:
    """Moves a vector by bias-corrected running means of gradient and squared gradient.

    Args:
        parameters: what to train.
        decay: L2 penalty's gradient, `decay * weight`, is added (RCL: 1e-4).
    """

    def __init__(self, parameters: Parameters, decay: float = 0.0) -> None:
        self._parameters = parameters
        self._decay = decay
        self.mean = torch.zeros_like(parameters.vector)
        self.square = torch.zeros_like(parameters.vector)
        self.steps = 0

    @torch.no_grad()
    def minimise(self, loss: Tensor, rate: float, mask: Tensor | None = None) -> None:
        """Takes one step of a size against the gradient of a loss.

        Args:
            loss: a scalar with a graph.
            rate: step size.
            mask: (total,) of 0 and 1; masked weights keep their value.
        """
        gradient = self._parameters.gradient
        gradient.zero_()
        torch.autograd.backward(loss)
        if mask is not None:
            gradient.add_(self._parameters.vector, alpha=self._decay).mul_(mask)
        self.steps += 1
        torch._fused_adam_(
            [self._parameters.vector],
            [gradient],
            [self.mean],
            [self.square],
            [],
            [torch.tensor(float(self.steps))],
            lr=rate,
            beta1=MEAN_DECAY,
            beta2=SQUARE_DECAY,
            weight_decay=0.0 if mask is not None else self._decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
