"""Partners among the living: dead ranks are cut out of the step's permutation.

If i -> d -> k is a stretch of the permutation and d is dead, then i -> k. Only the two neighbours
of a dead rank see any change, so two ranks that do not yet agree on who is alive disturb nobody
else, and the rest of the schedule, with its diffusion, stays as it was.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from gossipgrad.schedules.turn import Schedule


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """A turn among the living.

    Attributes:
        destination: the rank that is sent to; the rank itself when nobody is left on its cycle.
        source: the rank that is received from.
        share: the fraction of the own mass that travels.
        skipped_ahead: dead ranks that lay between this rank and its destination.
        skipped_behind: dead ranks that lay between this rank and its source.
    """

    destination: int
    source: int
    share: float
    skipped_ahead: tuple[int, ...] = ()
    skipped_behind: tuple[int, ...] = ()


def live_turn(schedule: Schedule, rank: int, step: int, dead: Collection[int]) -> LiveTurn:
    """Returns the part of `rank` at `step` when the ranks in `dead` take none.

    Args:
        schedule: the schedule of all ranks.
        rank: a living rank.
        step: the step, from 0.
        dead: the ranks that take no part; memory and time grow with it, not with the ranks.
    """
    turn = schedule.turn(rank, step)
    if not dead:
        return LiveTurn(turn.destination, turn.source, turn.share)
    ahead, skipped_ahead = _walk(
        turn.destination, dead, lambda at: schedule.turn(at, step).destination
    )
    behind, skipped_behind = _walk(turn.source, dead, lambda at: schedule.turn(at, step).source)
    return LiveTurn(ahead, behind, turn.share, skipped_ahead, skipped_behind)


def _walk(
    at: int, dead: Collection[int], onward: Callable[[int], int]
) -> tuple[int, tuple[int, ...]]:
    skipped = []
    while at in dead:
        skipped.append(at)
        at = onward(at)
    return at, tuple(skipped)
