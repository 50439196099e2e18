"""Running failed trials again: what people asked for, as trials of their own."""

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.store import ExperimentRecord, Ledger, TrialRecord


def take_retries(ledger: Ledger) -> ExperimentRecord:
    """Queues the assignments of the failed trials in `ledger.retries` again.

    A failed observation stays what it is. Each retry adds one to the experiment's budget, so that
    a failure does not cost the experiment an observation.
    """
    with ledger.group():
        asked = set(ledger.retries)
        due = [trial for trial in retriable(ledger.trials()) if trial.number in asked]
        experiment = ledger.extend_budget(len(due))
        for trial in due:
            ledger.add_trial(trial.assignments, _source(trial))
        return experiment


def retriable(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Returns the failed trials that have no retry yet, or one that has failed as well."""
    again = {trial.source for trial in trials if trial.state is not TrialState.FAILED}
    failed = (trial for trial in trials if trial.state is TrialState.FAILED)
    return [trial for trial in failed if _source(trial) not in again]


def _source(trial: TrialRecord) -> str:
    return f"retry of {trial.number}"
