"""What the store holds, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Assignments, Experiment


@dataclass(frozen=True)
class ExperimentRecord:
    """An experiment as stored.

    Attributes:
        id: Counts up from 1 in a store.
        spec: The experiment file as it was when the experiment was created; each trial that was
            retried or repeated has added one to its budget.
        directory: Where the trials' command runs.
        epoch: Counts the orchestrates that have led it; a lower one may no longer write.
        stop_requested: Whether `orchestrate stop` asked the leader to end it.
        paused: Whether no further trials are to start for the time being.
        reason: Why it ended as it did, where that needs saying.
        created_at: Unix seconds, as all times here.
    """

    id: int
    spec: Experiment
    directory: Path
    state: ExperimentState
    epoch: int
    stop_requested: bool
    paused: bool
    reason: str | None
    created_at: float
    ended_at: float | None


@dataclass(frozen=True)
class TrialRecord:
    """A trial with its current attempt and, once it has one, its observation.

    Attributes:
        id: Unique in the store.
        number: Counts up from 1 in its experiment, in the order of suggestion.
        source: How its assignments were chosen: `default`, `quasi-random`, `bayesian`, `retry of 3`
            (which failed) or `repeat of 3` (which did not).
        attempt: The current attempt's number, from 1; 0 before the first.
        token: The current attempt's unique name, which its processes carry in their environment.
        errors: How many attempts ended by the command's own failure.
        losses: How many attempts were lost through no fault of the command's.
        ooms: How many attempts ran out of memory; each gave the next one more.
        values: The observation's metrics by name; None without an observation, or a failed one.
        reason: Why it failed, was stopped or was sent back to the queue.
        started_at: When the current attempt was leased, in Unix seconds.
    """

    id: int
    number: int
    assignments: Assignments
    source: str
    state: TrialState
    created_at: float
    attempt: int = 0
    token: str | None = None
    errors: int = 0
    losses: int = 0
    ooms: int = 0
    values: Mapping[str, float] | None = None
    reason: str | None = None
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def duration_s(self) -> float | None:
        """How long the current attempt took; None while it runs or before it does."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at
