"""Matching messages with the receives that want them, as MPI does: by peer and tag, in order."""

from collections import deque
from dataclasses import dataclass

from torch import Tensor

from gossipgrad.errors import ConfigurationError, PeerLostError


def bytes_of(buffer: Tensor) -> memoryview:
    """Returns the memory of a contiguous uint8 tensor in main memory."""
    return buffer.numpy().data


@dataclass(eq=False, slots=True)
class Wanted:
    """A receive that has been posted.

    Attributes:
        peer: the rank it wants to hear from; None for any.
        tag: of the message.
        memory: where it goes.
        taken: whether a message is on its way into it, or has arrived.
        complete: whether it has arrived.
        lost: the dead peer that it waited for.
        cancelled: whether nobody waits for it any more.
    """

    peer: int | None
    tag: int
    memory: memoryview
    taken: bool = False
    complete: bool = False
    lost: int | None = None
    cancelled: bool = False


class Mailroom:
    """What is wanted, and what has come without being wanted yet."""

    def __init__(self) -> None:
        self._wanted: dict[int, deque[Wanted]] = {}
        self._unclaimed: dict[int, deque[tuple[int, bytearray]]] = {}

    def want(self, wanted: Wanted, dead: bool) -> None:
        """Posts a receive; one that has come already is delivered at once.

        Args:
            wanted: the receive.
            dead: whether its peer is, so that what has not come never will.

        Raises:
            PeerLostError: the peer is dead and has left nothing.
        """
        waiting = self._unclaimed.get(wanted.tag, deque())
        for letter in waiting:
            sender, content = letter
            if wanted.peer in (None, sender):
                waiting.remove(letter)
                _fits(wanted, sender, len(content))
                wanted.memory[:] = content
                wanted.taken = wanted.complete = True
                return
        if dead:
            raise PeerLostError(-1 if wanted.peer is None else wanted.peer)
        self._wanted.setdefault(wanted.tag, deque()).append(wanted)

    def claim(self, sender: int, tag: int, length: int) -> Wanted | None:
        """Returns the receive that a message which begins to arrive goes into, if there is one."""
        queue = self._wanted.get(tag)
        for wanted in queue or ():
            if wanted.peer in (None, sender):
                _fits(wanted, sender, length)
                assert queue is not None  # noqa: S101 - it was iterated
                queue.remove(wanted)
                wanted.taken = True
                return wanted
        return None

    def keep(self, sender: int, tag: int, content: bytearray) -> None:
        """Keeps a message that nobody wanted when it began to arrive, or delivers it now."""
        wanted = self.claim(sender, tag, len(content))
        if wanted is None:
            self._unclaimed.setdefault(tag, deque()).append((sender, content))
        else:
            wanted.memory[:] = content
            wanted.complete = True

    def cancel(self, wanted: Wanted) -> None:
        """Takes a receive back."""
        wanted.cancelled = True
        queue = self._wanted.get(wanted.tag)
        if queue is not None and wanted in queue:
            queue.remove(wanted)

    def mourn(self, peer: int, interrupted: Wanted | None) -> None:
        """Ends what is wanted of a dead peer; what it has left stays.

        Args:
            peer: who died.
            interrupted: the receive whose message was cut, if one was.
        """
        if interrupted is not None and interrupted.peer is None and not interrupted.cancelled:
            interrupted.taken = False
            self._wanted.setdefault(interrupted.tag, deque()).appendleft(interrupted)
        elif interrupted is not None:
            interrupted.lost = peer
        for queue in self._wanted.values():
            for wanted in [one for one in queue if one.peer == peer]:
                queue.remove(wanted)
                wanted.lost = peer

    def clear(self, peer: int) -> None:
        """Throws away what the earlier life of a peer has left."""
        for tag, letters in self._unclaimed.items():
            self._unclaimed[tag] = deque(one for one in letters if one[0] != peer)


def _fits(wanted: Wanted, sender: int, length: int) -> None:
    if length != len(wanted.memory):
        raise ConfigurationError(
            f"rank {sender} sent {length} bytes under tag {wanted.tag} where "
            f"{len(wanted.memory)} were expected; all ranks must use the same model and loader"
        )
