"""A network inside one process: any number of virtual ranks, faults on demand, no clock.

Ranks may be threads, or one loop may play them all in turn; what arrives never depends on which,
since messages match by (source, destination, tag) in order, as in MPI. Any-source receives take
the message that was sent first.
"""

import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from gossipgrad.errors import PeerLostError


@dataclass(eq=False, slots=True)
class _Transfer:
    network: "SimulatedNetwork"
    owner: int
    peer: int | None
    tag: int
    buffer: Tensor
    complete: bool = False
    cancelled: bool = False

    def done(self) -> bool:
        with self.network.lock:
            self.network.match()
            if (
                not self.complete
                and self.peer is not None
                and self.network.sees(self.owner, self.peer)
            ):
                self.cancelled = True
                raise PeerLostError(self.peer)
            return self.complete

    def cancel(self) -> None:
        with self.network.lock:
            self.cancelled = True


@dataclass
class SimulatedNetwork:
    """The wires between `size` virtual ranks.

    Attributes:
        size: number of ranks.
        silent: ranks that neither send nor receive for now, although they are not dead.
        messages: transfers completed, for accounting.
        payload_bytes: bytes moved by them.
    """

    size: int
    silent: set[int] = field(default_factory=set)
    messages: int = 0
    payload_bytes: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._dead: set[int] = set()
        self.lives: dict[int, int] = {}
        self._unnoticed: set[tuple[int, int]] = set()
        self._sends: deque[_Transfer] = deque()
        self._receives: dict[tuple[int, int], deque[_Transfer]] = {}
        self.inboxes: list[deque[tuple[int, bytes]]] = [deque() for _ in range(self.size)]

    def transport(self, rank: int) -> "SimulatedTransport":
        """Returns the end of one rank."""
        return SimulatedTransport(self, rank)

    def kill(self, rank: int, *, unnoticed_by: Collection[int] = ()) -> None:
        """Lets a rank die; those in `unnoticed_by` learn of it only through others."""
        with self.lock:
            self._dead.add(rank)
            self._unnoticed |= {(witness, rank) for witness in unnoticed_by}

    def restart(self, rank: int) -> "SimulatedTransport":
        """Returns the end of a new process in place of a dead rank's."""
        with self.lock:
            self._dead.discard(rank)
            self._unnoticed = {pair for pair in self._unnoticed if pair[1] != rank}
            self.lives[rank] = self.lives.get(rank, 1) + 1
            self._sends = deque(one for one in self._sends if rank not in (one.owner, one.peer))
            self._receives = {key: one for key, one in self._receives.items() if key[0] != rank}
            self.inboxes[rank].clear()
        return SimulatedTransport(self, rank, joins=True)

    def sees(self, witness: int, rank: int) -> bool:
        """Says whether `witness` could know by now that `rank` is dead."""
        return rank in self._dead and (witness, rank) not in self._unnoticed

    def dead(self, witness: int) -> set[int]:
        """Returns the ranks that `witness` sees as dead."""
        return {rank for rank in self._dead if self.sees(witness, rank)}

    def add(self, transfer: _Transfer, *, sending: bool) -> None:
        """Posts a transfer."""
        with self.lock:
            if sending:
                self._sends.append(transfer)
            else:
                self._receives.setdefault((transfer.owner, transfer.tag), deque()).append(transfer)
            self.match()

    def match(self) -> None:
        """Completes every transfer whose two sides are posted."""
        waiting: deque[_Transfer] = deque()
        for send in self._sends:
            if not send.cancelled and not self._deliver(send):
                waiting.append(send)
        self._sends = waiting

    def _deliver(self, send: _Transfer) -> bool:
        assert send.peer is not None  # noqa: S101 - a send names its peer
        out = self.silent | self._dead
        if send.owner in out or send.peer in out:
            return False
        posted = self._receives.get((send.peer, send.tag))
        while posted and posted[0].cancelled:
            posted.popleft()
        for receive in posted or ():
            if not receive.cancelled and receive.peer in (None, send.owner):
                receive.buffer.copy_(send.buffer)
                receive.complete = send.complete = True
                assert posted is not None  # noqa: S101 - it was iterated
                posted.remove(receive)
                self.messages += 1
                self.payload_bytes += send.buffer.numel()
                return True
        return False


class SimulatedTransport:
    """One virtual rank's end of a `SimulatedNetwork`."""

    name = "simulated"
    driver = "none"
    sends_device_memory = False
    abandons = False

    def __init__(self, network: SimulatedNetwork, rank: int, *, joins: bool = False) -> None:
        self.network = network
        self.joins = joins
        self.rank = rank
        self.size = network.size

    def send(self, buffer: Tensor, peer: int, tag: int) -> _Transfer:
        """Posts a send."""
        transfer = _Transfer(self.network, self.rank, peer, tag, buffer)
        self.network.add(transfer, sending=True)
        return transfer

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> _Transfer:
        """Posts a receive."""
        transfer = _Transfer(self.network, self.rank, peer, tag, buffer)
        self.network.add(transfer, sending=False)
        return transfer

    def signal(self, peer: int, payload: bytes) -> None:
        """Puts a datagram into the peer's inbox, unless either is silent or dead."""
        with self.network.lock:
            if not ({self.rank, peer} & (self.network.silent | self.network.dead(self.rank))):
                self.network.inboxes[peer].append((self.rank, payload))

    def signals(self) -> list[tuple[int, bytes]]:
        """Empties the inbox."""
        with self.network.lock:
            if self.rank in self.network.silent:
                return []
            inbox = self.network.inboxes[self.rank]
            arrived = list(inbox)
            inbox.clear()
            return arrived

    def lost(self) -> Collection[int]:
        """Returns the ranks that this one sees as dead."""
        with self.network.lock:
            return self.network.dead(self.rank)

    def starts(self) -> Mapping[int, int]:
        """Returns how often each rank has been started, where that was more than once."""
        return self.network.lives

    def close(self) -> None:
        """Does nothing: the network is only memory."""
