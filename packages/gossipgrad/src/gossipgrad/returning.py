"""How a dropped rank comes back: it takes a living one's state and half of its mass.

    return           the dropped rank asks, until the lowest living rank, its sponsor, hears it
    propose(step)    the sponsor asks the others when; they begin no exchange from there on
    agree(step)      their answers; the latest of them is the step of the return
    state(bytes)     the sponsor's model, optimizer and books go to the returning rank
    admit(step)      to all, who now know of the return before they begin that step

A copy of the sponsor's weights with half of its mass leaves the weighted mean of the living where
it was, to the bit, and the mass itself. The step lies a sweep ahead, so nobody stands still for the
agreement unless the sponsor is slow to send its state. If the sponsor dies on the way, those who
wait for it go on without, and the dropped rank asks anew.
"""

import math
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from gossipgrad.errors import PeerLostError
from gossipgrad.progress import Nap
from gossipgrad.transports import Pending, Transport
from gossipgrad.vigil import Vigil

_REPEAT_S = 0.05
_PIECE_BYTES = 1 << 24
_FIRST_TAG = 2
_TAGS = 12  # attempts do not read what is left of the one before
_PIECE_PATIENCE = 10.0  # in silences: a piece takes its time on the wire


class Returns:
    """One rank's part in returns: its own, and those of others.

    Args:
        transport: the network.
        vigil: who is alive; its signalling carries the words above.
        lock: held by whoever touches the network.
    """

    def __init__(self, transport: Transport, vigil: Vigil, lock: threading.RLock) -> None:
        self._transport = transport
        self._vigil = vigil
        self._membership = vigil.membership
        self._signalling = vigil.signalling
        self._lock = lock
        self._attempts = 0
        self._asked_at = -math.inf
        self._asking: set[int] = set()
        self._limits: dict[int, int] = {}
        self._agreed: dict[int, int] = {}
        self._offer: tuple[int, dict[str, Any]] | None = None
        self._verdict: int | None = None
        self._welcomed: list[tuple[int, int, int]] = []
        for kind in ("return", "propose", "agree", "state", "admit"):
            vigil.signalling.on(kind, getattr(self, f"_on_{kind}"))

    @property
    def asked(self) -> bool:
        """Whether a dropped rank waits for this one to sponsor it."""
        return bool(self._asking)

    def holds(self, step: int) -> int | None:
        """Returns the sponsor whose word has to come before `step` begins, None if none has to."""
        for sponsor, limit in self._limits.items():
            if step >= limit and not self._membership.is_exiled(sponsor):
                return sponsor
        return None

    def sponsor(self, step: int, state: Callable[[int, int], bytes]) -> int | None:
        """Takes one dropped rank back; to be called while no exchange of this rank is open.

        Args:
            step: the earliest exchange that the returning rank may take part in.
            state: makes the bytes that `come_back` returns there, from the agreed step and the
                number of this return of that rank.

        Returns:
            The rank that has been admitted, or None if it fell silent again.
        """
        with self._lock:
            rank = min(self._asking)
            self._agreed.clear()
            for peer in self._others(rank):
                self._signalling.send(peer, "propose", rank=rank, step=step)
        self._until(lambda: not self._missing(rank), math.inf, lambda: self._missing(rank))
        with self._lock:
            step = max([step, *self._agreed.values()])
            incarnation = self._membership.incarnation(rank) + 1
        arrived = self._send_state(rank, state(step, incarnation))
        with self._lock:
            for peer in [*self._others(rank), rank]:
                self._signalling.send(
                    peer,
                    "admit",
                    rank=rank,
                    step=step if arrived else -1,
                    incarnation=incarnation,
                )
            if arrived:
                self._membership.welcome(rank, step, incarnation)
            self._asking.discard(rank)  # now: it has gone on asking until it was answered
        return rank if arrived else None

    def come_back(self, timeout_s: float) -> bytes | None:
        """Asks for admission and returns the sponsor's state once all have been told; or None.

        Args:
            timeout_s: seconds after which it gives up.
        """
        began = time.monotonic()

        def left() -> float:
            return timeout_s - (time.monotonic() - began)

        while left() > 0:
            self._offer, self._verdict = None, None
            self._welcomed.clear()
            if not self._until(self._ask, left()) or self._offer is None:
                return None
            sponsor, offer = self._offer
            content = self._receive_state(sponsor, offer, left)
            if content is None:
                continue
            self._until(
                lambda: self._verdict is not None or sponsor in self._transport.lost(),  # noqa: B023
                min(left(), self._piece_limit_s()),
            )
            if self._verdict is not None and self._verdict >= 0:
                return content
        return None

    def welcomed_meanwhile(self) -> list[tuple[int, int, int]]:
        """Returns who was admitted after this rank's own state had been packed, for `welcome`."""
        return self._welcomed

    def _others(self, rank: int) -> list[int]:
        # Also those who have been admitted and are still to begin: they have to know, too.
        return [
            peer
            for peer in range(self._transport.size)
            if peer not in (self._transport.rank, rank) and not self._membership.is_exiled(peer)
        ]

    def _missing(self, rank: int) -> list[int]:
        return [peer for peer in self._others(rank) if peer not in self._agreed]

    def _ask(self) -> bool:
        now = time.monotonic()
        if self._offer is None and now - self._asked_at > _REPEAT_S:
            self._asked_at = now
            for peer in set(range(self._transport.size)) - set(self._transport.lost()):
                if peer != self._transport.rank:
                    self._signalling.send(peer, "return")
        return self._offer is not None

    def _send_state(self, rank: int, content: bytes) -> bool:
        raw = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        self._attempts += 1
        with self._lock:
            self._signalling.send(rank, "state", bytes=len(content), attempt=self._attempts)
        return self._move(raw, lambda piece, tag: self._transport.send(piece, rank, tag), rank)

    def _receive_state(
        self, sponsor: int, offer: dict[str, Any], left: Callable[[], float]
    ) -> bytes | None:
        raw = torch.empty(offer["bytes"], dtype=torch.uint8)
        self._attempts = offer["attempt"]
        arrived = left() > 0 and self._move(
            raw, lambda piece, tag: self._transport.receive(piece, sponsor, tag), sponsor
        )
        return raw.numpy().tobytes() if arrived else None

    def _move(self, raw: Tensor, start: Callable[[Tensor, int], Pending], peer: int) -> bool:
        tag = _FIRST_TAG + self._attempts % _TAGS
        for piece in torch.split(raw, _PIECE_BYTES):
            try:
                with self._lock:
                    pending = start(piece, tag)
                if not self._until(pending.done, self._piece_limit_s()):
                    with self._lock:
                        pending.cancel()
                    return False
            except PeerLostError:
                self._vigil.note([peer])
                return False
        return True

    def _piece_limit_s(self) -> float:
        return _PIECE_PATIENCE * self._vigil.patience.limit_s()

    def _until(
        self,
        reached: Callable[[], bool],
        limit_s: float,
        awaited: Callable[[], Collection[int]] = tuple,
    ) -> bool:
        began, nap = time.monotonic(), Nap()
        while time.monotonic() - began < limit_s:
            with self._lock:
                self._vigil.look()
                if reached():
                    return True
                self._vigil.watch(awaited(), began)
            nap()
        return False

    def _on_return(self, sender: int, content: dict[str, Any]) -> None:
        del content
        first = self._membership.living(self._vigil.step)[0] == self._transport.rank
        if first and self._membership.is_exiled(sender) and not self._vigil.dropped:
            self._asking.add(sender)

    def _on_propose(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        self._vigil.note([content["rank"]])
        limit = max(content["step"], self._vigil.step + 1)
        self._limits[sender] = limit
        self._signalling.send(sender, "agree", rank=content["rank"], step=limit)

    def _on_agree(self, sender: int, content: dict[str, Any]) -> None:
        self._vigil.hear_from(sender)
        self._agreed[sender] = content["step"]

    def _on_state(self, sender: int, content: dict[str, Any]) -> None:
        if self._vigil.dropped:
            self._offer = (sender, content)

    def _on_admit(self, sender: int, content: dict[str, Any]) -> None:
        self._limits.pop(sender, None)
        rank, step = content["rank"], content["step"]
        if rank == self._transport.rank:
            self._verdict = step
        elif step >= 0:
            self._asking.discard(rank)
            self._membership.welcome(rank, step, content["incarnation"])
            self._welcomed.append((rank, step, content["incarnation"]))
