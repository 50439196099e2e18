"""The states of a trial and of an experiment, and the transitions that are allowed."""

from enum import StrEnum


class TrialState(StrEnum):
    """Where a trial is on its way to one observation."""

    QUEUED = "queued"
    LEASED = "leased"  # an attempt is recorded, nothing has been started
    SUBMITTED = "submitted"  # the executor has been told to start it
    RUNNING = "running"
    REPORTING = "reporting"  # it has ended; its report is being read
    PREEMPTED = "preempted"  # its attempt came to nothing; it goes back to the queue
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def observed(self) -> bool:
        """Whether the trial has its observation, and so is charged to the budget."""
        return self in OBSERVED

    @property
    def in_flight(self) -> bool:
        """Whether an attempt of the trial may have a process."""
        return self in IN_FLIGHT


OBSERVED = frozenset({TrialState.COMPLETED, TrialState.FAILED})
IN_FLIGHT = frozenset(
    {TrialState.LEASED, TrialState.SUBMITTED, TrialState.RUNNING, TrialState.REPORTING}
)
OPEN = IN_FLIGHT | {TrialState.QUEUED, TrialState.PREEMPTED}
"""Neither observed nor stopped: these hold a place in the budget."""

# An attempt may come to nothing wherever it is; the trial's next one has a higher number, which
# fences off whatever the first may still say. If that is a success, and no other was observed
# meanwhile, it counts all the same: hence the ways to `REPORTING` from outside.
_LEAVE = {TrialState.PREEMPTED, TrialState.REPORTING, TrialState.STOPPED}
TRANSITIONS: dict[TrialState, frozenset[TrialState]] = {
    TrialState.QUEUED: frozenset({TrialState.LEASED, TrialState.REPORTING, TrialState.STOPPED}),
    TrialState.LEASED: frozenset({TrialState.SUBMITTED, TrialState.RUNNING, *_LEAVE}),
    TrialState.SUBMITTED: frozenset({TrialState.RUNNING, *_LEAVE}),
    TrialState.RUNNING: frozenset(_LEAVE),
    TrialState.REPORTING: frozenset(
        {TrialState.COMPLETED, TrialState.FAILED, TrialState.PREEMPTED, TrialState.STOPPED}
    ),
    TrialState.PREEMPTED: frozenset({TrialState.QUEUED, TrialState.REPORTING, TrialState.STOPPED}),
    TrialState.STOPPED: frozenset({TrialState.QUEUED, TrialState.REPORTING}),
    TrialState.COMPLETED: frozenset(),
    TrialState.FAILED: frozenset(),
}


class ExperimentState(StrEnum):
    """What an experiment is doing; `RUNNING` with no live orchestrate means interrupted."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"  # its configuration cannot work, see its reason
    COMPLETED = "completed"


REPEAT = "repeat of "
"""What the source of a trial that repeats another begins with: it confirms, and competes not."""


def repeat_of(number: int) -> str:
    """Returns the source of a trial that repeats the completed one with this number."""
    return f"{REPEAT}{number}"
