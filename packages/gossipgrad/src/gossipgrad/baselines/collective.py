"""The few MPI calls that baselines need, on torch tensors in host memory.

Waiting naps between polls: a rank that spins takes the core from one that computes wherever there
are more ranks than cores, and a comparison with spinning baselines would flatter gossip.
"""

import time
from typing import Any

import torch
from torch import Tensor

from gossipgrad.errors import ConfigurationError
from gossipgrad.transports.mpi import import_mpi

_NAP_S = 2e-4


class Collective:
    """MPI_COMM_WORLD for baselines.

    Raises:
        MissingDependencyError: There is no MPI.
    """

    def __init__(self) -> None:
        self._mpi = import_mpi()
        self._world = self._mpi.COMM_WORLD.Dup()
        self.rank: int = self._world.rank
        self.size: int = self._world.size

    def sum_begin(self, tensor: Tensor) -> Any:
        """Begins to replace `tensor` by its sum over all ranks; returns MPI's request."""
        return self._world.Iallreduce(self._mpi.IN_PLACE, _array(tensor), op=self._mpi.SUM)

    def mean_(self, tensor: Tensor) -> None:
        """Replaces `tensor` by its mean over all ranks."""
        wait([self.sum_begin(tensor)])
        tensor.div_(self.size)

    def broadcast_(self, tensor: Tensor) -> None:
        """Replaces `tensor` by rank 0's."""
        raw = tensor.detach().contiguous()
        wait([self._world.Ibcast([_bytes(raw), self._mpi.BYTE], root=0)])
        tensor.copy_(raw)

    def exchange(self, sent: Tensor, received: Tensor, destination: int, source: int) -> None:
        """Sends one tensor while receiving another."""
        receiving = self._world.Irecv(_array(received), source=source)
        wait([self._world.Isend(_array(sent), dest=destination), receiving])


def wait(requests: list[Any]) -> None:
    """Polls until all requests are complete."""
    if requests:
        kind = type(requests[0])
        while not kind.Testall(requests):
            time.sleep(_NAP_S)


def _array(tensor: Tensor) -> Any:
    if tensor.device.type != "cpu":
        raise ConfigurationError(
            f"a parameter lies on {tensor.device}; MPI baselines take models in host memory only"
        )
    return tensor.detach().numpy()


def _bytes(tensor: Tensor) -> Any:
    return _array(tensor.reshape(-1).view(torch.uint8))
