"""Exchanges that never wait: whoever is slow is passed by.

A snapshot goes to the step's destination if its last one has got there; what has arrived from
whomever is taken in when the next local step ends. Given mass stays on the own books as a debt
until something arrives to replace it, so that updates made meanwhile count in full; a debt older
than `max_delay` steps is settled alone. Nothing is ever waited for, so a rank three times slower
than the rest costs the others nothing.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gossipgrad.errors import PeerLostError
from gossipgrad.frames import FrameSet, Header
from gossipgrad.rule import Portion
from gossipgrad.schedules import Schedule, live_turn
from gossipgrad.transports import Pending, Transport
from gossipgrad.vigil import Vigil

FREE_TAG = 15
_INCOMING = 3


@dataclass(slots=True)
class _Outgoing:
    frames: FrameSet
    peer: int = -1
    step: int = -1
    mass: float = 0.0
    pending: Pending | None = None
    indebted: bool = False

    @property
    def free(self) -> bool:
        return self.pending is None and not self.indebted


@dataclass(slots=True)
class _Incoming:
    frames: FrameSet
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a step has to settle.

    Attributes:
        given: debts that come due.
        taken: what has arrived.
        oldest: the largest number of steps between the sender's step and this one.
        sources: who sent it.
    """

    given: list[Portion]
    taken: list[Portion]
    oldest: int
    sources: list[int]


class FreeExchange:
    """Sends and receives without matching steps.

    Args:
        transport: the network.
        schedule: whom to send to.
        vigil: who is alive, and how that is found out.
        max_delay: steps after which a debt is settled alone; also bounds the memory.
        make_frames: makes a frame set of this model.
    """

    def __init__(
        self,
        transport: Transport,
        schedule: Schedule,
        vigil: Vigil,
        max_delay: int,
        make_frames: Callable[[], FrameSet],
    ) -> None:
        self._transport = transport
        self._schedule = schedule
        self._vigil = vigil
        self._max_delay = max_delay
        self._outgoing = [_Outgoing(make_frames()) for _ in range(max_delay + 1)]
        self._incoming = [_Incoming(make_frames()) for _ in range(_INCOMING)]
        self._ready: deque[_Incoming] = deque()
        self._harvested: list[_Incoming] = []
        self.sent = 0
        self.received = 0
        self._listen()

    @property
    def debt(self) -> float:
        """The mass that is given away but still on the books."""
        return sum(slot.mass for slot in self._outgoing if slot.indebted)

    @property
    def quiet(self) -> bool:
        """Whether every send has got there and nothing waits to be harvested."""
        return not self._ready and all(slot.pending is None for slot in self._outgoing)

    def poll(self) -> None:
        """Drives the network."""
        self._vigil.look()
        for incoming in self._incoming:
            try:
                if incoming.pending is not None and incoming.pending.done():
                    incoming.pending = None
                    self._ready.append(incoming)
                    self.received += 1
            except PeerLostError:
                incoming.pending = None
        for outgoing in self._outgoing:
            try:
                if outgoing.pending is not None and outgoing.pending.done():
                    outgoing.pending = None
            except PeerLostError:
                self._take_back(outgoing)
        self._listen()

    def harvest(self, step: int, *, everything: bool = False) -> Harvest:
        """Returns what `step` has to settle; `release` gives the memory back afterwards.

        Args:
            step: this rank's step.
            everything: whether all debts come due, as before a consensus.
        """
        self.poll()
        taken, oldest, sources = [], 0, []
        while self._ready:
            incoming = self._ready.popleft()
            header = incoming.frames.read_header(0)
            taken.append(Portion(header.mass, incoming.frames.payloads))
            oldest = max(oldest, step - header.step)
            sources.append(header.sender)
            self._harvested.append(incoming)
        debts = sorted(
            (slot for slot in self._outgoing if slot.indebted), key=lambda slot: slot.step
        )
        due = [
            slot
            for number, slot in enumerate(debts)
            if everything or number < len(taken) or step - slot.step >= self._max_delay
        ]
        for slot in due:
            slot.indebted = False
        return Harvest([Portion(s.mass, s.frames.payloads) for s in due], taken, oldest, sources)

    def release(self) -> None:
        """Makes the harvested memory free for new arrivals."""
        self._harvested.clear()
        self._listen()

    def slot(self, step: int) -> FrameSet | None:
        """Returns frames to pack this step's snapshot into, or None if it is better not to send."""
        self._vigil.step = step
        turn = live_turn(
            self._schedule, self._transport.rank, step, self._vigil.membership.dead(step)
        )
        peer = turn.destination
        busy = any(slot.pending is not None and slot.peer == peer for slot in self._outgoing)
        free = next((slot for slot in self._outgoing if slot.free), None)
        # One debt at a time: settling a debt alone multiplies the updates made since by
        # given / kept mass, which stays at one only while no more than half is given away.
        if peer == self._transport.rank or busy or free is None or self.debt:
            return None
        free.peer, free.step = peer, step
        return free.frames

    def send(self, frames: FrameSet, mass: float) -> int | None:
        """Sends what was packed, with `mass`; returns the destination, or None if it is dead."""
        slot = next(slot for slot in self._outgoing if slot.frames is frames)
        frames.write_headers(Header(slot.step, mass, self._transport.rank))
        slot.mass, slot.indebted = mass, True
        try:
            slot.pending = self._transport.send(frames.memory, slot.peer, FREE_TAG)
        except PeerLostError:
            self._take_back(slot)
            return None
        self.sent += 1
        return slot.peer

    def forgive(self) -> None:
        """Forgets all debts: the books were replaced. What was sent to this rank still counts."""
        for slot in self._outgoing:
            slot.indebted = False

    def abandon(self) -> None:
        """Stops listening, for good."""
        for incoming in self._incoming:
            if incoming.pending is not None:
                incoming.pending.cancel()

    def _listen(self) -> None:
        for incoming in self._incoming:
            waiting = any(incoming is other for other in (*self._ready, *self._harvested))
            if incoming.pending is None and not waiting and self._transport.size > 1:
                incoming.pending = self._transport.receive(incoming.frames.memory, None, FREE_TAG)

    def _take_back(self, slot: _Outgoing) -> None:
        slot.pending, slot.indebted = None, False
        self.sent -= 1
        self._vigil.note([slot.peer])
