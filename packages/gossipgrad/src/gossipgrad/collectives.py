"""What all living ranks do together, rarely: agree at the start, average at the end.

Built on the same point-to-point transport as the gossip, so that it needs no communicator and knows
the dead. Every call is made by all ranks of `ranks` in the same order.
"""

import struct
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from gossipgrad.progress import Nap
from gossipgrad.transports import Transport

_FIRST_TAG = 768  # of a channel's 1024; those below belong to frames
_GENERATIONS = 4
_CALLS = 64


class Collectives:
    """Operations over some ranks of a transport.

    Args:
        transport: the network.
        ranks: the ranks that take part, in an order that is the same on all.
        generation: counted up whenever a set of ranks starts afresh, so that messages of an
            interrupted operation cannot be mistaken for new ones.
        watch: called while waiting; raises to interrupt.

    Attributes:
        exchanges: how many send-receive rounds this rank has taken part in.
    """

    def __init__(
        self,
        transport: Transport,
        ranks: Sequence[int],
        generation: int = 0,
        watch: Callable[[], object] = lambda: None,
    ) -> None:
        self.ranks = list(ranks)
        self.size = len(self.ranks)
        self.index = self.ranks.index(transport.rank)
        self.exchanges = 0
        self._transport = transport
        self._watch = watch
        self._base = _FIRST_TAG + (generation % _GENERATIONS) * _CALLS
        self._calls = 0

    @property
    def rounds(self) -> int:
        """ceil(log2 size): what a dissemination among all takes."""
        return (self.size - 1).bit_length()

    def exchange(self, sent: Tensor, to: int, received: Tensor, source: int) -> None:
        """Sends to index `to` and receives from index `source`, both in bytes, and waits."""
        tag = self._next_tag()
        self._wait(
            self._transport.receive(_as_bytes(received), self.ranks[source], tag),
            self._transport.send(_as_bytes(sent), self.ranks[to], tag),
        )
        self.exchanges += 1

    def largest(self, value: float) -> float:
        """Returns the largest `value` of all."""
        mine, theirs = (
            torch.tensor([value], dtype=torch.float64),
            torch.zeros(1, dtype=torch.float64),
        )
        for position in range(self.rounds):
            reach = 1 << position
            self.exchange(mine, (self.index + reach) % self.size, theirs, self.index - reach)
            mine = torch.maximum(mine, theirs)
        return float(mine[0])

    def broadcast(self, tensor: Tensor) -> None:
        """Copies `tensor` of index 0 over that of all others, along a binomial tree."""
        tag = self._next_tag()
        raw = _as_bytes(tensor)
        for position in range(self.rounds):
            reach = 1 << position
            if self.index < reach and self.index + reach < self.size:
                self._wait(self._transport.send(raw, self.ranks[self.index + reach], tag))
            elif reach <= self.index < 2 * reach:
                self._wait(self._transport.receive(raw, self.ranks[self.index - reach], tag))

    def fold(self, mine: bytes, merge: Callable[[bytes, bytes], bytes]) -> bytes:
        """Returns to index 0 all ranks' bytes merged along a binomial tree; others get a part."""
        tag = self._next_tag()
        for position in range(self.rounds):
            reach = 1 << position
            if self.index & reach:
                self._send_sized(mine, self.index - reach, tag)
                break
            if self.index + reach < self.size:
                mine = merge(mine, self._receive_sized(self.index + reach, tag))
        return mine

    def broadcast_bytes(self, content: bytes) -> bytes:
        """Returns index 0's `content` on all."""
        length = torch.tensor([len(content)], dtype=torch.int64)
        self.broadcast(length)
        raw = np.zeros(int(length[0]) + 1, dtype=np.uint8)
        if self.index == 0:
            raw[:-1] = np.frombuffer(content, dtype=np.uint8)
        tensor = torch.from_numpy(raw)
        self.broadcast(tensor)
        return bytes(raw[:-1])

    def _send_sized(self, content: bytes, to: int, tag: int) -> None:
        for part in (struct.pack("<q", len(content)), content + b"\0"):
            raw = torch.frombuffer(bytearray(part), dtype=torch.uint8)
            self._wait(self._transport.send(raw, self.ranks[to], tag))

    def _receive_sized(self, source: int, tag: int) -> bytes:
        head = torch.zeros(8, dtype=torch.uint8)
        self._wait(self._transport.receive(head, self.ranks[source], tag))
        (length,) = struct.unpack("<q", bytes(head.numpy()))
        body = torch.zeros(length + 1, dtype=torch.uint8)
        self._wait(self._transport.receive(body, self.ranks[source], tag))
        return bytes(body.numpy()[:-1])

    def _next_tag(self) -> int:
        self._calls += 1
        return self._base + self._calls % _CALLS

    def _wait(self, *pendings: object) -> None:
        waiting, nap = list(pendings), Nap()
        try:
            while waiting:
                waiting = [one for one in waiting if not one.done()]  # type: ignore[attr-defined]
                if waiting:
                    self._watch()
                    nap()
        except BaseException:
            for one in waiting:
                one.cancel()  # type: ignore[attr-defined]
            raise


def _as_bytes(tensor: Tensor) -> Tensor:
    return tensor.view(-1).view(torch.uint8)
