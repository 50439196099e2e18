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
from collections.abc import Callable
from typing import Any

from gossipgrad.errors import ConfigurationError
from gossipgrad.exchange.flow import MOST_FRAMES, Flow
from gossipgrad.exchange.receiving import Receiving
from gossipgrad.exchange.sending import Sending
from gossipgrad.frames import FrameSet, Header
from gossipgrad.schedules import LiveTurn, Schedule, live_turn
from gossipgrad.transports import Transport
from gossipgrad.vigil import Vigil


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
        self._sending = Sending(transport, vigil, make_frames)
        self._receiving = Receiving(transport, vigil, make_frames)
        if len(self.outgoing.frames) > MOST_FRAMES:
            raise ConfigurationError(
                f"the model fills {len(self.outgoing.frames)} buckets; at most {MOST_FRAMES} are "
                "allowed: raise bucket_mb"
            )
        self.step = -1
        self.turn = LiveTurn(transport.rank, transport.rank, 0.5)
        self._open = False
        self._packed: Callable[[], bool] = _always
        vigil.on_death(self._aim_again)
        for kind in ("ask", "fine", "void", "later"):
            vigil.signalling.on(kind, getattr(self, f"_on_{kind}"))

    @property
    def outgoing(self) -> FrameSet:
        """What is sent."""
        return self._sending.frames

    @property
    def incoming(self) -> FrameSet:
        """What is received into."""
        return self._receiving.frames

    @property
    def arrived(self) -> Header | None:
        """The header of what has arrived, None if nothing has."""
        return self._receiving.header

    def post(self, step: int, mass: float, packed: Callable[[], bool] | None = None) -> None:
        """Starts the exchange of `step` with what `outgoing` holds, or will once `packed()`.

        Args:
            step: counted alike by all ranks.
            mass: this rank's mass; the turn's share of it travels.
            packed: says whether the snapshot has been written (GPU copies take their time).
        """
        self.step, self._open = step, True
        self._vigil.step = step
        self._packed = packed or _always
        self.turn = self._turn_among_the_living()
        self.outgoing.write_headers(Header(step, mass * self.turn.share, self._transport.rank))
        self._start_receiving()
        self._start_sending()

    def poll(self) -> bool:
        """Drives the network and reacts to news; returns whether the exchange can be settled."""
        self._vigil.look()
        if self._open:
            self._receiving.advance()
            self._sending.advance()
        under_way = self._sending.flow in (Flow.WAITING, Flow.UNASKED, Flow.MOVING)
        return not self._open or not (self._receiving.under_way or under_way)

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
        return self._sending.flow is Flow.DONE

    @property
    def was_lost(self) -> bool:
        """Whether a fault took one direction of the exchange."""
        return Flow.LOST in (self._receiving.flow, self._sending.flow)

    def is_asked_for(self, step: int) -> bool:
        """Says whether some rank waits for this rank's frames of `step`."""
        return any(asked == step for asked, _ in self._sending.asked)

    def close(self) -> None:
        """Ends the exchange: what comes for it later is answered with `void`."""
        self._sending.close()
        self._open = False

    def abandon(self) -> None:
        """Gives up whatever is under way."""
        self._sending.cancel()
        self._receiving.cancel()
        self._open = False

    def forget(self) -> None:
        """Starts afresh, in new memory: requests of the past may still use the old one."""
        self._sending.forget()
        self._receiving.forget()
        self.step = -1

    def _turn_among_the_living(self) -> LiveTurn:
        dead = self._vigil.membership.dead(self.step)
        return live_turn(self._schedule, self._transport.rank, self.step, dead)

    def _start_receiving(self) -> None:
        source, gap = self.turn.source, self.turn.skipped_behind
        alone = source == self._transport.rank
        if not alone and self._vigil.membership.is_unsure(source, gap, self.step):
            self._ask(source)
        self._receiving.start(self.step, source, self._packed)

    def _start_sending(self) -> None:
        turn = self.turn
        self._sending.start(self.step, turn.destination, turn.skipped_ahead, self._packed)

    def _aim_again(self) -> None:
        if self.step < 0:
            return
        before, self.turn = self.turn, self._turn_among_the_living()
        source = self.turn.source
        receiving = self._open and self._receiving.under_way
        alone = source == self._transport.rank
        if before.source != source and not receiving and not alone:
            self._vigil.signalling.send(source, "fine", step=self.step)
        if not self._open:
            return
        if before.source != source and receiving:
            self._receiving.cancel()
            self._start_receiving()
            if alone:
                self._receiving.flow = Flow.LOST
        if before.destination != self.turn.destination and self._sending.flow is not Flow.IDLE:
            self._sending.cancel()
            self._start_sending()

    def _ask(self, peer: int) -> None:
        dead = self._vigil.named_dead()
        self._vigil.signalling.send(peer, "ask", step=self.step, dead=dead)

    def _awaited(self) -> set[int]:
        awaited = set()
        if self._receiving.flow is Flow.MOVING:
            awaited.add(self.turn.source)
        if self._sending.flow in (Flow.MOVING, Flow.UNASKED):
            awaited.add(self.turn.destination)
        return awaited

    def _on_ask(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        step = content["step"]
        self._vigil.hear_of_deaths(sender, content["dead"], step)
        if self._sending.has_served(step, sender):
            return
        if step > self.step:
            self._sending.asked.add((step, sender))
            word = "later"
        elif step < self.step or not self._open:
            word = "void"
        elif self.turn.destination != sender:
            word = "later" if self.turn.source == sender else "void"
        elif self._sending.answer_ask():
            return
        else:
            word = "later"
        self._vigil.signalling.send(sender, word, step=step)

    def _on_void(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        awaited = self._open and self._receiving.flow is Flow.MOVING
        if awaited and content["step"] == self.step and sender == self.turn.source:
            self._receiving.pass_by()

    def _on_fine(self, sender: int, content: dict[str, Any]) -> None:
        self._sending.fine.add((content["step"], sender))
        self._sending.advance()

    def _on_later(self, sender: int, content: dict[str, Any]) -> None:
        del content
        self._vigil.hear_from(sender)


def _always() -> bool:
    return True
