"""torch.distributed point to point (gloo, NCCL), for clusters without MPI.

A gloo operation reports its end only to whoever waits for it, and one that times out closes its
connection for good. So each is waited for on a thread of its own, without a timeout of ours; a
peer's death ends the wait at once, because its connection closes. A thread that returns from such a
wait while Python shuts down aborts the process (status 134), so ranks say farewell before they end,
and the waits for each other's letters are over by then.
"""

import atexit
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from queue import SimpleQueue
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gossipgrad.errors import ConfigurationError, PeerLostError
from gossipgrad.transports.protocol import SIGNAL_BYTES

_SIGNAL_TAG = (1 << 15) - 1
_LENGTH_BYTES = 4
_FAREWELL_S = 5.0
_NAP_S = 1e-3


class _Waiters:
    """Daemon threads, as many as there are waits at once."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._waits: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether any of them waits for an operation."""
        return bool(self._waits) or not self._jobs.empty()

    def submit(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._work, name="gossipgrad-wait", daemon=True).start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self._waits.add(threading.get_ident())
            job()
            self._waits.discard(threading.get_ident())
            self._idle.release()


class _Waited:
    """An operation that a thread waits for."""

    __slots__ = ("_error", "_peer", "_work", "complete")

    def __init__(self, work: Any, peer: int | None, waiters: _Waiters) -> None:
        self._work = work
        self._peer = peer
        self._error: RuntimeError | None = None
        self.complete = False
        waiters.submit(self._wait)

    def _wait(self) -> None:
        try:
            self._work.wait()
        except RuntimeError as error:
            self._error = error
        self.complete = True

    def done(self) -> bool:
        if self.complete and self._error is not None:
            raise PeerLostError(-1 if self._peer is None else self._peer) from self._error
        return self.complete

    def cancel(self) -> None:
        """Gives it up; the thread stays with it until the process ends."""


class TorchTransport:
    """All ranks of a torch.distributed process group.

    Args:
        group: a process group; None is the default one.

    Raises:
        ConfigurationError: torch.distributed has not been initialised.
    """

    driver = "none"
    abandons = True
    joins = False

    def __init__(self, group: Any = None) -> None:
        if not dist.is_initialized():
            raise ConfigurationError(
                "transport is 'torch' but torch.distributed is not initialised: call "
                "torch.distributed.init_process_group first, or start with `gossipgrad run`"
            )
        self._group = group
        self.name: str = dist.get_backend(group)
        self.rank: int = dist.get_rank(group)
        self.size: int = dist.get_world_size(group)
        self.sends_device_memory = self.name == "nccl"
        self._device = torch.device("cuda") if self.name == "nccl" else torch.device("cpu")
        self._waiters = _Waiters()
        self._lost: set[int] = set()
        self._departed: set[int] = set()
        self._closed = False
        # A mailbox a peer: gloo's any-source receive fails for good when any one connection closes.
        # Its failing is how a peer's death is noticed. NCCL has no tags; there faults end the job.
        self._letters: dict[int, tuple[Tensor, _Waited]] = {}
        if self.name == "gloo":
            for peer in range(self.size):
                if peer != self.rank:
                    self._await_letter(peer)
            atexit.register(self.close)

    def send(self, buffer: Tensor, peer: int, tag: int) -> _Waited:
        """Starts a send."""
        return self._start(dist.isend, buffer, peer, tag)

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> _Waited:
        """Starts a receive."""
        return self._start(dist.irecv, buffer, peer, tag)

    def _start(self, operation: Any, buffer: Tensor, peer: int | None, tag: int) -> _Waited:
        try:
            work = operation(buffer, peer, group=self._group, tag=tag)
        except RuntimeError as error:
            if peer is not None:
                self._lost.add(peer)
            raise PeerLostError(-1 if peer is None else peer) from error
        return _Waited(work, peer, self._waiters)

    def signal(self, peer: int, payload: bytes) -> None:
        """Sends a datagram of fixed size."""
        if self.name != "gloo" or peer in self._lost:
            return
        letter = torch.zeros(_LENGTH_BYTES + SIGNAL_BYTES, dtype=torch.uint8)
        content = len(payload).to_bytes(_LENGTH_BYTES, "little") + payload
        letter[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        try:
            self.send(letter, peer, _SIGNAL_TAG)
        except PeerLostError:
            self._lost.add(peer)

    def signals(self) -> list[tuple[int, bytes]]:
        """Empties the mailboxes."""
        arrived = []
        for peer, (mailbox, letter) in list(self._letters.items()):
            try:
                if not letter.done():
                    continue
            except PeerLostError:
                self._lost.add(peer)
                del self._letters[peer]
                continue
            raw = bytes(mailbox.numpy())
            length = int.from_bytes(raw[:_LENGTH_BYTES], "little")
            if length == 0:  # its farewell: nothing more will come
                del self._letters[peer]
                self._departed.add(peer)
                continue
            arrived.append((peer, raw[_LENGTH_BYTES : _LENGTH_BYTES + length]))
            self._await_letter(peer)
        return arrived

    def _await_letter(self, peer: int) -> None:
        mailbox = torch.zeros(_LENGTH_BYTES + SIGNAL_BYTES, dtype=torch.uint8)
        try:
            self._letters[peer] = mailbox, self.receive(mailbox, peer, _SIGNAL_TAG)
        except PeerLostError:
            self._letters.pop(peer, None)

    def lost(self) -> Collection[int]:
        """Returns the ranks whose connection has closed, or that have said farewell."""
        return self._lost | self._departed

    def starts(self) -> Mapping[int, int]:
        """Returns nothing: torch.distributed fixes its processes at the start."""
        return {}

    def close(self) -> None:
        """Says farewell to all peers and hears theirs; the process group is left to its maker."""
        atexit.unregister(self.close)
        # After an exception the others have not come to their end: they see the connection close.
        if self._closed or not dist.is_initialized() or hasattr(sys, "last_value"):
            return
        self._closed = True
        for peer in {*self._letters, *self._departed}:
            self.signal(peer, b"")
        deadline = time.monotonic() + _FAREWELL_S
        while (self._letters or self._waiters.busy) and time.monotonic() < deadline:
            self.signals()
            time.sleep(_NAP_S)
