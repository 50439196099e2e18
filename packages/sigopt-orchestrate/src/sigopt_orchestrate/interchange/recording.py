"""Writes trials that were run elsewhere into a store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.store import ExperimentRecord, Ledger, Store, lead

_GROUP = 500  # trials that share a flush


@dataclass(frozen=True)
class Past:
    """A trial that was run elsewhere.

    Attributes:
        values: Its metrics by name; None if it failed.
        reason: Why it failed.
    """

    assignments: Assignments
    values: Mapping[str, float] | None
    reason: str | None = None


def record(
    store: Store, spec: Experiment, directory: Path, trials: Iterable[Past], source: str
) -> ExperimentRecord:
    """Makes an experiment of trials that were run elsewhere, and returns it.

    It is completed if they use up its budget, and stopped otherwise: it may be resumed, and then
    learns from them.

    Args:
        store: Where to write.
        spec: The experiment.
        directory: Where its command is to run.
        trials: At most as many as its budget.
        source: Where the trials come from, in a word.
    """
    created = store.create_experiment(spec, directory)
    with lead(store, created.id) as ledger:
        remaining = list(trials)
        while remaining:
            group, remaining = remaining[:_GROUP], remaining[_GROUP:]
            with ledger.group():
                for trial in group:
                    _record_one(ledger, trial, source)
        if ledger.roster.observed >= spec.budget:
            return ledger.end(ExperimentState.COMPLETED)
        return ledger.end(ExperimentState.STOPPED, f"imported from {source}")


def _record_one(ledger: Ledger, trial: Past, source: str) -> None:
    queued = ledger.add_trial(trial.assignments, source)
    if queued is None:
        return
    running = ledger.advance(ledger.lease(queued), TrialState.RUNNING)
    ledger.report(str(running.token), trial.values, trial.reason)
