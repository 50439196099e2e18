"""A wrapped model with the hooks that baselines share: gradient ready, backward done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable

from gossipgrad.baselines.collective import Collective


class Replica(nn.Module):
    """One rank's copy of a model; subclasses say what it sends when.

    Attributes:
        module: The wrapped model.
        syncing: False inside `no_sync`, where gradients accumulate unsent.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = model
        self.syncing = True

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Calls the wrapped model."""
        return self.module(*inputs, **named)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Lets gradients accumulate without sending them."""
        before, self.syncing = self.syncing, False
        try:
            yield
        finally:
            self.syncing = before

    def consensus(self) -> None:
        """Gives every rank the mean of all ranks' weights and floating-point buffers."""


class MpiReplica(Replica):
    """A replica whose ranks speak MPI and start from rank 0's weights and buffers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.collective = Collective()
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                self.collective.broadcast_(tensor)

    def consensus(self) -> None:
        """Gives every rank the mean of all ranks' weights and floating-point buffers."""
        with torch.no_grad():
            for tensor in (*self.module.parameters(), *self.module.buffers()):
                if tensor.is_floating_point():
                    mean = tensor.detach().contiguous()
                    self.collective.mean_(mean)
                    tensor.copy_(mean)


class GradientReplica(MpiReplica):
    """A replica that acts on gradients: as each becomes ready, and when backward is done."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._awaits_end = False
        for weight in self.weights:
            weight.register_post_accumulate_grad_hook(self._on_gradient)  # type: ignore[no-untyped-call]

    def _on_gradient(self, weight: Tensor) -> None:
        if not self.syncing:
            return
        if not self._awaits_end:
            self._awaits_end = True
            # The engine calls back when the whole graph is done: weights that took no part in the
            # loss get no hook, so counting hooks would never end. DDP uses the same call.
            Variable._execution_engine.queue_callback(self._on_end)  # noqa: SLF001
        self.gradient_ready(weight)

    def _on_end(self) -> None:
        self._awaits_end = False
        with torch.no_grad():
            self.backward_done()

    def gradient_ready(self, weight: Tensor) -> None:
        """Is called for each weight as soon as its gradient is whole."""

    def backward_done(self) -> None:
        """Is called once, when every gradient of this backward pass is whole."""
        raise NotImplementedError

    def flat_gradients(self) -> Tensor:
        """Returns all gradients as one vector; a weight without gradient counts as zeros."""
        return torch.cat(
            [
                (torch.zeros_like(weight) if weight.grad is None else weight.grad).reshape(-1)
                for weight in self.weights
            ]
        )

    def set_gradients(self, flat: Tensor) -> None:
        """Writes one vector over all gradients."""
        sizes = [weight.numel() for weight in self.weights]
        for weight, part in zip(self.weights, torch.split(flat, sizes), strict=True):
            if weight.grad is None:
                weight.grad = torch.empty_like(weight)
            weight.grad.copy_(part.view_as(weight))


class NoCommunication(Replica):
    """Every rank trains on its own."""
