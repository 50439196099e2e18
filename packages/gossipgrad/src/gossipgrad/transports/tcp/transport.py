"""The transport over plain TCP: one connection per pair of ranks, driven by whoever looks.

A peer is dead once its connection has closed. A rank that was started anew finds the living by the
rendezvous and connects to all of them; `joins` is true there, and its wrapper asks to be taken in.
Sockets grow with the ranks, p - 1 in each, which suits hundreds of ranks and not a million.
"""

import atexit
import selectors
import socket
import struct
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from torch import Tensor

from gossipgrad.errors import ConfigurationError, PeerLostError
from gossipgrad.transports.tcp.connection import (
    HELLO,
    SIGNAL,
    Connection,
    ConnectionEndedError,
    Outgoing,
)
from gossipgrad.transports.tcp.mailroom import Mailroom, Wanted, bytes_of
from gossipgrad.transports.tcp.rendezvous import START_TIMEOUT_S, Rendezvous, from_environment

_HELLO = struct.Struct("<4s32siii")  # magic, the job's token, from, to, life of the sender
_MAGIC = b"GGT1"
_DIAL_S = 3.0
_FAREWELL_S = 5.0
_NAP_S = 1e-3


class _Started:
    """A send or receive under way."""

    __slots__ = ("_entry", "_transport")

    def __init__(self, transport: "TcpTransport", entry: Outgoing | Wanted) -> None:
        self._transport = transport
        self._entry = entry

    def done(self) -> bool:
        entry = self._entry
        if not entry.complete and entry.lost is None:
            self._transport.advance()
        if entry.complete:
            return True
        if entry.lost is not None:
            raise PeerLostError(entry.lost)
        return False

    def cancel(self) -> None:
        if not self._entry.complete:
            self._transport.withdraw(self._entry)


