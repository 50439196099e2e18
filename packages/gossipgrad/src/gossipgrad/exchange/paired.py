"""One rank's exchange with its two partners of a step, and what it does when one of them dies.

While all live this is two lines: start the persistent receive and send of each bucket, test them.
The rest is for deaths. The schedule among the living lets my source's source feed me instead
(`schedules.live_turn`); the two of us may learn of the death at different times, so across a
fresh gap the receiver asks and the sender only sends when asked, until both know that both know:

    ask(step)    I wait for your frames of this step
    fine(step)   I had mine from the dead rank, keep yours
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

from gossipgrad.errors import ConfigurationError, PeerLostError
from gossipgrad.frames import FrameSet, Header
from gossipgrad.schedules import LiveTurn, Schedule, live_turn
from gossipgrad.transports import Pending, Transport
from gossipgrad.vigil import Vigil

FIRST_FRAME_TAG = 16
_REMEMBERED_SENDS = 32
_INCARNATIONS = 4
_MOST_FRAMES = 188


class _Flow(Enum):
    IDLE = "idle"  # nobody on the other side
    WAITING = "waiting"  # to be started once the snapshot is packed and the last one read
    UNASKED = "unasked"  # across a fresh gap: starts when asked for
    SPARED = "spared"  # the other side had its frames from the dead rank, in time
    MOVING = "moving"
    DONE = "done"
    LOST = "lost"


class PairedExchange:
    """Exchanges frame sets, one step at a time.

    Args:
        transport: the network.
        schedule: who with whom.
        vigil: who is alive, and how that is found out.
        make_frames: makes a frame set of this model; one is sent from, one received into.
    """

    def __init__(
        self,
        transport: Transport,
        schedule: Schedule,
        vigil: Vigil,
        make_frames: Callable[[], FrameSet],
    ) -> None:
        self._transport = transport
        self._schedule = schedule
        self._vigil = vigil
        self._make_frames = make_frames
        self.outgoing = make_frames()
        self.incoming = make_frames()
        if len(self.outgoing.frames) > _MOST_FRAMES:
            raise ConfigurationError(
                f"the model fills {len(self.outgoing.frames)} buckets; at most {_MOST_FRAMES} are "
                "allowed: raise bucket_mb"
            )
        self.step = -1
        self.turn = LiveTurn(transport.rank, transport.rank, 0.5)
        self.arrived: Header | None = None
        self._open = False
        self._packed: Callable[[], bool] = _always
        self._sending = self._receiving = _Flow.IDLE
        self._sends: list[Pending] = []
        self._receives: list[Pending] = []
        self._kept: dict[tuple[int, int], tuple[FrameSet, list[Pending]]] = {}
        self._asked: set[tuple[int, int]] = set()
        self._fine: set[tuple[int, int]] = set()
        self._served: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_SENDS)
        vigil.on_death(self._aim_again)
        for kind in ("ask", "fine", "void", "later"):
            vigil.signalling.on(kind, getattr(self, f"_on_{kind}"))

    def post(self, step: int, mass: float, packed: Callable[[], bool] | None = None) -> None:
        """Starts the exchange of `step` with what `outgoing` holds, or will once `packed()`.

        Args:
            step: counted alike by all ranks.
            mass: this rank's mass; the turn's share of it travels.
            packed: says whether the snapshot has been written (GPU copies take their time).
        """
        self.step, self.arrived, self._open = step, None, True
        self._vigil.step = step
        self._packed = packed or _always
        self.turn = live_turn(
            self._schedule, self._transport.rank, step, self._vigil.membership.dead(step)
        )
        self.outgoing.write_headers(Header(step, mass * self.turn.share, self._transport.rank))
        self._start_receiving()
        self._start_sending()

    def poll(self) -> bool:
        """Drives the network and reacts to news; returns whether the exchange can be settled."""
        self._vigil.look()
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
        while not self.poll():
            self._vigil.check_dropped()
            self._vigil.watch(self._awaited(), began, self._ask)
            nap()
        return time.monotonic() - began

    @property
    def delivered(self) -> bool:
        """Whether the frames sent have to be counted as given away."""
        return self._sending is _Flow.DONE

    @property
    def was_lost(self) -> bool:
        """Whether a fault took one direction of the exchange."""
        return _Flow.LOST in (self._receiving, self._sending)

    def is_asked_for(self, step: int) -> bool:
        """Says whether some rank waits for this rank's frames of `step`."""
        return any(asked == step for asked, _ in self._asked)

    def close(self) -> None:
        """Ends the exchange: what comes for it later is answered with `void`."""
        if self.delivered:
            self._served.append((self.step, self.turn.destination))
        self._open = False
        self._asked = {(step, peer) for step, peer in self._asked if step > self.step}
        self._fine = {(step, peer) for step, peer in self._fine if step > self.step}

    def abandon(self) -> None:
        """Gives up whatever is under way."""
        for pending in (*self._sends, *self._receives):
            pending.cancel()
        self._open = False

    def forget(self) -> None:
        """Starts afresh, in new memory: requests of the past may still use the old one."""
        for _, receives in self._kept.values():
            for pending in receives:
                pending.cancel()
        self._kept.clear()
        self._asked.clear()
        self._fine.clear()
        self._served.clear()
        self.outgoing, self.incoming = self._make_frames(), self._make_frames()
        self.step = -1

    def _settled(self) -> bool:
        return not self._open or (
            self._receiving in (_Flow.DONE, _Flow.LOST, _Flow.IDLE)
            and self._sending in (_Flow.DONE, _Flow.LOST, _Flow.IDLE, _Flow.SPARED)
        )

    def _start_receiving(self) -> None:
        source = self.turn.source
        if source == self._transport.rank:
            self._receiving = _Flow.IDLE
            return
        self._receiving = _Flow.WAITING
        if self._vigil.membership.is_unsure(source, self.turn.skipped_behind, self.step):
            self._ask(source)
        self._advance_receives()

    def _listen(self) -> None:
        source = self.turn.source
        self._receiving = _Flow.MOVING
        key = self._tag(source, 0), source
        if key in self._kept:
            self.incoming, self._receives = self._kept.pop(key)
            return
        try:
            self._receives = [
                self._transport.receive(frame, source, self._tag(source, number))
                for number, frame in enumerate(self.incoming.frames)
            ]
        except PeerLostError:
            self._vigil.note([source])

    def _start_sending(self) -> None:
        peer = self.turn.destination
        if peer == self._transport.rank:
            self._sending = _Flow.IDLE
        elif (self.step, peer) not in self._asked and self._vigil.membership.is_unsure(
            peer, self.turn.skipped_ahead, self.step
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
                        self.incoming.frames[number],
                        self.turn.source,
                        self._tag(self.turn.source, number),
                    )
                    return
                if header.step > self.step:  # the source has passed this step by
                    self._keep_receiving()
                    return
        except PeerLostError:
            self._vigil.note([self.turn.source])
            return
        self.arrived = header
        self._receiving = _Flow.DONE

    def _tag(self, peer: int, number: int) -> int:
        # What was sent to or by a rank before it was dropped must not match what comes after.
        membership = self._vigil.membership
        past = membership.incarnation(peer) + membership.incarnation(self._transport.rank)
        return FIRST_FRAME_TAG + past % _INCARNATIONS * _MOST_FRAMES + number

    def _keep_receiving(self) -> None:
        # Not cancelled: the source's frames of a later step may already be on their way into them.
        self._kept[self._tag(self.turn.source, 0), self.turn.source] = (
            self.incoming,
            self._receives,
        )
        self.incoming = self._make_frames()
        self._receiving = _Flow.LOST

    def _advance_sends(self) -> None:
        if self._sending is _Flow.UNASKED:
            peer, gap = self.turn.destination, self.turn.skipped_ahead
            if (self.step, peer) in self._fine:
                self._sending = _Flow.SPARED
                return
            learnt = self._vigil.membership.learnt(peer, gap)
            if learnt is not None and self.step != learnt:
                # It began this step knowing of the gap, and listens; or it is past this step.
                self._sending = _Flow.WAITING if self.step > learnt else _Flow.SPARED
        try:
            if self._sending is _Flow.WAITING and self._packed():
                self._sending = _Flow.MOVING
                peer = self.turn.destination
                self._sends = [
                    self._transport.send(frame, peer, self._tag(peer, number))
                    for number, frame in enumerate(self.outgoing.frames)
                ]
            if self._sending is _Flow.MOVING and all(pending.done() for pending in self._sends):
                self._sending = _Flow.DONE
        except PeerLostError:
            self._vigil.note([self.turn.destination])

    def _aim_again(self) -> None:
        if self.step < 0:
            return
        before = self.turn
        self.turn = live_turn(
            self._schedule, self._transport.rank, self.step, self._vigil.membership.dead(self.step)
        )
        receiving = self._open and self._receiving in (_Flow.WAITING, _Flow.MOVING)
        alone = self.turn.source == self._transport.rank
        if before.source != self.turn.source and not receiving and not alone:
            self._vigil.signalling.send(self.turn.source, "fine", step=self.step)
        if not self._open:
            return
        if before.source != self.turn.source and receiving:
            for pending in self._receives:
                pending.cancel()
            if self._transport.abandons:
                self.incoming = self._make_frames()
            self._start_receiving()
            if alone:
                self._receiving = _Flow.LOST
        if before.destination != self.turn.destination and self._sending is not _Flow.IDLE:
            for pending in self._sends:
                pending.cancel()
            self._sends = []
            self._start_sending()

    def _ask(self, peer: int) -> None:
        dead = self._vigil.named_dead()
        self._vigil.signalling.send(peer, "ask", step=self.step, dead=dead)

    def _awaited(self) -> set[int]:
        awaited = set()
        if self._receiving is _Flow.MOVING:
            awaited.add(self.turn.source)
        if self._sending in (_Flow.MOVING, _Flow.UNASKED):
            awaited.add(self.turn.destination)
        return awaited

    def _on_ask(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        step = content["step"]
        self._vigil.hear_of_deaths(sender, content["dead"], step)
        if (step, sender) in self._served:
            return
        if step > self.step:
            self._asked.add((step, sender))
            self._vigil.signalling.send(sender, "later", step=step)
        elif step < self.step or not self._open:
            self._vigil.signalling.send(sender, "void", step=step)
        elif self.turn.destination != sender:
            self._vigil.signalling.send(
                sender, "later" if self.turn.source == sender else "void", step=step
            )
        elif self._sending is _Flow.UNASKED:
            self._sending = _Flow.WAITING
            self._advance_sends()
        else:
            self._vigil.signalling.send(sender, "later", step=step)

    def _on_void(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        if (
            self._open
            and content["step"] == self.step
            and sender == self.turn.source
            and self._receiving is _Flow.MOVING
        ):
            self._keep_receiving()

    def _on_fine(self, sender: int, content: dict[str, Any]) -> None:
        self._fine.add((content["step"], sender))
        self._advance_sends()

    def _on_later(self, sender: int, content: dict[str, Any]) -> None:
        del content
        self._vigil.hear_from(sender)


def _always() -> bool:
    return True
