"""Trainable weights as views on one vector, and Adam on that vector.

One vector makes weights one thing to keep and to take up again. A step is one call, however many
weights there are, of the kernel that `torch.optim.Adam(fused=True)` calls; torch.optim itself would
also import torch's compiler when its first optimiser is made, which takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Parameters:
    """Named leaves that share one vector.

    Attributes:
        vector: (total,), what the leaves look at.
        leaves: name to leaf.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self.vector = torch.cat([value.detach().reshape(-1) for value in values.values()])
        self._shapes = [value.shape for value in values.values()]
        leaves = [part.requires_grad_() for part in self.parts(self.vector)]
        self.leaves: dict[str, Tensor] = dict(zip(values, leaves, strict=True))

    def parts(self, vector: Tensor) -> list[Tensor]:
        """Returns views on a vector (total,) in the shapes of the leaves."""
        split = torch.split(vector, [shape.numel() for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(split, self._shapes, strict=True)]

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
        self._state = [
            parameters.parts(vector) for vector in (parameters.vector, self.mean, self.square)
        ]

    def minimise(self, loss: Tensor, rate: float, mask: Tensor | None = None) -> None:
        """Takes one step of a size against the gradient of a loss.

        Args:
            loss: a scalar with a graph.
            rate: step size.
            mask: (total,) of 0 and 1; masked weights keep their value.
        """
        # taken as autograd makes them: adding them to a vector of zeros would be two passes more
        leaves = list(self._parameters.leaves.values())
        gradients = torch.autograd.grad(loss, leaves, materialize_grads=True)
        weights, means, squares = self._state
        with torch.no_grad():
            if mask is not None:
                kept = self._parameters.parts(mask)
                parts = zip(gradients, weights, kept, strict=True)
                gradients = tuple((g + self._decay * w) * part for g, w, part in parts)
            self.steps += 1
            torch._fused_adam_(
                weights,
                [gradient.contiguous() for gradient in gradients],  # the kernel knows no strides
                means,
                squares,
                [],
                [torch.tensor(float(self.steps))] * len(weights),
                lr=rate,
                beta1=MEAN_DECAY,
                beta2=SQUARE_DECAY,
                weight_decay=0.0 if mask is not None else self._decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
