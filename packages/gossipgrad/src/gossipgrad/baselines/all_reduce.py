"""All-reduce of gradients by MPI: all at once, or per layer as the paper's AGD does."""

from typing import Any

from torch import Tensor, nn

from gossipgrad.baselines.collective import wait
from gossipgrad.baselines.replica import GradientReplica


class AllReduce(GradientReplica):
    """One all-reduce of all gradients after the backward pass."""

    def backward_done(self) -> None:
        """Replaces all gradients by their means."""
        flat = self.flat_gradients()
        self.collective.mean_(flat)
        self.set_gradients(flat)


class PerLayerAllReduce(GradientReplica):
    """One non-blocking all-reduce per gradient, begun as soon as it is ready (AGD).

    Every later hook polls those under way, since most MPIs advance only when called.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._under_way: list[tuple[Any, Tensor, Tensor]] = []

    def gradient_ready(self, weight: Tensor) -> None:
        """Begins to sum one gradient."""
        for request, _, _ in self._under_way:
            request.Test()
        assert weight.grad is not None  # noqa: S101 - the hook runs after it was accumulated
        whole = weight.grad.detach().contiguous()
        self._under_way.append((self.collective.sum_begin(whole), weight, whole))

    def backward_done(self) -> None:
        """Waits for all sums and divides them."""
        wait([request for request, _, _ in self._under_way])
        for _, weight, whole in self._under_way:
            assert weight.grad is not None  # noqa: S101 - it began with one
            weight.grad.copy_(whole.div_(self.collective.size))
        self._under_way.clear()
