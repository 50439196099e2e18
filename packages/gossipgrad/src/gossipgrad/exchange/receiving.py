"""The incoming half of an exchange: one source's frames of one step."""

from collections.abc import Callable

from gossipgrad.errors import PeerLostError
from gossipgrad.exchange.flow import Flow, frame_tag
from gossipgrad.frames import FrameSet, Header
from gossipgrad.transports import Pending, Transport
from gossipgrad.vigil import Vigil


class Receiving:
    """Receives into frames that stay the same from step to step while nobody dies.

    Args:
        transport: the network.
        vigil: is told of a dead source.
        make_frames: makes a frame set of this model.

    Attributes:
        frames: what is received into.
        flow: how far it is.
        header: of what has arrived, None before.
    """

    def __init__(
        self, transport: Transport, vigil: Vigil, make_frames: Callable[[], FrameSet]
    ) -> None:
        self._transport = transport
        self._vigil = vigil
        self._make_frames = make_frames
        self.frames = make_frames()
        self.flow = Flow.IDLE
        self.header: Header | None = None
        self._step = -1
        self._source = transport.rank
        self._packed: Callable[[], bool] = bool
        self._pendings: list[Pending] = []
        self._kept: dict[tuple[int, int], tuple[FrameSet, list[Pending]]] = {}

    @property
    def under_way(self) -> bool:
        """Whether something is still expected."""
        return self.flow in (Flow.WAITING, Flow.MOVING)

    def start(self, step: int, source: int, packed: Callable[[], bool]) -> None:
        """Listens for the frames of `step`, as soon as the last ones have been read."""
        self._step, self._source, self._packed, self.header = step, source, packed, None
        self.flow = Flow.IDLE if source == self._transport.rank else Flow.WAITING
        self.advance()

    def advance(self) -> None:
        """Takes in what has come."""
        if self.flow is Flow.WAITING and self._packed():
            self._listen()
        if self.flow is not Flow.MOVING:
            return
        header = None
        try:
            for number, pending in enumerate(self._pendings):
                if not pending.done():
                    return
                header = self.frames.read_header(number)
                if header.step < self._step:  # a late frame of a repaired step: receive again
                    self._pendings[number] = self._receive(number)
                    return
                if header.step > self._step:  # the source has passed this step by
                    self.pass_by()
                    return
        except PeerLostError:
            self._vigil.note([self._source])
            return
        self.header, self.flow = header, Flow.DONE

    def pass_by(self) -> None:
        """Counts the step as lost; the source sends nothing for it any more.

        Not cancelled: its frames of a later step may already be on their way into these.
        """
        self._kept[self._key()] = self.frames, self._pendings
        self.frames = self._make_frames()
        self.flow = Flow.LOST

    def cancel(self) -> None:
        """Gives up what is under way."""
        for pending in self._pendings:
            pending.cancel()
        if self._transport.abandons:
            self.frames = self._make_frames()

    def forget(self) -> None:
        """Starts afresh, in new memory: requests of the past may still use the old one."""
        for _, pendings in self._kept.values():
            for pending in pendings:
                pending.cancel()
        self._kept.clear()
        self.frames = self._make_frames()

    def _listen(self) -> None:
        self.flow = Flow.MOVING
        if self._key() in self._kept:
            self.frames, self._pendings = self._kept.pop(self._key())
            return
        try:
            self._pendings = [self._receive(number) for number in range(len(self.frames.frames))]
        except PeerLostError:
            self._vigil.note([self._source])

    def _receive(self, number: int) -> Pending:
        tag = frame_tag(self._vigil.membership, self._source, number)
        return self._transport.receive(self.frames.frames[number], self._source, tag)

    def _key(self) -> tuple[int, int]:
        return frame_tag(self._vigil.membership, self._source, 0), self._source
