"""One connection: frames in both directions, as far as they go without waiting.

A frame is a tag, a length, and so many bytes. Payloads go from and to the tensors' own memory;
only what nobody wants yet is kept aside.
"""

import socket
import struct
from collections import deque
from dataclasses import dataclass

from gossipgrad.transports.tcp.mailroom import Mailroom, Wanted

SIGNAL = 0xFFFF_FFFF
HELLO = 0xFFFF_FFFE
_HEADER = struct.Struct("<IQ")
_LONGEST_WORD = 4096  # of hellos and signals


class ConnectionEndedError(Exception):
    """The other side is gone, or speaks another language."""


@dataclass(eq=False, slots=True)
class Outgoing:
    """A frame to be sent.

    Attributes:
        rest: what is left to be written, header first.
        complete: whether all has been handed to the kernel.
        lost: the dead peer that it was for.
    """

    rest: list[memoryview]
    complete: bool = False
    lost: int | None = None
    begun: bool = False


class Connection:
    """A connected socket.

    Args:
        sock: connected.
        mailroom: where frames go.
        peer: the rank at the other end, where that is known.
        life: how often that rank has been started.

    Attributes:
        peer: the rank at the other end; -1 until it has said so.
        life: how often that rank has been started.
        words: hellos and signals that have come, as (tag, content).
    """

    def __init__(
        self, sock: socket.socket, mailroom: Mailroom, *, peer: int = -1, life: int = 0
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.peer = peer
        self.life = life
        self.words: deque[tuple[int, bytes]] = deque()
        self.queue: deque[Outgoing] = deque()
        self._mailroom = mailroom
        self._header = memoryview(bytearray(_HEADER.size))
        self._tag = -1
        self._target = self._header
        self._filled = 0
        self._aside: bytearray | None = None
        self.wanted: Wanted | None = None

    def enqueue(self, tag: int, payload: memoryview) -> Outgoing:
        """Queues a frame; `write` sends it."""
        header = memoryview(_HEADER.pack(tag, len(payload)))
        frame = Outgoing([header, payload] if payload else [header])
        self.queue.append(frame)
        return frame

    def withdraw(self, frame: Outgoing) -> None:
        """Takes a frame back; of one that is half sent the rest is copied, so that it may end."""
        if frame not in self.queue:
            return
        if frame.begun:
            frame.rest = [memoryview(bytes(part)) for part in frame.rest]
        else:
            self.queue.remove(frame)

    def write(self) -> None:
        """Sends what the kernel takes.

        Raises:
            ConnectionEndedError: the other side is gone.
        """
        while self.queue:
            frame = self.queue[0]
            try:
                sent = self.sock.sendmsg(frame.rest)
            except BlockingIOError:
                return
            except OSError as error:
                raise ConnectionEndedError from error
            frame.begun = True
            while frame.rest and sent >= len(frame.rest[0]):
                sent -= len(frame.rest.pop(0))
            if frame.rest:
                frame.rest[0] = frame.rest[0][sent:]
            else:
                frame.complete = True
                self.queue.popleft()

    def read(self) -> None:
        """Takes in what has come, but nothing past a hello until that has been looked at.

        Raises:
            ConnectionEndedError: the other side is gone, or no peer of ours.
        """
        while True:
            if self.wanted is not None and self.wanted.cancelled:
                self._turn_aside()
            try:
                count = self.sock.recv_into(self._target[self._filled :])
            except BlockingIOError:
                return
            except OSError as error:
                raise ConnectionEndedError from error
            if count == 0:
                raise ConnectionEndedError
            self._filled += count
            while self._filled == len(self._target):
                self._next()
            if self.words and self.words[-1][0] == HELLO:
                return

    def _next(self) -> None:
        if self._target is not self._header:
            self._finish()
            self._target, self._filled = self._header, 0
            return
        self._tag, length = _HEADER.unpack(self._header)
        word = self._tag in (SIGNAL, HELLO)
        if (word and length > _LONGEST_WORD) or (self.peer < 0 and self._tag != HELLO):
            raise ConnectionEndedError
        self.wanted = None if word else self._mailroom.claim(self.peer, self._tag, length)
        self._aside = bytearray(length) if self.wanted is None else None
        self._target = self.wanted.memory if self.wanted else memoryview(self._aside or b"")
        self._filled = 0

    def _finish(self) -> None:
        if self.wanted is not None:
            self.wanted.complete = True
            self.wanted = None
        elif self._tag in (SIGNAL, HELLO):
            self.words.append((self._tag, bytes(self._aside or b"")))
        elif self._tag >= 0:
            self._mailroom.keep(self.peer, self._tag, self._aside or bytearray())

    def _turn_aside(self) -> None:
        # Its memory may be used for something else by now: what is still to come is thrown away.
        self.wanted, self._tag = None, -1
        self._target = memoryview(bytearray(len(self._target)))
