"""What to do next, as a pure function of what is stored and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sigopt_orchestrate.executors import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
)
from sigopt_orchestrate.lifecycle import OBSERVED, OPEN, TrialState
from sigopt_orchestrate.store import TrialRecord


@dataclass(frozen=True)
class Advance:
    """Record that the attempt has got further."""

    trial: TrialRecord
    state: TrialState


@dataclass(frozen=True)
class Collect:
    """Read the attempt's report and settle the trial."""

    trial: TrialRecord
    exit: Exit


@dataclass(frozen=True)
class Recover:
    """The attempt is no more: queue the trial again, charged as a loss if it had started."""

    trial: TrialRecord
    charged: bool


@dataclass(frozen=True)
class End:
    """Ask the attempt to end."""

    trial: TrialRecord


@dataclass(frozen=True)
class Start:
    """Lease the trial's next attempt and submit it."""

    trial: TrialRecord


@dataclass(frozen=True)
class Suggest:
    """Ask the optimiser for one more trial."""


Action = Advance | Collect | Recover | End | Start | Suggest


def plan(
    trials: Sequence[TrialRecord],
    found: Mapping[int, Presence],
    *,
    budget: int,
    parallel: int,
    stopping: bool,
) -> list[Action]:
    """Returns the actions that bring what runs closer to what is wanted.

    Never are there more than `parallel` attempts in flight; the budget is guarded again by the
    store. While others run, one trial is kept queued, so that a free slot need not wait for the
    optimiser.

    Args:
        trials: All trials of the experiment, by number.
        found: What the executor found of each trial in flight, by trial id.
        budget: How many observations are wanted.
        parallel: How many attempts may be in flight.
        stopping: Whether to end everything and start nothing.
    """
    actions: list[Action] = []
    for trial in trials:
        if trial.state.in_flight:
            actions += _settle(trial, found[trial.id], stopping=stopping)
    if stopping:
        return actions
    free = parallel - sum(trial.state.in_flight for trial in trials)
    queued = [trial for trial in trials if trial.state is TrialState.QUEUED]
    actions += [Start(trial) for trial in queued[: max(0, free)]]
    held = sum(trial.state in OPEN | OBSERVED for trial in trials)
    ahead = 1 if parallel > 1 else 0
    if held < budget and len(queued) < free + ahead:
        actions.append(Suggest())
    return actions


def _settle(trial: TrialRecord, presence: Presence, *, stopping: bool) -> list[Action]:
    """What to do about one trial in flight."""
    if isinstance(presence, Absent):
        return [Recover(trial, charged=False)]
    if isinstance(presence, Lost):
        return [Recover(trial, charged=True)]
    if isinstance(presence, Ended):
        return [Collect(trial, presence.exit)]
    actions: list[Action] = []
    if trial.state is TrialState.LEASED:
        actions.append(Advance(trial, TrialState.SUBMITTED))
    elif trial.state is TrialState.SUBMITTED and isinstance(presence, Running):
        actions.append(Advance(trial, TrialState.RUNNING))
    if stopping and isinstance(presence, Running):
        actions.append(End(trial))
    return actions
