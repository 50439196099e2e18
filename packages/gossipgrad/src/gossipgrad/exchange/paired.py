"""One rank's exchange with its two partners of a step, and what it does when one of them dies.

While all live this is two lines: start the persistent receive and send of each bucket, test them.
The rest is for deaths. The schedule among the living lets my source's source feed me instead
(`schedules.live_turn`); the two of us may learn of the death at different times, so across a fresh
gap the receiver asks and the sender only sends when asked:

    ask(step)    I wait for your frames of this step
    void(step)   I have none for you any more: count the exchange as lost
    later(step)  I live, but am not there yet

Nobody waits for a rank that another knows to be dead, and each survivor loses one exchange at most.
A rank whose deadline runs out without a sign of life is counted as dead, and told to all.
"""

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from gossipgrad.errors import DroppedError, PeerLostError
from gossipgrad.frames import FrameSet, Header
from gossipgrad.membership import Membership, Patience
from gossipgrad.schedules import LiveTurn, Schedule, live_turn
from gossipgrad.signalling import Signalling
from gossipgrad.transports import Pending, Transport

FIRST_FRAME_TAG = 16
_TOLD_DEAD = 32  # a signal names at most so many
_REMEMBERED_SENDS = 32


class _Flow(Enum):
    IDLE = "idle"  # nobody on the other side
    WAITING = "waiting"  # to be started once the snapshot is packed and the last one read
    UNASKED = "unasked"  # across a fresh gap: starts when asked for
    MOVING = "moving"
    DONE = "done"
    LOST = "lost"


