"""What to do next, as a pure function of what is stored and what is found."""

from dataclasses import dataclass

from sigopt_orchestrate.executors import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.lifecycle import TrialState


@dataclass(frozen=True)
class Advance:
    """Record that the attempt has got further."""

    state: TrialState


@dataclass(frozen=True)
class Collect:
    """Read the attempt's report and settle the trial."""

    exit: Exit


@dataclass(frozen=True)
class Recover:
    """The attempt is no more: the trial runs again, charged as a loss if it had started."""

    charged: bool
    reason: str | None = None


@dataclass(frozen=True)
class End:
    """Ask the attempt to end."""


Step = Advance | Collect | Recover | End


def next_step(state: TrialState, presence: Presence, *, ending: bool) -> Step | None:
    """Returns what brings a trial in flight closer to its end, or None where there is nothing.

    Args:
        state: The trial's.
        presence: What the executor found of its attempt.
        ending: Whether the attempt is to end, because all are or because it is overdue.
    """
    match presence:
        case Absent(reason):
            return Recover(charged=False, reason=reason)
        case Lost(reason):
            return Recover(charged=True, reason=reason)
        case Ended(end):
            return Collect(end)
        case _ if ending:
            return End()
        case Starting() if state is TrialState.LEASED:
            return Advance(TrialState.SUBMITTED)
        case Running() if state in {TrialState.LEASED, TrialState.SUBMITTED}:
            return Advance(TrialState.RUNNING)
    return None


def free_slots(*, in_flight: int, parallel: int) -> int:
    """Returns how many attempts may start now; after a change of `parallel`, never below 0."""
    return max(0, parallel - in_flight)


def wanted(*, free: int, waiting: int, held: int, budget: int, ahead: int) -> int:
    """Returns how many new trials there is room for; the store guards the budget again.

    Args:
        free: How many attempts may start now.
        waiting: How many trials are in the queue, or on their way back to it.
        held: How many trials hold a place in the budget.
        budget: How many observations are wanted.
        ahead: How many trials to keep in the queue while others run, so that a slot that gets free
            need not wait for the optimiser.
    """
    return max(0, min(free + ahead - waiting, budget - held))
