"""What gossip asks of a network; MPI, torch.distributed, plain TCP and a simulator fulfil it.

Two kinds of traffic: buffers, which are large, posted ahead and matched by (peer, tag); and
signals, short datagrams that arrive unasked and carry news of faults.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from torch import Tensor

SIGNAL_BYTES = 512  # of which a channel takes one


class Pending(Protocol):
    """A send or receive under way."""

    def done(self) -> bool:
        """Says whether it has completed; drives the network if need be.

        Raises:
            PeerLostError: it never will, because the peer is dead.
        """
        ...

    def cancel(self) -> None:
        """Gives it up; the transport keeps the buffer alive for as long as it is in use.

        What is still to be sent may be changed by then. A receive's buffer may be used again
        unless `Transport.abandons` says otherwise.
        """
        ...


class Transport(Protocol):
    """One rank's access to the others. Buffers are one-dimensional uint8 tensors."""

    @property
    def name(self) -> str:
        """What it is, for people: "mpi", "gloo", "nccl", "tcp", "simulated"."""
        ...

    @property
    def rank(self) -> int:
        """This rank, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of ranks at the start, dead ones included."""
        ...

    @property
    def driver(self) -> str:
        """Who must call `done` for transfers to advance: "thread", "hooks" or "none"."""
        ...

    @property
    def sends_device_memory(self) -> bool:
        """Whether buffers may lie in GPU memory."""
        ...

    @property
    def abandons(self) -> bool:
        """Whether a cancelled receive may still write to its buffer, which must then be renewed."""
        ...

    @property
    def joins(self) -> bool:
        """Whether this process was started in place of one that died, into a job that runs on."""
        ...

    def send(self, buffer: Tensor, peer: int, tag: int) -> Pending:
        """Starts to send; the buffer must stay unchanged until done."""
        ...

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> Pending:
        """Starts to receive from `peer`, or from whoever sends first."""
        ...

    def signal(self, peer: int, payload: bytes) -> None:
        """Sends at most `SIGNAL_BYTES` without waiting; to a dead peer it does nothing."""
        ...

    def signals(self) -> list[tuple[int, bytes]]:
        """Returns the signals that have arrived since the last call, as (sender, payload)."""
        ...

    def lost(self) -> Collection[int]:
        """Returns every rank that the network itself knows to be dead."""
        ...

    def starts(self) -> Mapping[int, int]:
        """Returns how often each peer has been started, where that was more than once."""
        ...

    def close(self) -> None:
        """Ends orderly; the living have to call it together."""
        ...
