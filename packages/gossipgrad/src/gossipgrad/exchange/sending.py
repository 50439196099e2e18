"""The outgoing half of an exchange, and who has asked for what of it."""

from collections import deque
from collections.abc import Callable

from gossipgrad.errors import PeerLostError
from gossipgrad.exchange.flow import Flow, frame_tag
from gossipgrad.frames import FrameSet
from gossipgrad.transports import Pending, Transport
from gossipgrad.vigil import Vigil

_REMEMBERED = 32


class Sending:
    """Sends one snapshot a step to one destination.

    Args:
        transport: the network.
        vigil: is told of a dead destination; knows who has learnt of which death.
        make_frames: makes a frame set of this model.

    Attributes:
        frames: what is sent.
        flow: how far it is.
        asked: (step, rank) of those who wait for frames of a step yet to come.
        fine: (step, rank) of those who had theirs from a rank that has died since.
    """

    def __init__(
        self, transport: Transport, vigil: Vigil, make_frames: Callable[[], FrameSet]
    ) -> None:
        self._transport = transport
        self._vigil = vigil
        self._make_frames = make_frames
        self.frames = make_frames()
        self.flow = Flow.IDLE
        self.asked: set[tuple[int, int]] = set()
        self.fine: set[tuple[int, int]] = set()
        self._served: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._step = -1
        self._peer = transport.rank
        self._gap: tuple[int, ...] = ()
        self._packed: Callable[[], bool] = bool
        self._pendings: list[Pending] = []

    def start(self, step: int, peer: int, gap: tuple[int, ...], packed: Callable[[], bool]) -> None:
        """Sends the snapshot of `step` to `peer`, across a gap of dead ranks only if asked to."""
        self._step, self._peer, self._gap, self._packed = step, peer, gap, packed
        if peer == self._transport.rank:
            self.flow = Flow.IDLE
        elif (step, peer) not in self.asked and self._vigil.membership.is_unsure(peer, gap, step):
            self.flow = Flow.UNASKED
        else:
            self.flow = Flow.WAITING
            self.advance()

    def answer_ask(self) -> bool:
        """Starts what has now been asked for; returns whether anything was held back."""
        if self.flow is not Flow.UNASKED:
            return False
        self.flow = Flow.WAITING
        self.advance()
        return True

    def advance(self) -> None:
        """Drives the sends."""
        if self.flow is Flow.UNASKED and not self._decide():
            return
        try:
            if self.flow is Flow.WAITING and self._packed():
                self.flow = Flow.MOVING
                tags = (
                    frame_tag(self._vigil.membership, self._peer, number)
                    for number in range(len(self.frames.frames))
                )
                self._pendings = [
                    self._transport.send(frame, self._peer, tag)
                    for frame, tag in zip(self.frames.frames, tags, strict=True)
                ]
            if self.flow is Flow.MOVING and all(pending.done() for pending in self._pendings):
                self.flow = Flow.DONE
        except PeerLostError:
            self._vigil.note([self._peer])

    def cancel(self) -> None:
        """Gives up what is under way."""
        for pending in self._pendings:
            pending.cancel()
        self._pendings = []

    def close(self) -> None:
        """Remembers a finished send, and forgets questions about steps that are over."""
        if self.flow is Flow.DONE:
            self._served.append((self._step, self._peer))
        self.asked = {(step, peer) for step, peer in self.asked if step > self._step}
        self.fine = {(step, peer) for step, peer in self.fine if step > self._step}

    def has_served(self, step: int, peer: int) -> bool:
        """Says whether `peer` has been sent the frames of `step`, as far back as is remembered."""
        return (step, peer) in self._served

    def forget(self) -> None:
        """Starts afresh, in new memory: requests of the past may still use the old one."""
        self.asked.clear()
        self.fine.clear()
        self._served.clear()
        self.frames = self._make_frames()

    def _decide(self) -> bool:
        if (self._step, self._peer) in self.fine:
            self.flow = Flow.SPARED
            return False
        learnt = self._vigil.membership.learnt(self._peer, self._gap)
        if learnt is not None and self._step != learnt:
            # It began this step knowing of the gap, and listens; or it is past this step.
            self.flow = Flow.WAITING if self._step > learnt else Flow.SPARED
        return self.flow is Flow.WAITING