class PairedExchange:
    """Exchanges frame sets, one step at a time.

    Args:
        transport: the network.
        schedule: who with whom.
        membership: who is alive; updated here.
        signalling: for questions across gaps and news of deaths.
        patience: how long a silence to bear.
        make_frames: makes a frame set of this model; one is sent from, one received into.
    """

    def __init__(
        self,
        transport: Transport,
        schedule: Schedule,
        membership: Membership,
        signalling: Signalling,
        patience: Patience,
        *,
        make_frames: Callable[[], FrameSet],
    ) -> None:
        self._transport = transport
        self._schedule = schedule
        self._membership = membership
        self._signalling = signalling
        self._patience = patience
        self._make_frames = make_frames
        self.outgoing = make_frames()
        self.incoming = make_frames()
        self.step = -1
        self.turn = LiveTurn(transport.rank, transport.rank, 0.5)
        self.arrived: Header | None = None
        self.was_lost = False
        self.dropped = False
        self.noticed: list[tuple[float, int]] = []
        self._open = False
        self._packed: Callable[[], bool] = _always
        self._sending = self._receiving = _Flow.IDLE
        self._sends: list[Pending] = []
        self._receives: list[Pending] = []
        self._asked: set[tuple[int, int]] = set()
        self._served: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_SENDS)
        self._waiting_since: float | None = None
        self._asked_at = 0.0
        self._heard: dict[int, float] = {}
        for kind in ("ask", "void", "later", "news"):
            signalling.on(kind, getattr(self, f"_on_{kind}"))

    def post(self, step: int, mass: float, packed: Callable[[], bool] | None = None) -> None:
        """Starts the exchange of `step` with what `outgoing` holds, or will once `packed()`.

        Args:
            step: counted alike by all ranks.
            mass: this rank's mass; the turn's share of it travels.
            packed: says whether the snapshot has been written (GPU copies take their time).
        """
        self.step, self.arrived, self.was_lost, self._open = step, None, False, True
        self._waiting_since = None
        self._packed = packed or _always
        self.turn = live_turn(
            self._schedule, self._transport.rank, step, self._membership.dead(step)
        )
        self.outgoing.write_headers(Header(step, mass * self.turn.share, self._transport.rank))
        self._start_receiving()
        self._start_sending()

    def poll(self) -> bool:
        """Drives the network and reacts to news; returns whether the exchange can be settled."""
        self._note_deaths(self._transport.lost())
        self._signalling.poll()
        if self._open:
            self._advance_receives()
            self._advance_sends()
        return self._settled()

    def wait(self, nap: Callable[[], None]) -> float:
        """Waits until the exchange can be settled.

        Args:
            nap: called between two looks; sleeps a little.

        Returns:
            The seconds it waited.

        Raises:
            DroppedError: the others have counted this rank as dead.
        """
        began = time.monotonic()
        self._waiting_since = began
        while not self.poll():
            if self.dropped:
                raise DroppedError(
                    f"rank {self._transport.rank} was silent for too long and the others go on "
                    "without it; call rejoin() to come back"
                )
            self._watch_silence()
            nap()
        return time.monotonic() - began

    @property
    def delivered(self) -> bool:
        """Whether the frames sent have to be counted as given away."""
        return self._sending is _Flow.DONE

    def is_asked_for(self, step: int) -> bool:
        """Says whether some rank waits for this rank's frames of `step`."""
        return any(asked == step for asked, _ in self._asked)

    def close(self) -> None:
        """Ends the exchange: what comes for it later is answered with `void`."""
        if self.delivered:
            self._served.append((self.step, self.turn.destination))
        self._open = False
        self._asked = {(step, peer) for step, peer in self._asked if step > self.step}

    def abandon(self) -> None:
        """Gives up whatever is under way."""
        for pending in (*self._sends, *self._receives):
            pending.cancel()
        self._open = False

    def _settled(self) -> bool:
        return not self._open or (
            self._receiving in (_Flow.DONE, _Flow.LOST, _Flow.IDLE)
            and self._sending in (_Flow.DONE, _Flow.LOST, _Flow.IDLE, _Flow.UNASKED)
        )

    def _start_receiving(self) -> None:
        source = self.turn.source
        if source == self._transport.rank:
            self._receiving = _Flow.LOST if self.turn.skipped_behind else _Flow.IDLE
            return
        self._receiving = _Flow.WAITING
        if self._membership.is_fresh(self.turn.skipped_behind, self.step):
            self._ask(source)
        self._advance_receives()

    def _listen(self) -> None:
        source = self.turn.source
        self._receiving = _Flow.MOVING
        try:
            self._receives = [
                self._transport.receive(frame, source, FIRST_FRAME_TAG + number)
                for number, frame in enumerate(self.incoming.frames)
            ]
        except PeerLostError:
            self._note_deaths([source])

    def _start_sending(self) -> None:
        peer = self.turn.destination
        if peer == self._transport.rank:
            self._sending = _Flow.LOST if self.turn.skipped_ahead else _Flow.IDLE
        elif (self.step, peer) not in self._asked and self._membership.is_fresh(
            self.turn.skipped_ahead, self.step
        ):
            self._sending = _Flow.UNASKED
        else:
            self._sending = _Flow.WAITING
            self._advance_sends()

    def _advance_receives(self) -> None:
        if self._receiving is _Flow.WAITING and self._packed():
            self._listen()
        if self._receiving is not _Flow.MOVING:
            return
        try:
            for number, pending in enumerate(self._receives):
                if not pending.done():
                    return
                header = self.incoming.read_header(number)
                if header.step < self.step:  # a late frame of a repaired step: receive again
                    self._receives[number] = self._transport.receive(
                        self.incoming.frames[number], self.turn.source, FIRST_FRAME_TAG + number
                    )
                    return
        except PeerLostError:
            self._note_deaths([self.turn.source])
            return
        self.arrived = header
        self._receiving = _Flow.DONE

    def _advance_sends(self) -> None:
        try:
            if self._sending is _Flow.WAITING and self._packed():
                self._sending = _Flow.MOVING
                self._sends = [
                    self._transport.send(frame, self.turn.destination, FIRST_FRAME_TAG + number)
                    for number, frame in enumerate(self.outgoing.frames)
                ]
            if self._sending is _Flow.MOVING and all(pending.done() for pending in self._sends):
                self._sending = _Flow.DONE
        except PeerLostError:
            self._note_deaths([self.turn.destination])

    def _note_deaths(self, ranks: Any) -> None:
        new = self._membership.lose(ranks, max(self.step, 0)) if ranks else []
        if not new:
            return
        now = time.monotonic()
        self.noticed += [(now, rank) for rank in new]
        for peer in self._membership.living(self.step):
            if peer != self._transport.rank:
                self._signalling.send(peer, "news", dead=sorted(new)[:_TOLD_DEAD])
        self._aim_again()

    def _aim_again(self) -> None:
        if not self._open:
            return
        before = self.turn
        self.turn = live_turn(
            self._schedule, self._transport.rank, self.step, self._membership.dead(self.step)
        )
        if before.source != self.turn.source and self._receiving in (
            _Flow.WAITING,
            _Flow.MOVING,
        ):
            self.was_lost = True
            for pending in self._receives:
                pending.cancel()
            if self._transport.abandons:
                self.incoming = self._make_frames()
            self._start_receiving()
        if before.destination != self.turn.destination and self._sending is not _Flow.IDLE:
            self.was_lost = True
            for pending in self._sends:
                pending.cancel()
            self._sends = []
            self._start_sending()

    def _ask(self, peer: int) -> None:
        self._asked_at = time.monotonic()
        dead = sorted(self._membership.dead(self.step))[:_TOLD_DEAD]
        self._signalling.send(peer, "ask", step=self.step, dead=dead)

    def _watch_silence(self) -> None:
        now = time.monotonic()
        limit = self._patience.limit_s()
        if self._waiting_since is None or now - self._waiting_since < limit / 4:
            return
        awaited = set()
        if self._receiving is _Flow.MOVING:
            awaited.add(self.turn.source)
        if self._sending is _Flow.MOVING:
            awaited.add(self.turn.destination)
        silent = [
            peer
            for peer in awaited
            if now - max(self._waiting_since, self._heard.get(peer, 0)) > limit
        ]
        if silent:
            self._note_deaths(silent)
        elif now - self._asked_at > limit / 4:
            for peer in awaited:
                self._ask(peer)

    def _on_ask(self, sender: int, content: dict[str, Any]) -> None:
        self._heard[sender] = time.monotonic()
        self._note_deaths([rank for rank in content["dead"] if rank != self._transport.rank])
        step = content["step"]
        if (step, sender) in self._served:
            return
        if step > self.step:
            self._asked.add((step, sender))
            self._signalling.send(sender, "later", step=step)
        elif step < self.step or not self._open:
            self._signalling.send(sender, "void", step=step)
        elif self.turn.destination != sender:
            self._signalling.send(
                sender, "later" if self.turn.source == sender else "void", step=step
            )
        elif self._sending is _Flow.UNASKED:
            self._sending = _Flow.WAITING
            self._advance_sends()
        else:
            self._signalling.send(sender, "later", step=step)

    def _on_void(self, sender: int, content: dict[str, Any]) -> None:
        self._heard[sender] = time.monotonic()
        if (
            self._open
            and content["step"] == self.step
            and sender == self.turn.source
            and self._receiving is _Flow.MOVING
        ):
            for pending in self._receives:
                pending.cancel()
            if self._transport.abandons:
                self.incoming = self._make_frames()
            self.was_lost = True
            self._receiving = _Flow.LOST

    def _on_later(self, sender: int, content: dict[str, Any]) -> None:
        del content
        self._heard[sender] = time.monotonic()

    def _on_news(self, sender: int, content: dict[str, Any]) -> None:
        if self._transport.rank in content["dead"]:
            self.dropped = True
            return
        self._heard[sender] = time.monotonic()
        self._note_deaths(content["dead"])


def _always() -> bool:
    return True
