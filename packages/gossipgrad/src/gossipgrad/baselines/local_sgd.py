"""Local SGD: ranks train apart and average their weights every few steps."""

from torch import nn
from torch.optim import Optimizer

from gossipgrad.baselines.replica import MpiReplica
from gossipgrad.errors import ConfigurationError
from gossipgrad.optimizer_steps import watch_steps


class LocalSgd(MpiReplica):
    """The mean of all ranks' weights after every `every`-th step of the optimiser.

    Args:
        model: The model.
        every: Steps between two averages, at least 1.

    Raises:
        ConfigurationError: `every` below 1.
    """

    def __init__(self, model: nn.Module, *, every: int = 8) -> None:
        if every < 1:
            raise ConfigurationError(f"every is {every}; allowed: 1 or more steps")
        super().__init__(model)
        self._every = every
        self._step = 0
        watch_steps(self.weights, self._after_step)

    def _after_step(self, optimizer: Optimizer) -> None:
        del optimizer
        self._step += 1
        if self._step % self._every == 0:
            self.consensus()
