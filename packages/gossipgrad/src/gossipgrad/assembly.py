"""Bringing all living ranks to one point, although they are at different steps.

Gossip has no barrier, so before anything collective the ranks meet: each tells the lowest living
rank how far it is, and hears from it up to which step everybody has to go and who counts as alive.
Until all have come, those who wait keep serving the exchanges of those who still train: ranks may
have different numbers of batches.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gossipgrad.progress import Nap
from gossipgrad.transports import Transport
from gossipgrad.vigil import Vigil

_REPEAT_S = 0.05
_QUIET_S = 0.5


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a rank is.

    Attributes:
        steps: exchanges it has begun.
        sent: messages sent without a matching step (async mode), which others must still receive.
        received: such messages received.
    """

    steps: int
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Meeting:
    """What was agreed.

    Attributes:
        steps: exchanges that everybody has to have begun and finished.
        ranks: the living.
        generation: the number of the meeting.
    """

    steps: int
    ranks: list[int]
    generation: int


class Assembly:
    """Meetings of the living ranks.

    Args:
        transport: the network.
        vigil: who is alive; its signalling carries "join" and "go".
    """

    def __init__(self, transport: Transport, vigil: Vigil) -> None:
        self._transport = transport
        self._vigil = vigil
        self._membership = vigil.membership
        self._signalling = vigil.signalling
        self.generation = 0
        self._joined: dict[int, dict[int, Standing]] = {}
        self._going: dict[int, Meeting] = {}
        self._changed_at = 0.0
        vigil.signalling.on("join", self._on_join)
        vigil.signalling.on("go", self._on_go)

    def meet(
        self, standing: Callable[[], Standing], serve: Callable[[], None], nap: Nap | None = None
    ) -> Meeting:
        """Waits until every living rank is here.

        Args:
            standing: how far this rank is, now.
            serve: drives the network and does what late ranks still ask for.
            nap: sleeps between two looks.
        """
        self.generation += 1
        generation, nap, told_at, began = self.generation, nap or Nap(), 0.0, time.monotonic()
        while generation not in self._going:
            serve()
            self._vigil.check_dropped()
            now = standing()
            leader = self._living(now.steps)[0]
            if leader == self._transport.rank:
                self._note(generation, leader, now)
                missing = self._decide(generation)
            else:
                missing = [leader]
            self._vigil.watch(missing, began)
            if leader != self._transport.rank and time.monotonic() - told_at > _REPEAT_S:
                told_at = time.monotonic()
                self._signalling.send(
                    leader,
                    "join",
                    generation=generation,
                    standing=[now.steps, now.sent, now.received],
                )
            nap()
        self._joined.pop(generation, None)
        return self._going[generation]

    def _living(self, steps: int) -> list[int]:
        # A rank that is on its way back takes part, and all go on to the step of its return.
        return self._membership.living(max(steps, self._membership.latest_return))

    def _note(self, generation: int, rank: int, standing: Standing) -> None:
        joined = self._joined.setdefault(generation, {})
        if joined.get(rank) != standing:
            joined[rank] = standing
            self._changed_at = time.monotonic()

    def _decide(self, generation: int) -> list[int]:
        joined = self._joined[generation]
        steps = max(standing.steps for standing in joined.values())
        here = self._living(steps)
        missing = [rank for rank in here if rank not in joined]
        if missing:
            return missing
        standings = [joined[rank] for rank in here]
        settled = sum(s.sent for s in standings) == sum(s.received for s in standings)
        # What went to or came from the dead counts on one side only, also once they are back.
        some_died = self._membership.version > 0
        if not settled and not (some_died and time.monotonic() - self._changed_at > _QUIET_S):
            return []
        steps = max(steps, self._membership.latest_return)
        meeting = Meeting(steps, here, generation)
        self._going[generation] = meeting
        for rank in here[1:]:
            self._send_go(rank, meeting)
        return []

    def _send_go(self, rank: int, meeting: Meeting) -> None:
        dead = sorted(set(range(self._transport.size)) - set(meeting.ranks))
        self._signalling.send(
            rank, "go", generation=meeting.generation, steps=meeting.steps, dead=dead
        )

    def _on_join(self, sender: int, content: dict[str, Any]) -> None:
        generation = content["generation"]
        if generation in self._going:
            self._send_go(sender, self._going[generation])
        else:
            self._note(generation, sender, Standing(*content["standing"]))

    def _on_go(self, sender: int, content: dict[str, Any]) -> None:
        del sender
        dead = set(content["dead"])
        self._membership.lose(dead, content["steps"])
        ranks = [rank for rank in range(self._transport.size) if rank not in dead]
        self._going[content["generation"]] = Meeting(content["steps"], ranks, content["generation"])