class TcpTransport:
    """One rank's end of a mesh of connections.

    Args:
        rendezvous: where ranks find each other; None is what the launcher told of.

    Raises:
        ConfigurationError: a rank does not come, or nobody is there to join.
    """

    name = "tcp"
    driver = "thread"
    sends_device_memory = False
    abandons = False

    def __init__(self, rendezvous: Rendezvous | None = None) -> None:
        rendezvous = rendezvous or from_environment()
        self.rank, self.size = rendezvous.rank, rendezvous.size
        self._rendezvous = rendezvous
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._mailroom = Mailroom()
        self._peers: dict[int, Connection] = {}
        self._lives: dict[int, int] = {}
        self._signals: list[tuple[int, bytes]] = []
        self._closed = False
        self._listener = socket.create_server(
            (rendezvous.own_host, 0), family=_family(rendezvous.own_host), backlog=self.size
        )
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._own = rendezvous.announce(self._listener.getsockname()[1])
        self.joins = self._own.life > 1
        try:
            self._meet_peers()
        except BaseException:
            self._hang_up()
            raise
        atexit.register(self.close)

    def send(self, buffer: Tensor, peer: int, tag: int) -> _Started:
        """Starts to send."""
        with self._lock:
            connection = self._peers.get(peer)
            if connection is None:
                raise PeerLostError(peer)
            frame = connection.enqueue(tag, bytes_of(buffer))
            self._write(connection)
            return _Started(self, frame)

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> _Started:
        """Starts to receive."""
        wanted = Wanted(peer, tag, bytes_of(buffer))
        with self._lock:
            self._mailroom.want(wanted, dead=peer is not None and peer not in self._peers)
        return _Started(self, wanted)

    def signal(self, peer: int, payload: bytes) -> None:
        """Sends a datagram; to a dead peer it does nothing."""
        with self._lock:
            connection = self._peers.get(peer)
            if connection is not None:
                connection.enqueue(SIGNAL, memoryview(payload))
                self._write(connection)

    def signals(self) -> list[tuple[int, bytes]]:
        """Returns the datagrams that have come."""
        with self._lock:
            self.advance()
            arrived, self._signals = self._signals, []
            return arrived

    def lost(self) -> Collection[int]:
        """Returns the ranks that there is no connection to."""
        with self._lock:
            if len(self._peers) == self.size - 1:
                return ()
            return {*range(self.size)} - {self.rank, *self._peers}

    def starts(self) -> Mapping[int, int]:
        """Returns how often each peer has been started, where that was more than once."""
        return self._lives

    def advance(self) -> None:
        """Moves whatever can be moved without waiting."""
        with self._lock:
            for key, _ in self._selector.select(0):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.data)
            for connection in [one for one in self._peers.values() if one.queue]:
                self._write(connection)

    def withdraw(self, entry: Outgoing | Wanted) -> None:
        """Takes a send or receive back."""
        with self._lock:
            if isinstance(entry, Wanted):
                self._mailroom.cancel(entry)
            else:
                for connection in self._peers.values():
                    connection.withdraw(entry)

    def close(self) -> None:
        """Sends what is queued, then hears the others out: closing early would cut their words."""
        atexit.unregister(self.close)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            deadline = time.monotonic() + _FAREWELL_S
            told: set[Connection] = set()
            while self._peers and time.monotonic() < deadline:
                self.advance()
                for connection in self._peers.values():
                    if not connection.queue and connection not in told:
                        told.add(connection)
                        with suppress(OSError):
                            connection.sock.shutdown(socket.SHUT_WR)
                time.sleep(_NAP_S)
            self._hang_up()

    def _hang_up(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _meet_peers(self) -> None:
        others = [peer for peer in range(self.size) if peer != self.rank]
        for peer in others:
            if self.joins or peer < self.rank:
                self._dial(peer)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.joins and len(self._peers) < self.size - 1:
            self.advance()
            if time.monotonic() > deadline:
                missing = sorted(set(others) - set(self._peers))
                raise ConfigurationError(
                    f"ranks {missing} of {self.size} have not connected to rank {self.rank} "
                    f"within {START_TIMEOUT_S:g} s"
                )
            time.sleep(_NAP_S)
        if self.joins and others and not self._peers:
            raise ConfigurationError(
                f"rank {self.rank} was started anew, but no other rank can be reached; start all "
                "of the job anew, with a rendezvous of its own"
            )

    def _dial(self, peer: int) -> None:
        there = self._rendezvous.address(peer)
        if self.joins and there.arrival > self._own.arrival:
            return  # started anew itself, after this one: then it dials
        try:
            sock = socket.create_connection((there.host, there.port), timeout=_DIAL_S)
        except OSError as error:
            if self.joins:
                return  # it is dead
            raise ConfigurationError(
                f"rank {peer} cannot be reached at {there.host}:{there.port} ({error})"
            ) from error
        connection = Connection(sock, self._mailroom, peer=peer, life=there.life)
        hello = _HELLO.pack(_MAGIC, self._rendezvous.token, self.rank, peer, self._own.life)
        connection.enqueue(HELLO, memoryview(hello))
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._adopt(connection)
        self._write(connection)

    def _accept(self) -> None:
        with suppress(OSError):
            sock, _ = self._listener.accept()
            connection = Connection(sock, self._mailroom)
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection) -> None:
        ended = False
        try:
            connection.read()
        except ConnectionEndedError:
            ended = True
        while connection.words:
            tag, content = connection.words.popleft()
            if tag == SIGNAL:
                self._signals.append((connection.peer, content))
            elif not self._welcome(connection, content):
                ended = True
        if ended:
            self._end(connection)

    def _write(self, connection: Connection) -> None:
        try:
            connection.write()
        except ConnectionEndedError:
            # What the peer has said before it ended is still to be read.
            self._read(connection)
            self._end(connection)

    def _welcome(self, connection: Connection, content: bytes) -> bool:
        if len(content) != _HELLO.size:
            return False
        magic, token, peer, to, life = _HELLO.unpack(content)
        stranger = magic != _MAGIC or token != self._rendezvous.token or to != self.rank
        if stranger or not 0 <= peer < self.size or peer == self.rank:
            return False
        before = self._peers.get(peer)
        if before is not None and before.life >= life:
            return False
        connection.peer, connection.life = peer, life
        if before is not None:
            self._end(before)
        self._adopt(connection)
        return True

    def _adopt(self, connection: Connection) -> None:
        if connection.life > 1:
            self._mailroom.clear(connection.peer)
            self._lives[connection.peer] = connection.life
        self._peers[connection.peer] = connection

    def _end(self, connection: Connection) -> None:
        if connection.sock.fileno() < 0:
            return
        self._selector.unregister(connection.sock)
        connection.sock.close()
        if self._peers.get(connection.peer) is not connection:
            return
        del self._peers[connection.peer]
        for frame in connection.queue:
            frame.lost = connection.peer
        self._mailroom.mourn(connection.peer, connection.wanted)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
