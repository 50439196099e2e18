"""Who is alive, as far as one rank knows, and how long a silence it bears.

Ranks need not agree at every moment: `schedules.live_turn` limits the damage of a disagreement to
the neighbours of the dead rank, and as long as one of those cannot be sure that the other knows of
the death, the exchange asks across the gap before it relies on it.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Any

_REMEMBERED_WAITS = 64
_MAD_FACTOR = 8.0


class Membership:
    """The living, by step.

    Args:
        rank: this rank.
        size: number of ranks at the start.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        self.version = 0
        self._gone: dict[int, int] = {}
        self._back_at: dict[int, int] = {}
        self._knows: dict[tuple[int, int], int] = {}
        self._incarnations: dict[int, int] = {}

    def dead(self, step: int) -> frozenset[int]:
        """Returns the ranks that take no part at `step`."""
        if not self._gone:
            return frozenset()
        return frozenset(rank for rank in self._gone if step < self._back_at.get(rank, step + 1))

    def living(self, step: int) -> list[int]:
        """Returns the ranks that take part at `step`, in order."""
        dead = self.dead(step)
        return [rank for rank in range(self.size) if rank not in dead]

    def lose(self, ranks: Iterable[int], step: int) -> list[int]:
        """Counts ranks as dead from now on; returns those that this rank did not know to be."""
        known = self.dead(step)
        new = [rank for rank in ranks if rank not in known and rank != self.rank and rank >= 0]
        for rank in new:
            self._gone[rank] = step
            back = self._back_at.pop(rank, 0)
            for peer, other in [key for key in self._knows if key[1] == rank]:
                if self._knows[peer, other] < back:  # of the death before this one
                    del self._knows[peer, other]
        if new:
            self.version += 1
        return new

    def welcome(self, rank: int, step: int, incarnation: int) -> None:
        """Counts `rank` as alive again, for the `incarnation`-th time, from exchange `step` on."""
        self._gone.setdefault(rank, step)
        self._back_at[rank] = step
        self._incarnations[rank] = incarnation

    def incarnation(self, rank: int) -> int:
        """Returns how often `rank` has come back."""
        return self._incarnations.get(rank, 0)

    def is_exiled(self, rank: int) -> bool:
        """Says whether `rank` is dead to this one and has not been welcomed back."""
        return rank in self._gone and rank not in self._back_at

    def is_outdated(self, rank: int, step: int) -> bool:
        """Says whether news of `step` that `rank` is dead are older than its return."""
        return step < self._back_at.get(rank, step)

    @property
    def latest_return(self) -> int:
        """The exchange from which on all returns so far are in force."""
        return max(self._back_at.values(), default=0)

    def state(self) -> dict[str, Any]:
        """Returns what a returning rank has to know, for its `restore`."""
        return {
            "gone": dict(self._gone),
            "back_at": dict(self._back_at),
            "incarnations": dict(self._incarnations),
        }

    def restore(self, state: dict[str, Any], step: int, incarnation: int) -> None:
        """Takes a sponsor's view of the living in place of the own one.

        Args:
            state: the sponsor's `state()`.
            step: when this rank is back.
            incarnation: how often it has come back.
        """
        self._gone, self._back_at = dict(state["gone"]), dict(state["back_at"])
        self._incarnations = dict(state["incarnations"])
        self._knows.clear()
        self.welcome(self.rank, step, incarnation)
        self.version += 1

    def hear(self, peer: int, dead: Iterable[int], step: int) -> None:
        """Remembers that `peer` knew of these deaths when its exchange `step` was under way."""
        for rank in dead:
            before = self._knows.get((peer, rank))
            if before is None or before < self._back_at.get(rank, before) <= step:
                self._knows[peer, rank] = step

    def learnt(self, peer: int, dead: Iterable[int]) -> int | None:
        """Returns the step at which `peer` had learnt of all these deaths, None if unknown."""
        steps = [self._knows.get((peer, rank)) for rank in dead]
        known = [step for step in steps if step is not None]
        return max(known, default=-1) if len(known) == len(steps) else None

    def is_unsure(self, peer: int, skipped: Iterable[int], step: int) -> bool:
        """Says whether `peer` may begin `step` without knowing of some death in `skipped`."""
        return any(step <= self._knows.get((peer, rank), step) for rank in skipped)


class Patience:
    """How long to wait for a sign of life: what is usual, and well beyond it.

    The limit is median + 8 median absolute deviations of the last waits, plus twice the median
    step, and never below `floor_s`: fixed time-outs are either too short for somebody or too long
    for all.

    Args:
        floor_s: seconds; silence shorter than this is never held against a rank.
    """

    def __init__(self, floor_s: float) -> None:
        self.floor_s = floor_s
        self._waits: deque[float] = deque(maxlen=_REMEMBERED_WAITS)
        self._steps: deque[float] = deque(maxlen=_REMEMBERED_WAITS)
        self._limit_s = max(floor_s, 60.0)  # first steps compile, load and warm up

    def observe(self, wait_s: float, step_s: float) -> None:
        """Remembers one step: how long it waited for its peers and how long it took in all."""
        self._waits.append(wait_s)
        self._steps.append(step_s)
        middle = median(self._waits)
        deviation = median(abs(wait - middle) for wait in self._waits)
        usual = middle + _MAD_FACTOR * deviation + 2 * median(self._steps)
        self._limit_s = max(self.floor_s, usual)

    def limit_s(self) -> float:
        """Returns the silence after which a rank counts as dead, in seconds."""
        return self._limit_s
