"""Several wrapped models on one network: each has its own tags, signals and nothing of the others'.

Channels are numbered in the order in which models are wrapped, which is the same on all ranks.
"""

import threading
import weakref
from collections import deque
from collections.abc import Collection, Mapping

from torch import Tensor

from gossipgrad.transports.protocol import Pending, Transport

TAGS = 1024
_CHANNELS = 31  # 31 * 1024 tags fit below MPI's guaranteed 32767


class _Trunk:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.opened = 0
        self.inboxes: dict[int, deque[tuple[int, bytes]]] = {}


_trunks: "weakref.WeakKeyDictionary[Transport, _Trunk]" = weakref.WeakKeyDictionary()


class Channel:
    """A transport within a transport.

    Args:
        transport: the network that is shared.

    Attributes:
        lock: held by whoever touches the network; the same for all its channels.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._trunk = _trunks.setdefault(transport, _Trunk())
        self.lock = self._trunk.lock
        with self.lock:
            self._number = self._trunk.opened % _CHANNELS
            self._trunk.opened += 1
            self._trunk.inboxes.setdefault(self._number, deque())
        self.name = transport.name
        self.rank = transport.rank
        self.size = transport.size
        self.driver = transport.driver
        self.sends_device_memory = transport.sends_device_memory
        self.abandons = transport.abandons
        self.joins = transport.joins
        self._lives = dict(transport.starts())

    def send(self, buffer: Tensor, peer: int, tag: int) -> Pending:
        """Starts to send under this channel's tags."""
        return self._transport.send(buffer, peer, self._number * TAGS + tag)

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> Pending:
        """Starts to receive under this channel's tags."""
        return self._transport.receive(buffer, peer, self._number * TAGS + tag)

    def signal(self, peer: int, payload: bytes) -> None:
        """Sends a datagram to the peer's end of this channel."""
        self._transport.signal(peer, bytes([self._number]) + payload)

    def signals(self) -> list[tuple[int, bytes]]:
        """Returns this channel's datagrams, and puts those of others into their inboxes."""
        for sender, payload in self._transport.signals():
            # A peer may be ahead and already use a channel that this rank has yet to open.
            self._trunk.inboxes.setdefault(payload[0], deque()).append((sender, payload[1:]))
        inbox = self._trunk.inboxes[self._number]
        arrived = list(inbox)
        inbox.clear()
        return arrived

    def lost(self) -> Collection[int]:
        """Returns the ranks that the network knows to be dead, or to have died and come again.

        The latter once, so that a death is not overlooked which a new start followed at once.
        """
        lives = self._transport.starts()
        if lives == self._lives:
            return self._transport.lost()
        again = {peer for peer, life in lives.items() if life != self._lives.get(peer)}
        self._lives = dict(lives)
        return again.union(self._transport.lost())

    def starts(self) -> Mapping[int, int]:
        """Returns how often each peer has been started, where that was more than once."""
        return self._transport.starts()

    def close(self) -> None:
        """Leaves the shared network open."""
