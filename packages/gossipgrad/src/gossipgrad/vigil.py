"""Watching over the living: news of deaths goes to all, silence is borne for a while.

Deaths are learnt of from the network (ULFM, a closed connection), from others' news, or from a
silence beyond the deadline. A rank that hears its own death announced has been silent for too long.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from gossipgrad.errors import DroppedError
from gossipgrad.membership import Membership, Patience
from gossipgrad.signalling import Signalling
from gossipgrad.transports import Transport

_NAMED = 32  # a signal names at most so many dead


class Vigil:
    """Keeps one rank's knowledge of the living up to date.

    Args:
        transport: the network.
        membership: who is alive; updated here.
        signalling: carries "news", "ping" and "pong".
        patience: how long a silence to bear.

    Attributes:
        step: the exchange under way, as news say it.
        dropped: whether the others count this rank as dead.
        returned_at: the exchange with which this rank came back, if it was dropped before.
        noticed: when this rank learnt of whose death, in seconds of `time.monotonic()`.
    """

    def __init__(
        self,
        transport: Transport,
        membership: Membership,
        signalling: Signalling,
        patience: Patience,
    ) -> None:
        self.membership = membership
        self.signalling = signalling
        self.patience = patience
        self.step = 0
        self.dropped = False
        self.returned_at = 0
        self.noticed: list[tuple[float, int]] = []
        self._transport = transport
        self._mourners: list[Callable[[], None]] = []
        self._heard: dict[int, float] = {}
        self._prodded_at = -math.inf
        self._looked_at = self._silent_from = time.monotonic()
        signalling.admits = self._admits
        signalling.on("news", self._on_news)
        signalling.on("ping", self._on_ping)
        signalling.on("pong", lambda sender, _: self.hear_from(sender))

    def on_death(self, mourner: Callable[[], None]) -> None:
        """Calls `mourner()` after the membership has changed for the worse."""
        self._mourners.append(mourner)

    def look(self) -> None:
        """Learns what there is to learn, now."""
        now = time.monotonic()
        if now - self._looked_at > self.patience.limit_s() / 2:
            self._silent_from = now  # this rank itself stood still: others' silence counts anew
            for peer in self.membership.living(self.step):  # who has dropped it says so
                if peer != self._transport.rank:
                    self._ping(peer)
        self._looked_at = now
        lost = self._transport.lost()
        if lost:
            self.note(lost)
        self.signalling.poll()

    def note(self, ranks: Iterable[int]) -> None:
        """Counts ranks as dead and tells the living of those that are news."""
        new = self.membership.lose(ranks, self.step)
        if not new:
            return
        now = time.monotonic()
        self.noticed += [(now, rank) for rank in new]
        # Whoever is awaited in the dead one's place has not been asked for anything yet.
        self._silent_from, self._prodded_at = now, -math.inf
        for peer in self.membership.living(self.step):
            if peer != self._transport.rank:
                self.signalling.send(peer, "news", step=self.step, dead=sorted(new)[:_NAMED])
        for mourner in self._mourners:
            mourner()

    def named_dead(self) -> list[int]:
        """Returns the dead as a signal can name them."""
        return sorted(self.membership.dead(self.step))[:_NAMED]

    def hear_from(self, peer: int) -> None:
        """Takes note of a sign of life."""
        self._heard[peer] = time.monotonic()

    def watch(
        self, awaited: Collection[int], since: float, prod: Callable[[int], None] | None = None
    ) -> None:
        """Asks awaited ranks for signs of life, and counts those as dead that give none in time.

        Args:
            awaited: who is waited for.
            since: from when on, in seconds of `time.monotonic()`.
            prod: asks a rank; None sends a plain ping.
        """
        now, limit = time.monotonic(), self.patience.limit_s()
        if now - since < limit / 4:
            return
        since = max(since, self._silent_from)
        silent = [peer for peer in awaited if now - max(since, self._heard.get(peer, 0.0)) > limit]
        if silent:
            self.note(silent)
        elif now - self._prodded_at > limit / 4:
            self._prodded_at = now
            for peer in awaited:
                (prod or self._ping)(peer)

    def check_dropped(self) -> None:
        """Raises DroppedError if the others go on without this rank."""
        if self.dropped:
            raise DroppedError(
                f"the others go on without rank {self._transport.rank}, which was silent for too "
                "long or has just been started in place of a dead one; call "
                "model.rejoin(optimizer) to come in, or restart from a checkpoint"
            )

    def readmit(self, step: int) -> None:
        """Counts this rank as back from exchange `step` on."""
        self.dropped, self.returned_at, self.step = False, step, step

    def hear_of_deaths(self, sender: int, dead: Collection[int], step: int) -> None:
        """Believes what `sender` knew of the dead at its exchange `step`."""
        dead = [rank for rank in dead if not self.membership.is_outdated(rank, step)]
        self.membership.hear(sender, dead, step)
        self.note(dead)

    def _admits(self, sender: int, kind: str) -> bool:
        if self.dropped or kind == "return" or not self.membership.is_exiled(sender):
            return True
        if kind != "news":  # two that have dropped each other do not argue
            self.signalling.send(sender, "news", step=self.step, dead=[sender])
        return False

    def _ping(self, peer: int) -> None:
        self.signalling.send(peer, "ping")

    def _on_ping(self, sender: int, content: dict[str, Any]) -> None:
        del content
        self.hear_from(sender)
        self.signalling.send(sender, "pong")

    def _on_news(self, sender: int, content: dict[str, Any]) -> None:
        if self._transport.rank in content["dead"]:
            self.dropped = self.dropped or content["step"] >= self.returned_at
            return
        self.hear_from(sender)
        self.hear_of_deaths(sender, content["dead"], content["step"])
